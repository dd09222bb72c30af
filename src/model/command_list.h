// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an operator can do, a row each: in the order of the key bar (what is worth most first) and, within a group, of
 * the help screen. A new command is a row here, and the functions that it names.
 *
 *     #define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
 *     #define RUN(f)                                 .run = f,
 *     static const struct { … } handlers[COMMAND_VERBS] = {
 *     #include "model/command_list.h"
 *     };
 *
 * Who includes it defines COMMAND and the marks that he wants; he does not see the others. The words for phases stand
 * in command.c.
 *
 *     CHANGES                    refused by --readonly, and while a failed run is undone
 *     KEYS(keys, label, group)   how it is pressed; in the key bar (NULL = not there); heading on the help screen
 *     TYPED(form, arguments)     how it is written, as a line and as JSON: enum command_form
 *     UP_TO(n)                   the most that its number may be
 *     SCREEN(f, n)               ui_keys.c: what its key does
 *     OFFER(f)                   footer.c: when the key bar has it (without: always)
 *     ROW(f)                     ui_rows.c: why a row of the table does not take it
 *     PLAN(f)                    replan.c: how it changes the options, in MODEL_PLAN
 *     RUN(f)                     commands.c: what else the engine does
 *     ANSWER(f)                  command_line.c: what a front end says by itself
 */
/* clang-format off */
#ifndef CHANGES
#define CHANGES
#endif
#ifndef KEYS
#define KEYS(keys, label, group)
#endif
#ifndef TYPED
#define TYPED(form, arguments)
#endif
#ifndef UP_TO
#define UP_TO(n)
#endif
#ifndef SCREEN
#define SCREEN(f, n)
#endif
#ifndef OFFER
#define OFFER(f)
#endif
#ifndef ROW
#define ROW(f)
#endif
#ifndef PLAN
#define PLAN(f)
#endif
#ifndef RUN
#define RUN(f)
#endif
#ifndef ANSWER
#define ANSWER(f)
#endif

COMMAND(UP, "up", "one row up", ANYWHERE, KEYS("Up k", NULL, "MOVE") SCREEN(move, -1))
COMMAND(DOWN, "down", "one row down", ANYWHERE, KEYS("Down j", NULL, "MOVE") SCREEN(move, 1))
COMMAND(PAGE_UP, "page-up", "one page up", ANYWHERE, KEYS("PgUp", NULL, "MOVE") SCREEN(move, -PAGE_ROWS))
COMMAND(PAGE_DOWN, "page-down", "one page down", ANYWHERE, KEYS("PgDn", NULL, "MOVE") SCREEN(move, PAGE_ROWS))
COMMAND(FIRST, "first", "first row", ANYWHERE, KEYS("Home g", NULL, "MOVE") SCREEN(move, -G_MAXINT16))
COMMAND(LAST, "last", "last row", ANYWHERE, KEYS("End G", NULL, "MOVE") SCREEN(move, G_MAXINT16))
COMMAND(BACK, "back", "back, close", ANYWHERE, KEYS("Esc Left Backspace", NULL, "MOVE") SCREEN(back, 0))

COMMAND(HELP, "help", "this page", ANYWHERE,
        KEYS("? F1 H", "Help", "SCREEN") TYPED(BARE, NULL) SCREEN(show, UI_VIEW_HELP) ANSWER(list_commands))
COMMAND(CLEANUP, "cleanup", "undo what a dead backup left", PLANNING,
        CHANGES KEYS("c", "Clean up", "PLAN") TYPED(BARE, NULL)
        SCREEN(ui_open, UI_DIALOG_LEFTOVERS) OFFER(has_leftovers) RUN(clean_up))
COMMAND(BEGIN, "begin", "begin the backup", PLANNING,
        CHANGES KEYS("B", "Begin", "WHOLE BACKUP") TYPED(BARE, NULL)
        SCREEN(give, COMMAND_BEGIN) OFFER(has_no_leftovers) RUN(begin))
COMMAND(USE, "use", "use the monitor that answers", UNREACHED,
        KEYS("Enter", "Use", "PLAN") SCREEN(use_nearby, 0) OFFER(has_nearby))
COMMAND(RECONNECT, "reconnect", "connect again at once", UNREACHED,
        KEYS("r", "Try now", "PLAN") TYPED(BARE, NULL) SCREEN(give, COMMAND_RECONNECT) RUN(reconnect))
COMMAND(CONNECT, "connect", "try another monitor", UNREACHED, TYPED(PATH, "MONITOR") RUN(change_monitor))
COMMAND(ASK_MONITOR, "ask-monitor", "name another monitor", UNREACHED,
        KEYS("o", "Other path", "PLAN") SCREEN(ui_open, UI_DIALOG_MONITOR))
