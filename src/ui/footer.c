// SPDX-License-Identifier: GPL-2.0-or-later
/* The last two lines: what to know right now, and which keys do something. */
#include "ui/screen.h"

#include <string.h>

/* ---- message ---- */

static enum ui_role level_role(enum model_level level)
{
    if (level == MODEL_ERROR)
        return ROLE_TOAST;
    return level == MODEL_WARNING ? ROLE_TOAST : ROLE_MESSAGE;
}

static void say_plan(const struct scene *s, struct pen *pen)
{
    pen_text(pen, ROLE_TOAST,
             s->ui->is_readonly ? "read-only: begin is for another console" : "B begins the backup");
    if (!s->ui->is_readonly)
        pen_try(pen, ROLE_MESSAGE, "   nothing has been changed in QEMU yet");
}

static void say_connect(const struct scene *s, struct pen *pen)
{
    if (s->m->phase == MODEL_CONNECT_FAILED)
        pen_text(pen, ROLE_MESSAGE, "next try in %u s (attempt %u)",
                 (unsigned)((s->m->retry_in_ms + 999) / 1000), s->m->attempt);
    else
        pen_text(pen, ROLE_MESSAGE, "connecting");
}

/* The failed rows, and what each wants. */
static void say_rows(const struct scene *s, struct pen *pen)
{
    char limit[FIGURE_LEN];
    for (unsigned i = 0; i < s->m->n_drives; i++)
        if (s->m->drives[i].state == MODEL_FAIL)
            pen_text(pen, ROLE_TOAST, "%s failed: %s   ", s->m->drives[i].name, s->m->drives[i].note);
    for (unsigned i = 0; i < s->m->n_drives; i++) {
        const struct model_drive *row = &s->m->drives[i];
        if (row->state == MODEL_RUN && row->is_limit_binding)
            pen_try(pen, ROLE_MESSAGE, "%s limited to %s (binding)   ", row->name,
                    units_format_rate(row->limit, limit));
        else if (row->state == MODEL_PAUSE && row->is_paused_by_operator)
            pen_try(pen, ROLE_MESSAGE, "%s paused: guest writes are still kept   ", row->name);
    }
}

/* The screen above tells the outcome, unless it is too small for it. */
static void say_done(const struct scene *s, struct pen *pen)
{
    if (s->canvas->height < 4)
        pen_text(pen, ROLE_MESSAGE, "%s", s->m->outcome);
    else
        pen_text(pen, ROLE_MESSAGE, "q quits, with exit status %d", s->m->exit_status);
}

static void say_situation(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char size[FIGURE_LEN], need[FIGURE_LEN];
    if (m->phase <= MODEL_CONNECT_FAILED)
        say_connect(s, pen);
    else if (m->phase == MODEL_PLAN)
        say_plan(s, pen);
    else if (m->phase == MODEL_DONE)
        say_done(s, pen);
    else if (m->is_monitor_lost)
        pen_text(pen, ROLE_TOAST, "no answer from QEMU; the figures are the last known");
    else if (m->is_target_full)
        pen_text(pen, ROLE_TOAST, "target full: free %s there; it goes on by itself  (now %s)",
                 figure_size(m->need_bytes, "space", need), figure_size(m->free_bytes, "?", size));
    else
        say_rows(s, pen);
}

void footer_message(const struct scene *s, int y)
{
    const struct ui *ui = s->ui;
    int x = s->canvas->width >= 30 ? 1 : 0;
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - x);
    if (*ui->message && ui->message_until_ms > ui->now_ms)
        pen_text(&pen, level_role(ui->message_level), "%s", ui->message);
    else
        say_situation(s, &pen);
}

/* ---- keys ---- */

static bool is_in_bar(const struct scene *s, const struct command_entry *entry)
{
    return entry->label && (entry->phases & COMMAND_IN(s->m->phase)) &&
           !(entry->changes && s->ui->is_readonly) && entry->verb != COMMAND_QUIT;
}

/* "s Limit  ", "?Help  ", or the bare key. */
static char *item_label(const struct command_entry *entry, const char *key)
{
    return g_strdup_printf("%s%s", strcmp(key, "?") == 0 ? "" : " ", entry->label);
}

/* Columns the bare keys from this entry on take. */
static int bare_width(const struct scene *s, unsigned from)
{
    char key[KEY_NAME_LEN];
    int width = 0;
    for (unsigned i = from; i < command_table_len; i++)
        if (is_in_bar(s, &command_table[i]))
            width += canvas_text_width(keymap_first(&command_table[i], key)) + 2;
    return width;
}

/* Each gets its label as long as every key after it still has its place. */
void footer_keys(const struct scene *s, int y)
{
    int x = s->canvas->width >= 30 ? 1 : 0;
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - 2 * x);
    char key[KEY_NAME_LEN];
    if (bare_width(s, 0) + 30 < pen_room(&pen))
        pen_right(&pen, ROLE_KEY_LABEL, " %s", command_entry_of(COMMAND_QUIT)->label);
    pen_right(&pen, ROLE_KEY, " q");
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        if (!is_in_bar(s, entry))
            continue;
        g_autofree char *label = item_label(entry, keymap_first(entry, key));
        pen_text(&pen, ROLE_KEY, "%s", key);
        if (pen_room(&pen) >= canvas_text_width(label) + 2 + bare_width(s, i + 1))
            pen_text(&pen, ROLE_KEY_LABEL, "%s", label);
        pen_gap(&pen, pen_room(&pen) >= bare_width(s, i + 1) + 2 ? 2 : 1);
    }
}

int footer(const struct scene *s)
{
    int height = s->canvas->height;
    if (height >= 4)
        footer_keys(s, --height);
    if (height >= 2)
        footer_message(s, --height);
    return height;
}
