// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/command.h"

#define ANYWHERE ((1u << MODEL_PHASES) - 1)
#define COPYING                                                                                              \
    (COMMAND_IN(MODEL_PREPARE) | COMMAND_IN(MODEL_RAM) | COMMAND_IN(MODEL_FREEZE) | COMMAND_IN(MODEL_COPY))
#define RUNNING   (COPYING | COMMAND_IN(MODEL_FINISH) | COMMAND_IN(MODEL_VERIFY))
#define LIMITABLE (COMMAND_IN(MODEL_PLAN) | COPYING)

/* In the order of the key bar and, within a group, of the help screen. */
const struct command_entry command_table[] = {
    {COMMAND_UP, NULL, NULL, "Up k", NULL, "one row up", ANYWHERE, false, "MOVE"},
    {COMMAND_DOWN, NULL, NULL, "Down j", NULL, "one row down", ANYWHERE, false, "MOVE"},
    {COMMAND_PAGE_UP, NULL, NULL, "PgUp", NULL, "one page up", ANYWHERE, false, "MOVE"},
    {COMMAND_PAGE_DOWN, NULL, NULL, "PgDn", NULL, "one page down", ANYWHERE, false, "MOVE"},
    {COMMAND_FIRST, NULL, NULL, "Home g", NULL, "first row", ANYWHERE, false, "MOVE"},
    {COMMAND_LAST, NULL, NULL, "End G", NULL, "last row", ANYWHERE, false, "MOVE"},
    {COMMAND_BACK, NULL, NULL, "Esc Backspace", NULL, "back, close", ANYWHERE, false, "MOVE"},

    {COMMAND_HELP, "help", NULL, "? F1", "Help", "this page", ANYWHERE, false, "SCREEN"},
    {COMMAND_BEGIN, "begin", NULL, "B", "Begin", "begin the backup", COMMAND_IN(MODEL_PLAN), true,
     "WHOLE BACKUP"},
    {COMMAND_LIMIT, "limit", "DRIVE|all RATE", "s", "Limit", "set its speed limit", LIMITABLE, true,
     "DRIVES"},
    {COMMAND_LIMIT_ALL, NULL, NULL, "S", "All", "the same limit for each", LIMITABLE, true, "WHOLE BACKUP"},
    {COMMAND_UNLIMIT, NULL, NULL, "u", NULL, "lift its limit", LIMITABLE, true, "DRIVES"},
    {COMMAND_TOGGLE_PAUSE, NULL, NULL, "p", "Pause", "pause, or resume", COMMAND_IN(MODEL_COPY), true,
     "DRIVES"},
    {COMMAND_TOGGLE_PAUSE_ALL, NULL, NULL, "P", NULL, "pause, or resume, all", COMMAND_IN(MODEL_COPY), true,
     "WHOLE BACKUP"},
    {COMMAND_PAUSE, "pause", "DRIVE|all", NULL, NULL, "pause copying (guest writes are still kept)",
     COMMAND_IN(MODEL_COPY), true, NULL},
    {COMMAND_RESUME, "resume", "DRIVE|all", NULL, NULL, "go on copying", COMMAND_IN(MODEL_COPY), true, NULL},
    {COMMAND_CANCEL_ALL, "cancel-all", "GUEST [keep-partial]", "C", "Cancel all", "cancel all (asks twice)",
     RUNNING, true, "WHOLE BACKUP"},
    {COMMAND_RECONNECT, "reconnect", NULL, "r", "Try now", "connect again at once",
     COMMAND_IN(MODEL_CONNECT_FAILED), false, "WHOLE BACKUP"},
    {COMMAND_STATUS, "status", NULL, NULL, NULL, "say how it stands", ANYWHERE, false, NULL},
    {COMMAND_DETACH, "detach", NULL, NULL, NULL, "leave it to itself: the run goes on", ANYWHERE, false, NULL},
    {COMMAND_LOG, NULL, NULL, "l", "Log", "log on the whole screen", ANYWHERE, false, "SCREEN"},
    {COMMAND_THEME, NULL, NULL, "t", NULL, "next theme", ANYWHERE, false, "SCREEN"},
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
        g_autofree char *usage = g_strjoin(entry->arguments ? " " : "", entry->word,
                                           entry->arguments ? entry->arguments : "", NULL);
        g_string_append_printf(out, "%-33s %s\n", usage,
                               entry->verb == COMMAND_HELP ? "this list" : entry->help);
    }
    return g_string_free(out, FALSE);
}
