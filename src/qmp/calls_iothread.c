// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does a device work in an iothread? It says so itself (virtio-blk), of its queues (QEMU 9.0 and later), or its
 * controller does (virtio-scsi); what has no such property works in the main loop.
 */
#include <string.h>
#include "qmp/call.h"
#include "qmp/field.h"

enum step { OF_DEVICE, OF_CONTROLLER };

static void ask(struct call *call, const char *property, enum json_type shape, call_handler handler)
{
    struct json_object *args = args_new_text("path", call->text);

    args_text(args, "property", property);
    call_send(call, "qom-get", args, shape, handler);
}

static void answer(struct call *call, bool is_in_one, const GError *error)
{
    ((qmp_on_answer)call->done)(call->user, is_in_one, error);
}

static void on_queues(struct call *call, struct json_object *value, const GError *error)
{
    answer(call, call_length(value) > 0, qmp_error_is_refusal(error) ? NULL : error);
}

static void on_iothread(struct call *call, struct json_object *value, const GError *error);

/* Of "/machine/peripheral/scsi0/virtio-backend/scsi0.0" all but the last part. */
static void on_bus(struct call *call, struct json_object *value, const GError *error)
{
    const char *bus = value ? json_object_get_string(value) : NULL, *end = bus ? strrchr(bus, '/') : NULL;
    struct call *next;

    if (!end) {
        answer(call, true, qmp_error_is_refusal(error) ? NULL : error); /* nobody knows */
        return;
    }
    next = call_continue(call);
    g_free(next->text);
    next->text = g_strndup(bus, (size_t)(end - bus));
    next->step = OF_CONTROLLER;
    ask(next, "iothread", json_type_string, on_iothread);
}

static void on_iothread(struct call *call, struct json_object *value, const GError *error)
{
    const char *name = value ? json_object_get_string(value) : NULL;

    if (name && *name)
        answer(call, true, NULL);
    else if (name)
        ask(call_continue(call), "iothread-vq-mapping", json_type_array, on_queues);
    else if (!qmp_error_is_refusal(error))
        answer(call, false, error);
    else if (call->step == OF_DEVICE)
        ask(call_continue(call), "parent_bus", json_type_string, on_bus);
    else
        answer(call, false, NULL);
}

void qmp_is_in_iothread(struct qmp *q, const char *device, qmp_on_answer done, void *user)
{
    struct call *call = call_new(q, CALL_ANY(done), user);

    call->text = g_strdup(device);
    call->step = OF_DEVICE;
    ask(call, "iothread", json_type_string, on_iothread);
}

static void on_iothreads(struct call *call, struct json_object *value, const GError *error)
{
    answer(call, call_length(value) > 0, error);
}

void qmp_has_iothreads(struct qmp *q, qmp_on_answer done, void *user)
{
    call_ask(q, "query-iothreads", NULL, json_type_array, on_iothreads, CALL_ANY(done), user);
}
