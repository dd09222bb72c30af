// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of an event stream from anybody. Whatever they say: the model stays within its bounds, its texts are
 * safe, and told again it is the same model.
 */
#include <stdint.h>
#include <string.h>

#include "model/json.h"
#include "model/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct replay *r, const char *bytes, size_t len)
{
    struct model_event e;
    for (const char *end; len; len -= (size_t)(end - bytes), bytes = end) {
        const char *newline = memchr(bytes, '\n', len);
        end = newline ? newline + 1 : bytes + len;
        if (replay_line(r, bytes, (size_t)(end - bytes), &e, NULL) == REPLAY_EVENT)
            g_assert_true(e.drive < (int)replay_model(r)->n_drives);
    }
}

static char *told(const struct replay *r)
{
    struct json_stream *s = json_stream_new("fuzz", "");
    char *lines = json_stream_state(s, replay_model(r), 0);
    json_stream_free(s);
    return lines;
}

static void check(const struct model *m)
{
    g_assert_true(m->phase < MODEL_PHASES && m->n_drives <= REPLAY_MAX_ROWS && m->n_log <= MODEL_MAX_LOG);
    g_assert_true(m->link.n_checks <= MODEL_MAX_CHECKS);
    for (unsigned i = 0; i < m->n_drives; i++) {
        g_assert_true(m->drives[i].state < MODEL_STATES);
        g_assert_true(g_utf8_validate(m->drives[i].name, -1, NULL));
        g_assert_null(strchr(m->drives[i].note, '\033'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct replay *first = replay_new(), *second = replay_new();
    feed(first, (const char *)data, size);
    check(replay_model(first));
    g_autofree char *lines = told(first);
    feed(second, lines, strlen(lines));
    check(replay_model(second));
    g_autofree char *again = told(second);
    struct replay *third = replay_new();
    feed(third, again, strlen(again));
    g_autofree char *fixed = told(third);
    g_assert_cmpstr(again, ==, fixed); /* what was not told cannot be: from then on nothing is lost */
    replay_free(first);
    replay_free(second);
    replay_free(third);
    return 0;
}
