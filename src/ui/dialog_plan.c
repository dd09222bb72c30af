// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan is changed by: where the archive goes, how it is compressed, what happens on an error; and
 * which monitor is asked. */
#include "ui/dialog.h"

static int input_width(const struct scene *s)
{
    return s->canvas->width >= DIALOG_WIDTH ? DIALOG_WIDTH - 10 : MAX(s->canvas->width - 8, 4);
}

/* Enter hands the text over, as it is. */
static struct ui_action take_text(struct ui *ui, uint32_t key, enum command_verb verb)
{
    struct ui_action action = ui_command(verb, "");
    if (key != UI_KEY_ENTER || !*ui->input) {
        dialog_edit(ui, key);
        return ui_act(UI_NOTHING);
    }
    g_strlcpy(action.command.text, ui->input, sizeof action.command.text);
    ui->dialog = UI_DIALOG_NONE;
    return action;
}

static bool open_output(struct ui *ui, const struct model *m)
{
    g_strlcpy(ui->input, m->target, sizeof ui->input);
    return true;
}

static struct ui_action key_output(struct ui *ui, uint32_t key, const struct model *m)
{
    return take_text(ui, key, COMMAND_OUTPUT);
}

static void draw_output(const struct scene *s)
{
    struct dialog d = dialog_begin("where does the archive go?");
    dialog_input(&d, "", s->ui->input, input_width(s), "", true);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "FILE.vma      a file");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "FILE.vma.zst  a file, compressed");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "|COMMAND      into a command");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter take it   Esc leave it as it is" : "Enter  Esc");
}

const struct dialog_kind dialog_output = {
    .verb = COMMAND_OUTPUT, .open = open_output, .key = key_output, .draw = draw_output};

static bool open_monitor(struct ui *ui, const struct model *m)
{
    g_strlcpy(ui->input, m->monitor, sizeof ui->input);
    return true;
}

static struct ui_action key_monitor(struct ui *ui, uint32_t key, const struct model *m)
{
    return take_text(ui, key, COMMAND_CONNECT);
}

static void draw_monitor(const struct scene *s)
{
    struct dialog d = dialog_begin("which monitor?");
    dialog_input(&d, "", s->ui->input, input_width(s), "", true);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "A QMP UNIX socket, or host:port on this machine.");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter connect   Esc stay with this one" : "Enter  Esc");
}

const struct dialog_kind dialog_monitor = {
    .verb = COMMAND_ASK_MONITOR, .open = open_monitor, .key = key_monitor, .draw = draw_monitor};

static bool open_leftovers(struct ui *ui, const struct model *m)
{
    if (!m->left.n)
        ui_say(ui, MODEL_INFO, "nothing of a dead backup is left in QEMU");
    return m->left.n > 0;
}

static struct ui_action key_leftovers(struct ui *ui, uint32_t key, const struct model *m)
{
    return dialog_says_yes(ui, key, 'c') ? ui_command(COMMAND_CLEANUP, "") : ui_act(UI_NOTHING);
}

/* "2 jobs, 5 nodes, the guest stopped": as many things to a line as there is room for. */
static void say_leftovers(struct dialog *d, const struct scene *s)
{
    g_auto(GStrv) things = g_strsplit(s->m->left.what, ", ", -1);
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

static void draw_leftovers(const struct scene *s)
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

const struct dialog_kind dialog_leftovers = {
    .verb = COMMAND_CLEANUP, .open = open_leftovers, .key = key_leftovers, .draw = draw_leftovers};

/* One up or down from where it stands, within its bounds. */
static unsigned stepped(uint32_t key, unsigned value, unsigned max)
{
    if (key == UI_KEY_UP || key == '+' || key == 'k')
        return MIN(value + 1, max);
    return (key == UI_KEY_DOWN || key == '-' || key == 'j') && value ? value - 1 : value;
}

/* What is chosen is planned at once: nothing runs yet. */
static struct ui_action take_number(struct ui *ui, uint32_t key, enum command_verb verb, unsigned value)
{
    struct ui_action action = ui_command(verb, "");
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    action.command.number = stepped(key, value, command_entry_of(verb)->max);
    return action.command.number != value ? action : ui_act(UI_NOTHING);
}

static struct ui_action key_level(struct ui *ui, uint32_t key, const struct model *m)
{
    return take_number(ui, key, COMMAND_LEVEL, m->level);
}

static void draw_level(const struct scene *s)
{
    struct dialog d = dialog_begin("compression");
    g_autofree char *level = s->m->level ? g_strdup_printf("zstd, level %u", s->m->level) : g_strdup("none");
    dialog_line(&d, DIALOG_NEEDED, ROLE_TEXT_STRONG, "%-20s Up Down", level);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "0 is none, 3 is quick, 19 is small and slow. A file's");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "name follows: FILE.vma or FILE.vma.zst.");
    dialog_end(&d, s, "Enter, Esc close");
}

const struct dialog_kind dialog_level = {.verb = COMMAND_LEVEL, .key = key_level, .draw = draw_level};

static struct ui_action key_on_error(struct ui *ui, uint32_t key, const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_STRICT, "");
    action.command.is_on = !m->is_strict;
    return key == UI_KEY_SPACE ? action : take_number(ui, key, COMMAND_RETRIES, m->retries);
}

static void draw_on_error(const struct scene *s)
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

const struct dialog_kind dialog_on_error = {.verb = COMMAND_RETRIES, .key = key_on_error, .draw = draw_on_error};