COMMAND(TOGGLE_DRIVE, "toggle-drive", "include the drive, or not", PLANNING,
        CHANGES KEYS("Space", "Include", "PLAN") SCREEN(toggle_drive, 0))
COMMAND(INCLUDE, "include", "save this drive too", PLANNING, CHANGES TYPED(DRIVE, "DRIVE") PLAN(change_drive))
COMMAND(EXCLUDE, "exclude", "leave this drive out", PLANNING, CHANGES TYPED(DRIVE, "DRIVE") PLAN(change_drive))
COMMAND(DETAIL, "detail", "details; what went wrong", ROWS,
        KEYS("Enter", "Detail", "DRIVES") SCREEN(show, UI_VIEW_DETAIL))
COMMAND(LIMIT, "limit", "set its speed limit", LIMITABLE,
        CHANGES KEYS("s", "Limit", "DRIVES") TYPED(DRIVE_RATE, "DRIVE|all RATE")
        SCREEN(ask_limit, UI_THIS) OFFER(has_row) ROW(why_no_limit) PLAN(change_limit) RUN(limit_command))
COMMAND(LIMIT_ALL, "limit-all", "limit of the whole run", LIMITABLE,
        CHANGES KEYS("S", "All", "WHOLE BACKUP") SCREEN(ask_limit, UI_ALL))
COMMAND(ASK_OUTPUT, "ask-output", "where the archive goes", PLANNING,
        CHANGES KEYS("o", "Output", "PLAN") SCREEN(ui_open, UI_DIALOG_OUTPUT))
COMMAND(OUTPUT, "output", "where the archive goes", PLANNING, CHANGES TYPED(PATH, "TARGET") PLAN(change_output))
COMMAND(ASK_LEVEL, "ask-level", "compression", PLANNING,
        CHANGES KEYS("z", "Compress", "PLAN") SCREEN(ui_open, UI_DIALOG_LEVEL))
COMMAND(LEVEL, "level", "compression: 0 (none) to 19", PLANNING,
        CHANGES TYPED(NUMBER, "N") UP_TO(COMMAND_MAX_LEVEL) PLAN(change_level))
COMMAND(TOGGLE_VMSTATE, "toggle-vmstate", "save the RAM, or not", PLANNING,
        CHANGES KEYS("v", "RAM", "PLAN") SCREEN(toggle_vmstate, 0))
COMMAND(VMSTATE, "vmstate", "save the RAM, or not", PLANNING, CHANGES TYPED(SWITCH, "yes|no") PLAN(change_vmstate))
COMMAND(ASK_ON_ERROR, "ask-on-error", "what happens on an error", PLANNING,
        CHANGES KEYS("x", "On error", "PLAN") SCREEN(ui_open, UI_DIALOG_ON_ERROR))
COMMAND(RETRIES, "retries", "how often a failed drive is tried again by itself", PLANNING,
        CHANGES TYPED(NUMBER, "N") UP_TO(COMMAND_MAX_RETRIES) PLAN(change_retries))
COMMAND(STRICT, "strict", "fail the backup when a drive is lost", PLANNING,
        CHANGES TYPED(SWITCH, "yes|no") PLAN(change_strict))
COMMAND(UNLIMIT, "unlimit", "lift its limit", LIMITABLE, CHANGES KEYS("u", NULL, "DRIVES") SCREEN(ui_lift_limit, 0))
COMMAND(FASTER, "faster", "its limit 10% up", LIMITABLE, CHANGES KEYS("+ =", NULL, "DRIVES") SCREEN(ui_nudge, 10))
COMMAND(SLOWER, "slower", "its limit 10% down", LIMITABLE, CHANGES KEYS("-", NULL, "DRIVES") SCREEN(ui_nudge, -10))
COMMAND(UNDO, "undo", "undo a limit (10 s)", COPYING, CHANGES KEYS("z", NULL, "DRIVES") SCREEN(ui_take_back, 0))
COMMAND(TOGGLE_PAUSE, "toggle-pause", "pause, or resume", PAUSABLE,
        CHANGES KEYS("p", "Pause", "DRIVES") SCREEN(ui_toggle_pause, 0) OFFER(has_row_to_pause))
COMMAND(TOGGLE_ENGINE, "toggle-engine", "engine: push, or pull", PLANNING,
        CHANGES KEYS("p", "Engine", "PLAN") SCREEN(toggle_engine, 0) OFFER(may_pull))
COMMAND(ENGINE, "engine", "push: QEMU's jobs write; pull: read by us", PLANNING,
        CHANGES TYPED(ENGINE, "push|pull") PLAN(change_engine))
COMMAND(TOGGLE_PAUSE_ALL, "toggle-pause-all", "pause, or resume, all", PAUSABLE,
        CHANGES KEYS("P", NULL, "WHOLE BACKUP") SCREEN(toggle_pause_all, 0))
