// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaving while a backup runs: the run lives in this program. */
#include "ui/dialog.h"

void dialog_quit(const struct scene *s)
{
    struct dialog d = dialog_begin("leave while a backup is running?");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "The backup runs in this program: leaving ends it.");
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "A lost terminal does not: then it goes on by itself.");
    dialog_gap(&d);
    dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON_FOCUS, "[ Stay ]    Esc");
    if (!s->ui->is_readonly)
        dialog_line(&d, DIALOG_NEEDED, ROLE_BUTTON, "[ Cancel ]  C   cancel, then quit (asks)");
    if (s->ui->is_readonly)
        dialog_end(&d, s, "Esc, Enter stay");
    else
        dialog_end(&d, s,
                   s->canvas->width >= 40 ? "Esc, Enter stay   C cancel the backup" : "Esc stay  C cancel");
}
