// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Between the typed functions of qmp/calls.h and the connection. A call remembers whom to tell:
 *
 *     static void on_name(struct call *call, struct json_object *value, const GError *error)
 *     {
 *         ((qmp_on_name)call->done)(call->user, field_text(value, "name"), error);
 *     }
 *     void qmp_query_name(struct qmp *q, qmp_on_name done, void *user)
 *     {
 *         call_ask(q, "query-name", NULL, json_type_object, on_name, CALL_ANY(done), user);
 *     }
 *
 * The handler gets either a value of the JSON type that was asked for, or NULL and an error.
 */
#include <glib.h>
#include "qmp/args.h"
#include "qmp/calls.h"
#include "qmp/client.h"

#define CALL_ANY_SHAPE json_type_null

/* A callback of any type; the handler casts it back to its own before it calls it. */
typedef void (*call_any)(void);
#define CALL_ANY(done) ((call_any)(done))

struct call;
typedef void (*call_handler)(struct call *call, struct json_object *value, const GError *error);
struct call {
    struct qmp *q;
    call_any done;
    void *user;
    const char *command;
    enum json_type shape;
    call_handler handler;
    char *text;               /* owned: what the answer is searched for */
    struct json_object *kept; /* owned: what earlier commands of the same call gave */
    unsigned step;            /* which of its commands */
};

void call_ask(struct qmp *q, const char *command, struct json_object *args, enum json_type shape, call_handler handler,
              call_any done, void *user);
/* Only success matters. */
void call_do(struct qmp *q, const char *command, struct json_object *args, qmp_done done, void *user);

/* The same in steps: for a call that takes something along, or needs several commands. */
struct call *call_new(struct qmp *q, call_any done, void *user);
/* From a handler: the rest of its call; text, kept and step move over. */
struct call *call_continue(struct call *answered);
/* Takes call and args. */
void call_send(struct call *call, const char *command, struct json_object *args, enum json_type shape,
               call_handler handler);
/* Takes fd too: it goes with the command. */
void call_send_fd(struct call *call, const char *command, struct json_object *args, int fd, call_handler handler);
/* The handler for a qmp_done. */
void call_on_done(struct call *call, struct json_object *value, const GError *error);

/* calls_graph.c: query-named-block-nodes, as the next step of a call; and whether it may be sent, by the answer to
 * query-jobs: while a block-stream is there it may crash QEMU. */
bool call_may_list_nodes(struct json_object *jobs, const GError *error);
void call_list_nodes(struct call *answered, call_handler handler);

/* Elements of an answer, 0 for NULL. */
unsigned call_length(struct json_object *value);
/* A handler that has each entry read into a `type` and hands all of them to a callback(user, entries, n, error). */
#define CALL_LIST(handler, type, read, callback)                                                                       \
    static void handler(struct call *call, struct json_object *value, const GError *error)                             \
    {                                                                                                                  \
        unsigned n = call_length(value);                                                                               \
        g_autofree type *entries = g_new0(type, n);                                                                    \
                                                                                                                       \
        for (unsigned i = 0; i < n; i++)                                                                               \
            entries[i] = read(json_object_array_get_idx(value, i));                                                    \
        ((callback)call->done)(call->user, entries, n, error);                                                         \
    }

/* The connection's side (client_uv.c): sends at once. Takes args, fd and callback.data. */
void qmp_send(struct qmp *q, const char *command, struct json_object *args, int fd, struct qmp_callback callback);
