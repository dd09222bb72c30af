// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/command.h"

#define ANYWHERE  ((1u << MODEL_PHASES) - 1)
#define MOVING    (COMMAND_IN(MODEL_RAM) | COMMAND_IN(MODEL_COPY))
#define COPYING   (MOVING | COMMAND_IN(MODEL_PREPARE) | COMMAND_IN(MODEL_FREEZE))
#define RUNNING   (COPYING | COMMAND_IN(MODEL_FINISH) | COMMAND_IN(MODEL_VERIFY))
#define PLANNING  COMMAND_IN(MODEL_PLAN)
#define UNREACHED COMMAND_IN(MODEL_CONNECT_FAILED)
#define ENDED     COMMAND_IN(MODEL_DONE)
#define LIMITABLE (PLANNING | COPYING)
#define PAUSABLE  COMMAND_IN(MODEL_COPY)
#define ROWS      (PLANNING | RUNNING | ENDED) /* there is a table to stand in */

const struct command_entry command_table[] = {
#define COMMAND(verb, word, help, phases, ...) {COMMAND_##verb, word, help, phases, __VA_ARGS__},
#define CHANGES                                .changes = true,
#define KEYS(k, l, g)                          .keys = k, .label = l, .group = g,
#define TYPED(f, a)                            .form = COMMAND_FORM_##f, .arguments = a,
#define UP_TO(n)                               .max = n,
#include "model/command_list.h"
};
const unsigned command_table_len = G_N_ELEMENTS(command_table);

const struct command_entry *command_entry_of(enum command_verb verb)
{
    return verb > COMMAND_NONE && verb < COMMAND_VERBS ? &command_table[verb - 1] : NULL;
}

const struct command_entry *command_entry_of_word(const char *word)
{
    for (unsigned i = 0; i < command_table_len; i++)
        if (g_str_equal(command_table[i].word, word))
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
        if (!entry->form)
            continue;
        g_autofree char *usage =
            g_strjoin(entry->arguments ? " " : "", entry->word, entry->arguments ? entry->arguments : "", NULL);
        g_string_append_printf(out, "%-33s %s\n", usage, entry->verb == COMMAND_HELP ? "this list" : entry->help);
    }
    return g_string_free(out, FALSE);
}
