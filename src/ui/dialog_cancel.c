// SPDX-License-Identifier: GPL-2.0-or-later
/* Cancel everything: the one question that wants the guest's name typed. */
#include "ui/dialog.h"

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_TAB || (key >= UI_KEY_UP && key <= UI_KEY_RIGHT)) {
        ui->keeps_partial = !ui->keeps_partial;
    } else if (key == UI_KEY_ENTER && g_str_equal(ui->input, m->guest)) {
        struct ui_action action = ui_command(COMMAND_CANCEL_ALL, "");
        g_strlcpy(action.command.confirmation, ui->input, sizeof action.command.confirmation);
        action.command.keep_partial = ui->keeps_partial;
        ui->dialog = UI_DIALOG_NONE;
        ui_say(ui, MODEL_WARNING, "cancelling: QEMU is being set as it was");
        return action;
    } else {
        dialog_edit(ui, key);
    }
    return ui_act(UI_NOTHING);
}

static void draw(const struct scene *s)
{
    const struct ui *ui = s->ui;
    const struct model *m = s->m;
    char done[FIGURE_LEN], time[FIGURE_LEN];
    bool matches = g_str_equal(ui->input, m->guest), is_wide = s->canvas->width >= 60;
    g_autofree char *title = g_strdup_printf(is_wide ? "cancel the WHOLE backup of %s?" : "cancel %s?", m->guest);
    struct dialog d = dialog_begin(title);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "%s copied in %s is thrown away.",
                figure_size(model_read_bytes(m), s->glyphs->none, done), units_format_ms(m->elapsed_ms, time));
    if (!*m->sink.guest) /* a store keeps nothing unfinished */
        dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG,
                    "The unfinished file:  (%s) removed  (%s) kept as .partial  Left Right",
                    ui->keeps_partial ? " " : "o", ui->keeps_partial ? "o" : " ");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "The guest keeps running; its jobs are cancelled in QEMU.");
    dialog_gap(&d);
    dialog_input(&d,
                 is_wide                  ? "Type the guest name to confirm:  "
                 : s->canvas->width >= 30 ? "its name: "
                                          : "",
                 ui->input, is_wide ? 22 : 10, "", matches || !*ui->input);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DANGER, "%s",
                matches ? (is_wide ? "Enter now cancels the whole backup." : "Enter cancels all") : "");
    if (s->canvas->width >= 40)
        dialog_end(&d, s, matches ? "Esc keeps it running   Enter cancels ALL" : "Esc keeps the backup running");
    else
        dialog_end(&d, s, matches ? "Enter cancels ALL" : "Esc keeps it");
}

const struct dialog_kind dialog_cancel = {.verb = COMMAND_CANCEL_ALL, .key = key, .draw = draw};
