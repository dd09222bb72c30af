// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/agent.h"
#include <string.h>
#include "qmp/codec.h"
#include "qmp/error.h"
#include "qmp/field.h"
#include "qmp/message.h"

#define MARK 0xff

struct qmp_agent {
    enum qmp_agent_state state;
    const char *command;
    int64_t id;
    bool is_at_once;
    GString *output;
    struct qmp_codec *codec; /* of what follows the last mark; NULL: wait for one */
    GError *error;
    int64_t number;
    char *text;
};

struct qmp_agent *qmp_agent_new(void)
{
    struct qmp_agent *a = g_new0(struct qmp_agent, 1);

    a->output = g_string_new(NULL);
    return a;
}

static void forget(struct qmp_agent *a)
{
    g_clear_pointer(&a->codec, qmp_codec_free);
    g_clear_error(&a->error);
    g_clear_pointer(&a->text, g_free);
    a->number = -1;
}

void qmp_agent_free(struct qmp_agent *a)
{
    if (!a)
        return;
    forget(a);
    g_string_free(a->output, TRUE);
    g_free(a);
}

/* --- out ---------------------------------------------------------------------------------------- */

static void say_command(struct qmp_agent *a)
{
    g_string_append_printf(a->output, "{\"execute\":\"%s\"}\n", a->command);
}

void qmp_agent_ask(struct qmp_agent *a, const char *command, int64_t id, bool is_at_once)
{
    forget(a);
    a->state = QMP_AGENT_SYNCING;
    a->command = command;
    a->id = id;
    a->is_at_once = is_at_once;
    g_string_append_c(a->output, (char)MARK);
    g_string_append_printf(a->output,
                           "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" G_GINT64_FORMAT "}}\n", id);
    if (is_at_once)
        say_command(a);
}

char *qmp_agent_take_output(struct qmp_agent *a, size_t *n)
{
    GString *output = a->output;

    *n = output->len;
    if (!output->len)
        return NULL;
    a->output = g_string_new(NULL);
    return g_string_free(output, FALSE);
}

/* --- in ----------------------------------------------------------------------------------------- */

/* The first thing behind a mark is the number of who asked for it. */
static void take_number(struct qmp_agent *a, struct json_object *message)
{
    if (field_int(message, "return", -1) != a->id) { /* an earlier client's */
        g_clear_pointer(&a->codec, qmp_codec_free);
        return;
    }
    a->state = QMP_AGENT_ASKED;
    if (!a->is_at_once)
        say_command(a);
}

static void take_answer(struct qmp_agent *a, struct json_object *message)
{
    struct json_object *error = field_at(message, "error");

    a->state = QMP_AGENT_ANSWERED;
    a->number = field_int(message, "return", -1);
    a->text = g_strdup(field_text(message, "return"));
    if (error) {
        a->error = qmp_message_error(error);
    } else if (!field_at(message, "return")) {
        a->state = QMP_AGENT_BROKEN;
        a->error = g_error_new_literal(QMP_ERROR, QMP_ERROR_NOT_QMP, "its answer is neither a result nor an error");
    }
}

static bool is_listening(const struct qmp_agent *a)
{
    return a->state == QMP_AGENT_SYNCING || a->state == QMP_AGENT_ASKED;
}

static void take_rubbish(struct qmp_agent *a)
{
    if (a->state == QMP_AGENT_ASKED) {
        a->state = QMP_AGENT_BROKEN;
        a->error = g_error_new(QMP_ERROR, QMP_ERROR_NOT_QMP, "its answer cannot be used (%s)", qmp_codec_why(a->codec));
    }
    g_clear_pointer(&a->codec, qmp_codec_free);
}

/* Bytes without a mark in them. */
static void take_piece(struct qmp_agent *a, const uint8_t *bytes, size_t n)
{
    enum qmp_codec_event event = QMP_CODEC_MORE;
    struct json_object *message;

    qmp_codec_feed(a->codec, bytes, n);
    while (a->codec && is_listening(a) && (event = qmp_codec_next(a->codec, &message)) == QMP_CODEC_MESSAGE) {
        if (a->state == QMP_AGENT_SYNCING)
            take_number(a, message);
        else
            take_answer(a, message);
        json_object_put(message);
    }
    if (a->codec && event == QMP_CODEC_BROKEN)
        take_rubbish(a);
}

void qmp_agent_feed(struct qmp_agent *a, const void *bytes, size_t n)
{
    const uint8_t *at = bytes, *end = at + n;

    while (at < end && is_listening(a)) {
        const uint8_t *mark = memchr(at, MARK, (size_t)(end - at));
        const uint8_t *piece_end = mark ? mark : end;
        if (a->codec && piece_end > at)
            take_piece(a, at, (size_t)(piece_end - at));
        if (mark && is_listening(a)) {
            qmp_codec_free(a->codec);
            a->codec = qmp_codec_new(QMP_AGENT_MAX_BYTES);
        }
        at = mark ? mark + 1 : end;
    }
}

/* --- what came of it ---------------------------------------------------------------------------- */

enum qmp_agent_state qmp_agent_state(const struct qmp_agent *a)
{
    return a->state;
}

const GError *qmp_agent_error(const struct qmp_agent *a)
{
    return a->error;
}

int64_t qmp_agent_number(const struct qmp_agent *a)
{
    return a->number;
}

const char *qmp_agent_text(const struct qmp_agent *a)
{
    return a->text ? a->text : "";
}
