// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Our side of a QMP conversation as pure code: bytes and the time in, items and bytes out. No socket, no
 * loop, no clock. Commands may be given at once: they are kept back until the greeting and
 * qmp_capabilities are done.
 *
 *     qmp_client_send(c, "query-status", NULL, -1, now_ms, call);
 *     while (qmp_client_output(c, &bytes, &n, &fd)) { … sendmsg …; qmp_client_sent(c, n_sent); }
 *     qmp_client_feed(c, bytes, n);                     // or qmp_client_end(c, …) when the peer hung up
 *     while (qmp_client_next(c, now_ms, &item)) { … act on item.type …; qmp_item_clear(&item); }
 *     … wait for bytes, or until qmp_client_deadline(c) …
 *
 * Items come in the order of the bytes, however they were split. After the end (hung up, no QMP, broken)
 * every pending command is given back with GONE, then comes LOST, once, and then nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/error.h"
#include "qmp/events.h"

#define QMP_WORD_MS 2000 /* without a greeting, then there is a word of it */

struct json_object;
struct qmp;

/* Whom a reply is for. The client only carries it; data is freed with free_data, called or not. */
typedef void (*qmp_handler)(struct qmp *q, void *data, struct json_object *value, const GError *error);
struct qmp_callback {
    qmp_handler handler;
    void *data;
    GDestroyNotify free_data;
};

enum qmp_item_type {
    QMP_ITEM_NONE,
    QMP_ITEM_WAITING, /* still no greeting: error says what it waits for, once */
    QMP_ITEM_READY,   /* greeting and capabilities done */
    QMP_ITEM_EVENT,   /* event */
    QMP_ITEM_REPLY,   /* callback, and value ("return") or error */
    QMP_ITEM_LOST,    /* error */
};
struct qmp_item {
    enum qmp_item_type type;
    struct qmp_event event;
    struct qmp_callback callback;
    struct json_object *value; /* may be NULL without an error: QEMU returned null */
    GError *error;
    struct json_object *message; /* what the strings above are borrowed from */
};
void qmp_item_clear(struct qmp_item *item);

typedef struct qmp_client qmp_client;
/* subject: what errors begin with, the monitor's address. timeout_ms: for the greeting and for each reply, 0:
 * wait for ever. */
struct qmp_client *qmp_client_new(const char *subject, unsigned timeout_ms, uint64_t now_ms);
void qmp_client_free(struct qmp_client *c); /* pending callbacks are dropped, descriptors closed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(qmp_client, qmp_client_free)

/* command: a string constant. args: taken, may be NULL. fd: taken, goes with the first byte; -1 for none. */
void qmp_client_send(struct qmp_client *c, const char *command, struct json_object *args, int fd, uint64_t now_ms,
                     struct qmp_callback callback);
/* The reply is an error that we know already; it comes with the next qmp_client_next(). Takes error. */
void qmp_client_refuse(struct qmp_client *c, const char *command, GError *error, struct qmp_callback callback);

/* Nothing is sent: the reply, a value of NULL, comes at that time. Or GONE, as to a command. */
void qmp_client_pause(struct qmp_client *c, uint64_t until_ms, struct qmp_callback callback);

/* What to send now, false if nothing: one command at most, so that a descriptor travels with its own. */
bool qmp_client_output(const struct qmp_client *c, const char **bytes, size_t *n, int *fd);
void qmp_client_sent(struct qmp_client *c, size_t n); /* n > 0: the descriptor has gone too */

void qmp_client_feed(struct qmp_client *c, const void *bytes, size_t n);
/* No more bytes will come; items of those already fed come first. Takes error. The first end counts. */
void qmp_client_end(struct qmp_client *c, GError *error);
bool qmp_client_next(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item);
/* When to call qmp_client_next() even without new bytes: 0 = at once, UINT64_MAX = never. */
uint64_t qmp_client_deadline(const struct qmp_client *c);
bool qmp_client_is_ready(const struct qmp_client *c);
