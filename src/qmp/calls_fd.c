// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that hand descriptors to QEMU. */
#include "qmp/call.h"
#include "qmp/field.h"

void qmp_getfd(struct qmp *q, const char *name, int fd, qmp_done done, void *user)
{
    call_send_fd(call_new(q, CALL_ANY(done), user), "getfd", args_new_text("fdname", name), fd, call_on_done);
}

void qmp_closefd(struct qmp *q, const char *name, qmp_done done, void *user)
{
    call_do(q, "closefd", args_new_text("fdname", name), done, user);
}

/* --- sets of descriptors ------------------------------------------------------------------------ */

static void on_fd(struct call *call, struct json_object *value, const GError *error)
{
    ((qmp_on_fd)call->done)(call->user, field_int(value, "fdset-id", -1), field_int(value, "fd", -1), error);
}

void qmp_add_fd(struct qmp *q, const char *opaque, int fd, qmp_on_fd done, void *user)
{
    call_send_fd(call_new(q, CALL_ANY(done), user), "add-fd", args_new_text("opaque", opaque), fd, on_fd);
}

static struct json_object *set_args(int64_t set)
{
    struct json_object *args = args_new();

    args_int(args, "fdset-id", set);
    return args;
}

/* The set of one descriptor is gone when that is removed. */
static bool is_named(struct json_object *set, const char *prefix)
{
    struct json_object *fds = field_at(set, "fds");
    const char *opaque =
        json_object_is_type(fds, json_type_array) ? field_text(json_object_array_get_idx(fds, 0), "opaque") : NULL;

    return opaque && g_str_has_prefix(opaque, prefix);
}

/* In turn, those of call->kept; the first error is the answer. */
static void remove_next(struct call *call, struct json_object *value, const GError *error)
{
    struct call *rest;

    while (!error && call->step < call_length(call->kept)) {
        struct json_object *set = json_object_array_get_idx(call->kept, call->step++);
        if (!is_named(set, call->text))
            continue;
        rest = call_continue(call);
        call_send(rest, "remove-fd", set_args(field_int(set, "fdset-id", -1)), CALL_ANY_SHAPE, remove_next);
        return;
    }
    ((qmp_done)call->done)(call->user, error);
}

static void on_sets(struct call *call, struct json_object *value, const GError *error)
{
    call->kept = json_object_get(value);
    remove_next(call, NULL, error);
}

void qmp_remove_fds_named(struct qmp *q, const char *prefix, qmp_done done, void *user)
{
    struct call *call = call_new(q, CALL_ANY(done), user);

    call->text = g_strdup(prefix);
    call_send(call, "query-fdsets", NULL, json_type_array, on_sets);
}
