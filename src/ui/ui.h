// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The screen without a terminal: keys go in, commands for the engine come out, and what is to be seen is
 * drawn from a model into a canvas. No clock, no loop, no engine.
 *
 *     struct ui ui; ui_init(&ui, glyphs);
 *     struct ui_action action = ui_key(&ui, key, model, now_ms);
 *     do {
 *         if (action.does == UI_COMMAND) backup_command(run, &action.command, &error) …
 *     } while (ui_more(&ui, model, &action));      // a verb on several marked drives is several commands
 *     ui_tick(&ui, model, now_ms);
 *     ui_draw(&ui, model, wall_clock_s, canvas);
 *
 * now_ms is monotonic. Dialogs open on the harmless answer and ignore keys younger than UI_DIALOG_DEAF_MS, so
 * that what was typed ahead decides nothing.
 */
#include "model/command.h"
#include "model/event.h"
#include "model/model.h"
#include "ui/canvas.h"
#include "ui/dialogs.h"
#include "ui/glyphs.h"
#include "ui/history.h"
#include "ui/keymap.h"
#include "ui/theme.h"

#define UI_DIALOG_DEAF_MS 300
#define UI_MESSAGE_MS     10000
#define UI_ASKED_MS       10000
#define UI_UNDO_MS        10000
#define UI_ESCAPE_MS      1000 /* Esc and a digit is a function key */
#define UI_NUDGE_MS       2000 /* + and - go on from what they asked for last */
#define UI_HELD_MS        3000 /* a pause by the target shows this long: it comes and goes many times a second */
#define UI_MAX_ROWS       HISTORY_MAX_ROWS
#define UI_INPUT_LEN      MODEL_TEXT_LEN

enum ui_view { UI_VIEW_MAIN, UI_VIEW_DETAIL, UI_VIEW_LOG, UI_VIEW_HELP };
enum ui_graph { UI_GRAPH_AUTO, UI_GRAPH_SHOWN, UI_GRAPH_HIDDEN };
/* What a limit applies to. */
enum ui_scope { UI_THIS, UI_MARKED, UI_ALL };

/* One command for several rows: handed out by ui_more(). */
struct ui_batch {
    bool is_on, is_undo;
    struct command command;
    unsigned next; /* row */
};

/* What z takes back. */
struct ui_undo {
    int64_t until_ms;
    bool is_for_all;
    uint64_t all; /* the whole backup's limit before */
    bool has[UI_MAX_ROWS];
    uint64_t limits[UI_MAX_ROWS];
};

struct ui {
    const struct glyphs *glyphs;
    const GArray *themes; /* struct theme_entry: what the picker shows, NULL = nothing */
    unsigned theme;       /* the one of them that is shown now; their number when it is none of them */
    bool is_readonly;
    bool may_detach; /* the run can go on without a screen, and be found again */
    bool is_visitor; /* the run lives elsewhere: leaving costs it nothing */
    enum ui_view view;
    enum ui_graph graph;
    unsigned selected;           /* row of the table */
    unsigned nearby;             /* of the monitors that answer */
    unsigned back;               /* lines the log, or the help, is scrolled by */
    char filter[MODEL_NAME_LEN]; /* of the log, "" = none */
    bool marked[UI_MAX_ROWS];
    /* the dialog */
    enum ui_dialog dialog;
    int64_t opened_ms;
    char input[UI_INPUT_LEN];
    char target[MODEL_NAME_LEN]; /* of the limit, of what is cancelled */
    enum ui_scope scope;
    unsigned choice;       /* in a list */
    unsigned theme_before; /* what Esc puts back */
    bool keeps_partial;
    bool wants_to_leave; /* as soon as the cancelled run is undone */
    struct ui_batch batch;
    struct ui_undo undo;
    /* + and -: what was asked for last, and for which row */
    uint64_t nudged;
    unsigned nudged_row;
    int64_t nudged_until_ms;
    /* the message line */
    char message[MODEL_TEXT_LEN];
    enum model_level message_level;
    int64_t message_until_ms, now_ms, escape_until_ms;
    int64_t held_until_ms[UI_MAX_ROWS];
    uint64_t limits[UI_MAX_ROWS]; /* as last seen, to tell when QEMU has confirmed a new one */
    unsigned n_limits;
    int64_t asked_until_ms; /* a limit was asked for here: its confirmation is told */
    struct history history;
};

enum ui_does {
    UI_NOTHING,
    UI_COMMAND,
    UI_LEAVE,
    UI_DETACH,
    UI_REDRAW,
    UI_MOUSE,
    UI_SHOW_THEME,
    UI_LOAD_THEMES, /* the picker is open, and its files may have changed */
    UI_REPORT,      /* write ui_report() to a file */
    UI_NEW,         /* another run, from its plan on; ui_begin_anew() then */
};
struct ui_action {
    enum ui_does does;
    struct command command; /* of UI_COMMAND */
    unsigned theme;         /* of UI_SHOW_THEME: which of ui.themes */
};

void ui_init(struct ui *ui, const struct glyphs *glyphs);
struct ui_action ui_key(struct ui *ui, uint32_t key, const struct model *m, int64_t now_ms);
/* What else the last key asked for; false when that was all. */
bool ui_more(struct ui *ui, const struct model *m, struct ui_action *action);
/* Lets messages and marks grow old, tells of limits that have changed, takes the history. Call before each ui_draw().
 */
void ui_tick(struct ui *ui, const struct model *m, int64_t now_ms);
/* Shows what an event is about in the message line, where that is not seen elsewhere. */
void ui_event(struct ui *ui, const struct model *m, const struct model_event *e);
void ui_say(struct ui *ui, enum model_level level, const char *format, ...) G_GNUC_PRINTF(3, 4);
void ui_draw(const struct ui *ui, const struct model *m, int64_t wall_s, struct canvas *c);
/* Of another run from now on; how things are shown stays as it is. */
void ui_begin_anew(struct ui *ui);
/* The summary and the whole log as text, for a file; g_free() it. */
char *ui_report(const struct ui *ui, const struct model *m, int64_t wall_s);
/* True while something on the screen changes by itself. */
bool ui_is_moving(const struct model *m);
