// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking a drive out of the archive: what is lost by it, and what is not. Enter keeps it. */
#include "ui/dialog.h"

static bool open(struct ui *ui, const struct model *m)
{
    const struct model_drive *row = ui_selected(ui, m);
    if (!row || (!ui_marked(ui, m) && ui_row_refuses(ui, m, row, COMMAND_CANCEL)))
        return false;
    ui->scope = ui_marked(ui, m) ? UI_MARKED : UI_THIS;
    g_strlcpy(ui->target, row->name, sizeof ui->target);
    return true;
}

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_CANCEL, ui->target);
    action.command.is_confirmed = true;
    if (!dialog_says_yes(ui, key, 'c'))
        return ui_act(UI_NOTHING);
    return ui->scope == UI_MARKED ? ui_on_rows(ui, m, &action.command) : action;
}

static void say_loss(struct dialog *d, const struct scene *s, const struct model_drive *row)
{
    char done[FIGURE_LEN], size[FIGURE_LEN], time[FIGURE_LEN];
    const char *none = s->glyphs->none;
    if (row)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "%s of %s already copied (%s of work) is dropped.",
                    figure_size(row->done, none, done), figure_size(row->size, none, size),
                    units_format_ms(row->elapsed_ms, time));
    dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "The archive goes on WITHOUT it; a restore will lack it.");
    dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "The other drives go on. The guest is not touched.");
}

static void draw(const struct scene *s)
{
    unsigned n = ui_marked(s->ui, s->m);
    bool is_one = s->ui->scope == UI_THIS;
    const struct model_drive *row = is_one ? model_find_drive(s->m, s->ui->target) : NULL;
    g_autofree char *title =
        is_one ? g_strdup_printf("cancel %s?", s->ui->target) : g_strdup_printf("cancel %u marked drives?", n);
    struct dialog d = dialog_begin(title);
    say_loss(&d, s, row);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON_FOCUS, "[ Keep running ]  Enter, Esc");
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Cancel it    ]  c");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter, Esc keep   c cancels" : "Esc keeps  c cancels");
}

const struct dialog_kind dialog_drop = {.verb = COMMAND_CANCEL, .open = open, .key = key, .draw = draw};

/* ---- pause all ---- */

static struct ui_action key_pause_all(struct ui *ui, uint32_t key, const struct model *m)
{
    return dialog_says_yes(ui, key, 'P') ? ui_command(COMMAND_PAUSE, "all") : ui_act(UI_NOTHING);
}

static void draw_pause_all(const struct scene *s)
{
    struct dialog d = dialog_begin("pause all drives?");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "%u drives stand still until P is pressed again.",
                ui_rows_that_take(s->m, COMMAND_PAUSE));
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "What the guest overwrites meanwhile is still copied first.");
    dialog_gap(&d);
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON_FOCUS, "[ Go on     ]  Enter, Esc");
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Pause all ]  P");
    dialog_end(&d, s, s->canvas->width >= 40 ? "Enter, Esc go on   P pauses all" : "Esc go on  P pauses");
}

const struct dialog_kind dialog_pause_all = {.verb = COMMAND_PAUSE, .key = key_pause_all, .draw = draw_pause_all};
