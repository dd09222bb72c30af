// SPDX-License-Identifier: GPL-2.0-or-later
/* Cancel everything: the one question that wants the guest's name typed. */
#include "ui/dialog.h"

void dialog_cancel(const struct scene *s)
{
    const struct ui *ui = s->ui;
    const struct model *m = s->m;
    char done[FIGURE_LEN], time[FIGURE_LEN];
    bool matches = g_str_equal(ui->input, m->guest), is_wide = s->canvas->width >= 60;
    g_autofree char *title = g_strdup_printf(is_wide ? "cancel the WHOLE backup of %s?" : "cancel %s?", m->guest);
    struct dialog d = dialog_begin(title);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "%s copied in %s is thrown away.",
                figure_size(m->done, s->glyphs->none, done), units_format_ms(m->elapsed_ms, time));
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "The unfinished file:  (%s) removed  (%s) kept as .partial  Left Right",
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
