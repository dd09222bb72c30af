// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan is changed by: where the archive goes, how it is compressed, what happens on an error; and
 * which monitor is asked. */
#include "ui/dialog.h"

static int input_width(const struct scene *s)
{
    return s->canvas->width >= DIALOG_WIDTH ? DIALOG_WIDTH - 10 : MAX(s->canvas->width - 8, 4);
}

void dialog_output(const struct scene *s)
{
    struct dialog d = dialog_begin("where does the archive go?");
    dialog_input(&d, "", s->ui->input, input_width(s), "", true);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "FILE.vma      a file");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "FILE.vma.zst  a file, compressed");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "|COMMAND      into a command");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter take it   Esc leave it as it is" : "Enter  Esc");
}

void dialog_monitor(const struct scene *s)
{
    struct dialog d = dialog_begin("which monitor?");
    dialog_input(&d, "", s->ui->input, input_width(s), "", true);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "A QMP UNIX socket, or host:port on this machine.");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter connect   Esc stay with this one" : "Enter  Esc");
}

/* "2 jobs, 5 nodes, the guest stopped": as many things to a line as there is room for. */
static void say_leftovers(struct dialog *d, const struct scene *s)
{
    g_auto(GStrv) things = g_strsplit(s->m->leftovers, ", ", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    int width = MIN(s->canvas->width, DIALOG_WIDTH) - 5;
    for (unsigned i = 0; things[i] && d->n < 4; i++) {
        if (line->len && canvas_text_width(line->str) + canvas_text_width(things[i]) > width) {
            dialog_line(d, DIALOG_EXTRA, ROLE_TEXT_STRONG, "%s", line->str);
            g_string_truncate(line, 0);
        }
        g_string_append_printf(line, "%s%s", things[i], things[i + 1] ? ", " : "");
    }
    dialog_line(d, DIALOG_EXTRA, ROLE_TEXT_STRONG, "%s", line->str);
}

void dialog_leftovers(const struct scene *s)
{
    bool is_wide = s->canvas->width >= 60;
    struct dialog d = dialog_begin(is_wide ? "a backup that died has left things in QEMU" : "left by a dead backup");
    say_leftovers(&d, s);
    dialog_gap(&d);
    if (is_wide) {
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "While they are there no backup can begin. Cleaning up makes");
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "QEMU as it was before that backup; the guest goes on.");
    } else {
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "No backup can begin before it is gone.");
    }
    dialog_gap(&d);
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON_FOCUS, "[ Leave them ]  Enter, Esc");
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Clean up   ]  c");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter, Esc leave them   c cleans up" : "Esc  c cleans up");
}

void dialog_level(const struct scene *s)
{
    struct dialog d = dialog_begin("compression");
    g_autofree char *level = s->m->level ? g_strdup_printf("zstd, level %u", s->m->level) : g_strdup("none");
    dialog_line(&d, DIALOG_NEEDED, ROLE_TEXT_STRONG, "%-20s Up Down", level);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "0 is none, 3 is quick, 19 is small and slow. A file's");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "name follows: FILE.vma or FILE.vma.zst.");
    dialog_end(&d, s, "Enter, Esc close");
}

void dialog_on_error(const struct scene *s)
{
    const struct model *m = s->m;
    struct dialog d = dialog_begin("when a drive fails");
    dialog_line(&d, DIALOG_NEEDED, ROLE_DIALOG, "retry by itself     %u times   Up Down", m->retries);
    dialog_line(&d, DIALOG_NEEDED, ROLE_DIALOG, "then                (%s) go on without it     Space",
                m->is_strict ? " " : "o");
    dialog_line(&d, DIALOG_NEEDED, ROLE_DIALOG, "                    (%s) fail the whole backup",
                m->is_strict ? "o" : " ");
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "While the frozen image stands a retry loses nothing.");
    dialog_end(&d, s, "Enter, Esc close");
}
