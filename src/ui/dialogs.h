// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The table of dialogs. A new one is a row here and a file that defines what the row names:
 *
 *     const struct dialog_kind dialog_quit = {.verb = COMMAND_CANCEL_ALL, .key = key, .draw = draw};
 *
 * Each opens on the answer that changes nothing, and Esc always gives that answer.
 */
#include "model/command.h"

#define DIALOGS(ROW)                                                                                                   \
    ROW(LIMIT, dialog_limit)                                                                                           \
    ROW(DROP, dialog_drop)     /* cancel one drive, or those that are marked */                                        \
    ROW(CANCEL, dialog_cancel) /* cancel all */                                                                        \
    ROW(PAUSE_ALL, dialog_pause_all)                                                                                   \
    ROW(QUIT, dialog_quit)                                                                                             \
    ROW(OUTPUT, dialog_output)                                                                                         \
    ROW(LEVEL, dialog_level)                                                                                           \
    ROW(ON_ERROR, dialog_on_error)                                                                                     \
    ROW(MONITOR, dialog_monitor)                                                                                       \
    ROW(THEME, dialog_theme)                                                                                           \
    ROW(LEFTOVERS, dialog_leftovers)                                                                                   \
    ROW(FILTER, dialog_filter)

#define DIALOG_NAME(name, kind) UI_DIALOG_##name,
enum ui_dialog { UI_DIALOG_NONE, DIALOGS(DIALOG_NAME) };

struct pen;
struct scene;
struct ui;
struct ui_action;

struct dialog_kind {
    enum command_verb verb; /* what it is about: when that is over, the question is none any more */
    /* NULL: it only asks. False: there is nothing to ask, which it has said. */
    bool (*open)(struct ui *ui, const struct model *m);
    /* Any key but Esc and Ctrl-C. */
    struct ui_action (*key)(struct ui *ui, uint32_t key, const struct model *m);
    void (*draw)(const struct scene *s);
    /* NULL: it is a box. Else it stands in the message line, and hears keys at once. */
    void (*draw_line)(const struct scene *s, struct pen *pen);
    /* By Esc; NULL: that does nothing. */
    struct ui_action (*close)(struct ui *ui);
};
/* The one that is open, NULL = none. */
const struct dialog_kind *dialogs_open(const struct ui *ui);
