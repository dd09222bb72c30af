// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile bytes for the QMP client. The first input byte chooses how the rest is split; whole or in pieces,
 * the items must be the same. And: every command is answered exactly once, LOST comes last and once, and
 * once lost nothing more goes out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include "qmp/client.h"

#define N_COMMANDS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            abort();                                                                                                   \
    } while (0)

struct run {
    struct qmp_client *client;
    GString *seen;
    unsigned n_replies[N_COMMANDS];
    bool is_lost;
};

static void never_called(struct qmp *q, void *data, struct json_object *value, const GError *error)
{
    abort();
}

static void describe(struct run *run, const struct qmp_item *item)
{
    const struct qmp_event *event = &item->event;
    unsigned index = GPOINTER_TO_UINT(item->callback.data);

    CHECK(!run->is_lost);
    g_string_append_printf(run->seen, "%d", item->type);
    if (item->type == QMP_ITEM_EVENT)
        g_string_append_printf(run->seen, " %d %s %s %s", event->type, event->name, event->id ? event->id : "",
                               event->status ? event->status : "");
    if (item->type == QMP_ITEM_REPLY)
        CHECK(index < N_COMMANDS && run->n_replies[index]++ == 0);
    if (item->type == QMP_ITEM_REPLY && !item->error)
        g_string_append(run->seen, json_object_to_json_string(item->value));
    if (item->error) {
        CHECK(g_utf8_validate(item->error->message, -1, NULL) && item->error->domain == QMP_ERROR);
        g_string_append_printf(run->seen, " %d %s", item->error->code, item->error->message);
    }
    g_string_append_c(run->seen, '\n');
    run->is_lost = item->type == QMP_ITEM_LOST;
}

static void drain(struct run *run)
{
    struct qmp_item item;

    while (qmp_client_next(run->client, 0, &item)) {
        describe(run, &item);
        qmp_item_clear(&item);
    }
}

static void send_all(struct run *run)
{
    const char *bytes;
    size_t n;
    int fd;

    while (qmp_client_output(run->client, &bytes, &n, &fd)) {
        CHECK(!run->is_lost && n && fd == -1);
        qmp_client_sent(run->client, n > 3 ? n / 2 : n);
    }
}

/* Pieces of step bytes (0: all at once); the rest of the conversation is the same. */
static char *play(const uint8_t *data, size_t size, size_t step)
{
    struct run run = {.client = qmp_client_new("m", 1000, 0), .seen = g_string_new(NULL)};

    for (unsigned i = 0; i < N_COMMANDS; i++)
        qmp_client_send(run.client, "x", NULL, -1, 0, (struct qmp_callback){never_called, GUINT_TO_POINTER(i), NULL});
    for (size_t at = 0, n; at < size; at += n) {
        n = step ? MIN(step, size - at) : size;
        qmp_client_feed(run.client, data + at, n);
        drain(&run);
        send_all(&run);
    }
    qmp_client_end(run.client, g_error_new_literal(QMP_ERROR, QMP_ERROR_GONE, "end"));
    drain(&run);
    CHECK(run.is_lost && qmp_client_deadline(run.client) == UINT64_MAX && !qmp_client_is_ready(run.client));
    for (unsigned i = 0; i < N_COMMANDS; i++)
        CHECK(run.n_replies[i] == 1);
    qmp_client_free(run.client);
    return g_string_free(run.seen, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *whole = NULL, *pieces = NULL;

    if (!size)
        return 0;
    whole = play(data + 1, size - 1, 0);
    pieces = play(data + 1, size - 1, 1 + data[0] % 61);
    CHECK(strcmp(whole, pieces) == 0);
    return 0;
}
