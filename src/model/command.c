// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/command.h"

#define ANYWHERE  ((1u << MODEL_PHASES) - 1)
#define COPYING   (COMMAND_IN(MODEL_PREPARE) | COMMAND_IN(MODEL_RAM) | COMMAND_IN(MODEL_FREEZE) | COMMAND_IN(MODEL_COPY))
#define RUNNING   (COPYING | COMMAND_IN(MODEL_FINISH) | COMMAND_IN(MODEL_VERIFY))
#define PLANNING  COMMAND_IN(MODEL_PLAN)
#define UNREACHED COMMAND_IN(MODEL_CONNECT_FAILED)
#define ENDED     COMMAND_IN(MODEL_DONE)
#define LIMITABLE (PLANNING | COPYING)
#define ROWS      (PLANNING | RUNNING | COMMAND_IN(MODEL_DONE)) /* there is a table to stand in */

/* In the order of the key bar (what is worth most first) and, within a group, of the help screen. */
const struct command_entry command_table[] = {
    {COMMAND_UP, NULL, NULL, "Up k", NULL, "one row up", ANYWHERE, false, "MOVE"},
    {COMMAND_DOWN, NULL, NULL, "Down j", NULL, "one row down", ANYWHERE, false, "MOVE"},
    {COMMAND_PAGE_UP, NULL, NULL, "PgUp", NULL, "one page up", ANYWHERE, false, "MOVE"},
    {COMMAND_PAGE_DOWN, NULL, NULL, "PgDn", NULL, "one page down", ANYWHERE, false, "MOVE"},
    {COMMAND_FIRST, NULL, NULL, "Home g", NULL, "first row", ANYWHERE, false, "MOVE"},
    {COMMAND_LAST, NULL, NULL, "End G", NULL, "last row", ANYWHERE, false, "MOVE"},
    {COMMAND_BACK, NULL, NULL, "Esc Left Backspace", NULL, "back, close", ANYWHERE, false, "MOVE"},

    {COMMAND_HELP, "help", NULL, "? F1 H", "Help", "this page", ANYWHERE, false, "SCREEN"},
    {COMMAND_CLEANUP, "cleanup", NULL, "c", "Clean up", "undo what a dead backup left", PLANNING, true, "PLAN"},
    {COMMAND_BEGIN, "begin", NULL, "B", "Begin", "begin the backup", COMMAND_IN(MODEL_PLAN), true, "WHOLE BACKUP"},
    {COMMAND_USE, NULL, NULL, "Enter", "Use", "use the monitor that answers", UNREACHED, false, "PLAN"},
    {COMMAND_RECONNECT, "reconnect", NULL, "r", "Try now", "connect again at once", UNREACHED, false, "PLAN"},
    {COMMAND_CONNECT, "connect", "MONITOR", NULL, NULL, "try another monitor", UNREACHED, false, NULL},
    {COMMAND_ASK_MONITOR, NULL, NULL, "o", "Other path", "name another monitor", UNREACHED, false, "PLAN"},
    {COMMAND_TOGGLE_DRIVE, NULL, NULL, "Space", "Include", "include the drive, or not", PLANNING, true, "PLAN"},
    {COMMAND_INCLUDE, "include", "DRIVE", NULL, NULL, "save this drive too", PLANNING, true, NULL},
    {COMMAND_EXCLUDE, "exclude", "DRIVE", NULL, NULL, "leave this drive out", PLANNING, true, NULL},
    {COMMAND_DETAIL, NULL, NULL, "Enter", "Detail", "details; what went wrong", ROWS, false, "DRIVES"},
    {COMMAND_LIMIT, "limit", "DRIVE|all RATE", "s", "Limit", "set its speed limit", LIMITABLE, true, "DRIVES"},
    {COMMAND_LIMIT_ALL, NULL, NULL, "S", "All", "limit of the whole run", LIMITABLE, true, "WHOLE BACKUP"},
    {COMMAND_ASK_OUTPUT, NULL, NULL, "o", "Output", "where the archive goes", PLANNING, true, "PLAN"},
    {COMMAND_OUTPUT, "output", "TARGET", NULL, NULL, "where the archive goes", PLANNING, true, NULL},
    {COMMAND_ASK_LEVEL, NULL, NULL, "z", "Compress", "compression", PLANNING, true, "PLAN"},
    {COMMAND_LEVEL, "level", "N", NULL, NULL, "compression: 0 (none) to 19", PLANNING, true, NULL},
    {COMMAND_TOGGLE_VMSTATE, NULL, NULL, "v", "RAM", "save the RAM, or not", PLANNING, true, "PLAN"},
    {COMMAND_VMSTATE, "vmstate", "yes|no", NULL, NULL, "save the RAM, or not", PLANNING, true, NULL},
    {COMMAND_ASK_ON_ERROR, NULL, NULL, "x", "On error", "what happens on an error", PLANNING, true, "PLAN"},
    {COMMAND_RETRIES, "retries", "N", NULL, NULL, "how often a failed drive is tried again by itself", PLANNING, true,
     NULL},
    {COMMAND_STRICT, "strict", "yes|no", NULL, NULL, "fail the backup when a drive is lost", PLANNING, true, NULL},
    {COMMAND_UNLIMIT, NULL, NULL, "u", NULL, "lift its limit", LIMITABLE, true, "DRIVES"},
    {COMMAND_FASTER, NULL, NULL, "+ =", NULL, "its limit 10% up", LIMITABLE, true, "DRIVES"},
    {COMMAND_SLOWER, NULL, NULL, "-", NULL, "its limit 10% down", LIMITABLE, true, "DRIVES"},
    {COMMAND_UNDO, NULL, NULL, "z", NULL, "undo a limit (10 s)", COPYING, true, "DRIVES"},
    {COMMAND_TOGGLE_PAUSE, NULL, NULL, "p", "Pause", "pause, or resume", COMMAND_IN(MODEL_COPY), true, "DRIVES"},
    {COMMAND_TOGGLE_PAUSE_ALL, NULL, NULL, "P", NULL, "pause, or resume, all", COMMAND_IN(MODEL_COPY), true,
     "WHOLE BACKUP"},
    {COMMAND_PAUSE, "pause", "DRIVE|all", NULL, NULL, "pause copying (guest writes are still kept)",
     COMMAND_IN(MODEL_COPY), true, NULL},
    {COMMAND_RESUME, "resume", "DRIVE|all", NULL, NULL, "go on copying", COMMAND_IN(MODEL_COPY), true, NULL},
    {COMMAND_CANCEL, "cancel", "DRIVE yes", "c", "Cancel", "take it out (asks)",
     COMMAND_IN(MODEL_RAM) | COMMAND_IN(MODEL_COPY), true, "DRIVES"},
    {COMMAND_RETRY, "retry", "DRIVE|all", "r", "Retry", "retry a failed one", COMMAND_IN(MODEL_COPY), true, "DRIVES"},
    {COMMAND_RETRY_ALL, NULL, NULL, "R", NULL, "retry all that failed", COMMAND_IN(MODEL_COPY), true, "WHOLE BACKUP"},
    {COMMAND_STATUS, "status", NULL, NULL, NULL, "say how it stands", ANYWHERE, false, NULL},
    {COMMAND_DETACH, "detach", NULL, NULL, NULL, "leave it to itself: the run goes on", ANYWHERE, false, NULL},
    {COMMAND_VERIFY, NULL, NULL, "V", "Verify", "read the archive back, check it", ENDED, false, "AFTERWARDS"},
    {COMMAND_REPORT, NULL, NULL, "w", "Report", "write a report file", ENDED, false, "AFTERWARDS"},
    {COMMAND_NEW, NULL, NULL, "n", "New backup", "another backup: its plan", ENDED, true, "AFTERWARDS"},
    {COMMAND_CHECKSUM, NULL, NULL, "h", "SHA-256", "checksum of the archive", ENDED, false, "AFTERWARDS"},
    {COMMAND_LOG, NULL, NULL, "l", "Log", "log on the whole screen", ANYWHERE, false, "SCREEN"},
    {COMMAND_MARK, NULL, NULL, "Space", "Mark", "mark it, for s p c r", RUNNING, false, "DRIVES"},
    {COMMAND_MARK_ALL, NULL, NULL, "a", NULL, "mark all, or none", RUNNING, false, "DRIVES"},
    {COMMAND_CANCEL_ALL, "cancel-all", "GUEST [keep-partial]", "C", "Cancel all", "cancel all (asks twice)", RUNNING,
     true, "WHOLE BACKUP"},
    {COMMAND_FILTER, NULL, NULL, "/ f", NULL, "filter the log", ANYWHERE, false, "SCREEN"},
    {COMMAND_NEXT_ERROR, NULL, NULL, "e", NULL, "next error in the log", ANYWHERE, false, "SCREEN"},
    {COMMAND_PREVIOUS_ERROR, NULL, NULL, "E", NULL, "error before that", ANYWHERE, false, "SCREEN"},
    {COMMAND_VIEW, NULL, NULL, "v", "Graph", "graph, or more log", RUNNING, false, "SCREEN"},
    {COMMAND_THEME, NULL, NULL, "t", "Theme", "theme", ANYWHERE, false, "SCREEN"},
    {COMMAND_MOUSE, NULL, NULL, "m", NULL, "mouse on, or off", ANYWHERE, false, "SCREEN"},
    {COMMAND_REDRAW, NULL, NULL, "Ctrl-L", NULL, "draw again", ANYWHERE, false, "SCREEN"},
    {COMMAND_QUIT, NULL, NULL, "q Ctrl-C", "Quit", "leave; asks in a run", ANYWHERE, false, "SCREEN"},
};
const unsigned command_table_len = G_N_ELEMENTS(command_table);

const struct command_entry *command_entry_of(enum command_verb verb)
{
    for (unsigned i = 0; i < command_table_len; i++)
        if (command_table[i].verb == verb)
            return &command_table[i];
    return NULL;
}

bool command_is_valid(enum command_verb verb, enum model_phase phase)
{
    const struct command_entry *entry = command_entry_of(verb);
    return entry && (entry->phases & COMMAND_IN(phase));
}

void command_init(struct command *c, enum command_verb verb)
{
    *c = (struct command){.verb = verb, .id = -1};
}

char *command_describe(void)
{
    GString *out = g_string_new(NULL);
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        if (!entry->word)
            continue;
        g_autofree char *usage =
            g_strjoin(entry->arguments ? " " : "", entry->word, entry->arguments ? entry->arguments : "", NULL);
        g_string_append_printf(out, "%-33s %s\n", usage, entry->verb == COMMAND_HELP ? "this list" : entry->help);
    }
    return g_string_free(out, FALSE);
}
