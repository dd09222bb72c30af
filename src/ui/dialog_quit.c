// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaving while a backup runs: it can go on by itself, as it does when the terminal is lost. */
#include "ui/dialog.h"

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == 'C' && !ui->is_readonly) {
        ui_open(ui, m, UI_DIALOG_CANCEL);
        ui->wants_to_leave = true;
    } else if (key == UI_KEY_ENTER) {
        ui->dialog = UI_DIALOG_NONE;
    } else if (key == 'd' && ui->may_detach) {
        ui->dialog = UI_DIALOG_NONE;
        return ui_act(UI_DETACH);
    }
    return ui_act(UI_NOTHING);
}

static const char *keys_text(const struct scene *s)
{
    bool is_wide = s->canvas->width >= 40, may_cancel = !s->ui->is_readonly;
    if (s->ui->may_detach && may_cancel)
        return is_wide ? "Esc, Enter stay   d detach   C cancel" : "Esc stay  d  C";
    if (s->ui->may_detach)
        return "Esc, Enter stay   d detach";
    return !may_cancel ? "Esc, Enter stay" : is_wide ? "Esc, Enter stay   C cancel" : "Esc stay  C cancel";
}

static void draw(const struct scene *s)
{
    struct dialog d = dialog_begin("leave while a backup is running?");
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON_FOCUS, "[ Stay   ]  Esc, Enter");
    if (s->ui->may_detach)
        dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Detach ]  d  it goes on; come back by --attach");
    if (!s->ui->is_readonly)
        dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Cancel ]  C  cancel it, then quit (asks)");
    dialog_gap(&d);
    if (s->ui->may_detach)
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "Detached, limits and pauses stay as they are.");
    else
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "The backup runs in this program: leaving ends it.");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "A lost terminal does not end the backup.");
    dialog_end(&d, s, keys_text(s));
}

const struct dialog_kind dialog_quit = {.verb = COMMAND_CANCEL_ALL, .key = key, .draw = draw};