COMMAND(PAUSE, "pause", "pause copying (guest writes are still kept)", PAUSABLE,
        CHANGES TYPED(DRIVE, "DRIVE|all") ROW(why_no_pause) RUN(pause_drives))
COMMAND(RESUME, "resume", "go on copying", PAUSABLE,
        CHANGES TYPED(DRIVE, "DRIVE|all") ROW(why_no_resume) RUN(pause_drives))
COMMAND(CANCEL, "cancel", "take it out (asks)", MOVING,
        CHANGES KEYS("c", "Cancel", "DRIVES") TYPED(DRIVE_YES, "DRIVE yes")
        SCREEN(ui_open, UI_DIALOG_DROP) OFFER(has_row) ROW(why_no_cancel) RUN(cancel_one))
COMMAND(RETRY, "retry", "retry a failed one", PAUSABLE,
        CHANGES KEYS("r", "Retry", "DRIVES") TYPED(DRIVE, "DRIVE|all")
        SCREEN(ui_retry, 0) OFFER(has_row) ROW(why_no_retry) RUN(retry))
COMMAND(RETRY_ALL, "retry-all", "retry all that failed", PAUSABLE,
        CHANGES KEYS("R", NULL, "WHOLE BACKUP") SCREEN(retry_all, 0))
COMMAND(STATUS, "status", "say how it stands", ANYWHERE, TYPED(BARE, NULL) ANSWER(status_of))
COMMAND(DETACH, "detach", "leave it to itself: the run goes on", ANYWHERE, TYPED(BARE, NULL) ANSWER(say_goes_on))
COMMAND(VERIFY, "verify", "read the archive back, check it", ENDED,
        KEYS("V", "Verify", "AFTERWARDS") SCREEN(read_back, COMMAND_VERIFY) OFFER(has_archive) RUN(finish_read))
COMMAND(REPORT, "report", "write a report file", ENDED, KEYS("w", "Report", "AFTERWARDS") SCREEN(act, UI_REPORT))
COMMAND(NEW, "new", "another backup: its plan", ENDED,
        CHANGES KEYS("n", "New backup", "AFTERWARDS") SCREEN(begin_anew, 0) OFFER(is_own_run))
COMMAND(CHECKSUM, "checksum", "checksum of the archive", ENDED,
        KEYS("h", "SHA-256", "AFTERWARDS") SCREEN(read_back, COMMAND_CHECKSUM) OFFER(has_archive) RUN(finish_read))
COMMAND(LOG, "log", "log on the whole screen", ANYWHERE, KEYS("l", "Log", "SCREEN") SCREEN(show, UI_VIEW_LOG))
COMMAND(MARK, "mark", "mark it, for s p c r", RUNNING, KEYS("Space", "Mark", "DRIVES") SCREEN(ui_mark, 0))
COMMAND(MARK_ALL, "mark-all", "mark all, or none", RUNNING, KEYS("a", NULL, "DRIVES") SCREEN(ui_mark_all, 0))
COMMAND(CANCEL_ALL, "cancel-all", "cancel all (asks twice)", RUNNING,
        CHANGES KEYS("C", "Cancel all", "WHOLE BACKUP") TYPED(GUEST, "GUEST [keep-partial]")
        SCREEN(ui_open, UI_DIALOG_CANCEL) RUN(cancel_all))
COMMAND(FILTER, "filter", "filter the log", ANYWHERE, KEYS("/ f", NULL, "SCREEN") SCREEN(filter, 0))
COMMAND(NEXT_ERROR, "next-error", "next error in the log", ANYWHERE, KEYS("e", NULL, "SCREEN") SCREEN(jump, true))
COMMAND(PREVIOUS_ERROR, "previous-error", "error before that", ANYWHERE, KEYS("E", NULL, "SCREEN") SCREEN(jump, false))
COMMAND(VIEW, "view", "graph, or more log", RUNNING, KEYS("v", "Graph", "SCREEN") SCREEN(turn_graph, 0))
COMMAND(THEME, "theme", "theme", ANYWHERE, KEYS("t", "Theme", "SCREEN") SCREEN(pick_theme, 0))
COMMAND(MOUSE, "mouse", "mouse on, or off", ANYWHERE, KEYS("m", NULL, "SCREEN") SCREEN(act, UI_MOUSE))
COMMAND(REDRAW, "redraw", "draw again", ANYWHERE, KEYS("Ctrl-L", NULL, "SCREEN") SCREEN(act, UI_REDRAW))
COMMAND(QUIT, "quit", "leave; asks in a run", ANYWHERE, KEYS("q Ctrl-C", "Quit", "SCREEN") SCREEN(quit, 0))

#undef COMMAND
#undef CHANGES
#undef KEYS
#undef TYPED
#undef UP_TO
#undef SCREEN
#undef OFFER
#undef ROW
#undef PLAN
#undef RUN
#undef ANSWER
