// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the files of ui.h share: ui.c (what is said), ui_frame.c (frames), ui_keys.c (what keys do), dialogs.c (in a
 * dialog), ui_rows.c (to rows). */
#include "base/units.h"
#include "ui/ui.h"

static inline struct ui_action ui_act(enum ui_does does)
{
    return (struct ui_action){.does = does};
}
struct ui_action ui_command(enum command_verb verb, const char *target);
/* The selected row, NULL when there is none. */
const struct model_drive *ui_selected(const struct ui *ui, const struct model *m);

/* ---- ui_rows.c ---- */
/* Something is still to be had of it. */
bool ui_row_is_open(const struct model_drive *row);
/* The verb (one with a ROW in model/command_list.h) does something for the row now. */
bool ui_row_takes(const struct model *m, const struct model_drive *row, enum command_verb verb);
/* How many do. */
unsigned ui_rows_that_take(const struct model *m, enum command_verb verb);
/* If not, the message line says why; true: it is refused. */
bool ui_row_refuses(struct ui *ui, const struct model *m, const struct model_drive *row, enum command_verb verb);
unsigned ui_marked(const struct ui *ui, const struct model *m);
/* The command, for every marked row that takes it; without marks for the selected one. */
struct ui_action ui_on_rows(struct ui *ui, const struct model *m, const struct command *c);
/* Whatever limit is asked for goes through here, so that it can be taken back. */
struct ui_action ui_limit(struct ui *ui, const struct model *m, const struct command *c, enum ui_scope scope);
/* What keys do (SCREEN in model/command_list.h). */
struct ui_action ui_toggle_pause(struct ui *ui, const struct model *m, int n);
struct ui_action ui_retry(struct ui *ui, const struct model *m, int n);
struct ui_action ui_nudge(struct ui *ui, const struct model *m, int percent);
struct ui_action ui_lift_limit(struct ui *ui, const struct model *m, int n);
struct ui_action ui_take_back(struct ui *ui, const struct model *m, int n);
struct ui_action ui_mark(struct ui *ui, const struct model *m, int n);
struct ui_action ui_mark_all(struct ui *ui, const struct model *m, int n);

/* ---- dialogs.c ---- */
struct ui_action ui_open(struct ui *ui, const struct model *m, int dialog);
struct ui_action ui_key_dialog(struct ui *ui, uint32_t key, const struct model *m);
