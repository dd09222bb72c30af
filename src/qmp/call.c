// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/call.h"

struct call *call_new(struct qmp *q, call_any done, void *user)
{
    struct call *call = g_new(struct call, 1);

    *call = (struct call){.q = q, .done = done, .user = user};
    return call;
}

static void call_free(void *data)
{
    struct call *call = data;

    json_object_put(call->kept);
    g_free(call->text);
    g_free(call);
}

struct call *call_continue(struct call *answered)
{
    struct call *call = call_new(answered->q, answered->done, answered->user);

    call->text = g_steal_pointer(&answered->text);
    call->kept = g_steal_pointer(&answered->kept);
    call->step = answered->step;
    return call;
}

/* Every answer passes here: what is not of the expected type is turned into an error, once for all calls. */
static void on_reply(struct qmp *q, void *data, struct json_object *value, const GError *error)
{
    struct call *call = data;
    g_autoptr(GError) misshapen = NULL;

    if (!error && call->shape != CALL_ANY_SHAPE && !json_object_is_type(value, call->shape)) {
        misshapen = g_error_new(QMP_ERROR, QMP_ERROR_NOT_QMP, "%s: QEMU's answer is no %s", call->command,
                                json_type_to_name(call->shape));
        error = misshapen;
    }
    call->handler(call, error ? NULL : value, error);
}

static void send_call(struct call *call, const char *command, struct json_object *args, int fd, enum json_type shape,
                      call_handler handler)
{
    call->command = command;
    call->shape = shape;
    call->handler = handler;
    qmp_send(call->q, command, args, fd, (struct qmp_callback){on_reply, call, call_free});
}

void call_send(struct call *call, const char *command, struct json_object *args, enum json_type shape,
               call_handler handler)
{
    send_call(call, command, args, -1, shape, handler);
}

void call_send_fd(struct call *call, const char *command, struct json_object *args, int fd, call_handler handler)
{
    send_call(call, command, args, fd, CALL_ANY_SHAPE, handler);
}

void call_ask(struct qmp *q, const char *command, struct json_object *args, enum json_type shape, call_handler handler,
              call_any done, void *user)
{
    call_send(call_new(q, done, user), command, args, shape, handler);
}

void call_on_done(struct call *call, struct json_object *value, const GError *error)
{
    if (call->done)
        ((qmp_done)call->done)(call->user, error);
}

void call_do(struct qmp *q, const char *command, struct json_object *args, qmp_done done, void *user)
{
    call_ask(q, command, args, CALL_ANY_SHAPE, call_on_done, CALL_ANY(done), user);
}

unsigned call_length(struct json_object *value)
{
    return value ? (unsigned)json_object_array_length(value) : 0;
}
