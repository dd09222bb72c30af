// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/dialogs.h"

#include "ui/ui_inside.h"

#define DIALOG_DECLARED(name, kind) extern const struct dialog_kind kind;
DIALOGS(DIALOG_DECLARED)

const struct dialog_kind *dialogs_open(const struct ui *ui)
{
#define DIALOG_ROW(name, kind) [UI_DIALOG_##name] = &kind,
    static const struct dialog_kind *const kinds[] = {DIALOGS(DIALOG_ROW)};
    return kinds[ui->dialog];
}

struct ui_action ui_open(struct ui *ui, const struct model *m, int dialog)
{
    ui->dialog = (enum ui_dialog)dialog;
    ui->opened_ms = ui->now_ms;
    ui->input[0] = '\0';
    ui->keeps_partial = false;
    ui->choice = 0;
    const struct dialog_kind *kind = dialogs_open(ui);
    if (kind->open && !kind->open(ui, m))
        ui->dialog = UI_DIALOG_NONE;
    return ui_act(UI_NOTHING);
}

struct ui_action ui_key_dialog(struct ui *ui, uint32_t key, const struct model *m)
{
    const struct dialog_kind *kind = dialogs_open(ui);
    if (ui->now_ms - ui->opened_ms < UI_DIALOG_DEAF_MS && !kind->draw_line)
        return ui_act(UI_NOTHING);
    if (key != UI_KEY_ESC && key != UI_KEY_CTRL_C)
        return kind->key(ui, key, m);
    ui->dialog = UI_DIALOG_NONE;
    ui->wants_to_leave = false;
    return kind->close ? kind->close(ui) : ui_act(UI_NOTHING);
}
