// SPDX-License-Identifier: GPL-2.0-or-later
/* What the log is filtered by, in the message line: the log follows while one types. */
#include "ui/dialog.h"

static bool open(struct ui *ui, const struct model *m)
{
    g_strlcpy(ui->input, ui->filter, sizeof ui->input);
    return true;
}

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    else
        dialog_edit(ui, key);
    g_strlcpy(ui->filter, ui->input, sizeof ui->filter);
    ui->back = 0;
    return ui_act(UI_NOTHING);
}

static void draw(const struct scene *s, struct pen *pen)
{
    pen_text(pen, ROLE_TOAST, "/%s", s->ui->input);
    s->canvas->cursor_x = MIN(pen->x, s->canvas->width - 1);
    s->canvas->cursor_y = pen->y;
    pen_gap(pen, 3);
    pen_try(pen, ROLE_MESSAGE, "Enter keeps the filter, Esc shows all");
}

static struct ui_action show_all(struct ui *ui)
{
    ui->filter[0] = '\0';
    return ui_act(UI_NOTHING);
}

const struct dialog_kind dialog_filter = {
    .verb = COMMAND_FILTER, .open = open, .key = key, .draw_line = draw, .close = show_all};
