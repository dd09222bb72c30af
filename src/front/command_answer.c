// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/command_answer.h"

#include <string.h>

#include "base/units.h"

static char *status_of(const struct model *m)
{
    GString *s = g_string_new(model_phase_word(m->phase));
    char done[UNITS_LEN], total[UNITS_LEN], rate[UNITS_LEN];
    g_string_append_printf(s, ": %s of %s, %s", units_format_size(m->done, done), units_format_size(m->total, total),
                           units_format_rate(m->in_rate, rate));
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (d->is_included)
            g_string_append_printf(s, "; %s %s %s of %s", d->name, model_state_word(d->state),
                                   units_format_size(d->done, done), units_format_size(d->size, total));
    }
    return g_string_free(s, FALSE);
}

static char *list_commands(const struct model *m)
{
    return command_describe();
}

static char *say_goes_on(const struct model *m)
{
    return g_strdup("the run goes on");
}

static const struct {
    char *(*answer)(const struct model *m);
} handlers[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define ANSWER(f)                              .answer = f,
#include "model/command_list.h"
};

/* False with a sentence where it is refused; *text is what there is to say of it. */
static bool run(struct backup *b, const struct command *c, char **text, GError **error)
{
    if (!handlers[c->verb].answer)
        return backup_command(b, c, error);
    *text = handlers[c->verb].answer(backup_model(b));
    return true;
}

static bool parse(const char *line, struct command *c, GError **error)
{
    return line[strspn(line, " \t")] == '{' ? command_parse_json(line, c, error) : command_parse_line(line, c, error);
}

char *command_answer(struct backup *b, const char *line, struct command *c, struct model_event *reply)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    command_init(c, COMMAND_NONE);
    *reply = (struct model_event){.type = MODEL_EV_NOTE, .drive = -1, .id = -1};
    if (line && !line[strspn(line, " \t\r")])
        return NULL;
    reply->type = MODEL_EV_REPLY;
    if (!line)
        text = g_strdup("command: the line is too long");
    else
        reply->ok = parse(line, c, &error) && run(b, c, &text, &error);
    reply->id = c->id;
    if (error) {
        c->verb = COMMAND_NONE;
        text = g_strdup(error->message);
    }
    reply->text = text;
    return text;
}
