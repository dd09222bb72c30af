// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls about the guest as a whole: which QEMU, its name and state, its memory, its machine. */
#include "qmp/call.h"
#include "qmp/field.h"

static void on_version(struct call *call, struct json_object *value, const GError *error)
{
    struct json_object *number = field_at(value, "qemu");
    struct qmp_version version = {
        .major = (int)field_int(number, "major", 0),
        .minor = (int)field_int(number, "minor", 0),
        .micro = (int)field_int(number, "micro", 0),
    };

    ((qmp_on_version)call->done)(call->user, error ? NULL : &version, error);
}

void qmp_query_version(struct qmp *q, qmp_on_version done, void *user)
{
    call_ask(q, "query-version", NULL, json_type_object, on_version, CALL_ANY(done), user);
}

static void on_name(struct call *call, struct json_object *value, const GError *error)
{
    ((qmp_on_text)call->done)(call->user, field_text(value, "name"), error);
}

void qmp_query_name(struct qmp *q, qmp_on_text done, void *user)
{
    call_ask(q, "query-name", NULL, json_type_object, on_name, CALL_ANY(done), user);
}

static void on_status(struct call *call, struct json_object *value, const GError *error)
{
    struct qmp_status status = {
        .status = field_text(value, "status"),
        .is_running = field_is_true(value, "running"),
    };

    if (!status.status)
        status.status = "unknown";
    ((qmp_on_status)call->done)(call->user, error ? NULL : &status, error);
}

void qmp_query_status(struct qmp *q, qmp_on_status done, void *user)
{
    call_ask(q, "query-status", NULL, json_type_object, on_status, CALL_ANY(done), user);
}

static void on_chardevs(struct call *call, struct json_object *value, const GError *error)
{
    unsigned n = call_length(value);
    g_autofree const char **filenames = g_new0(const char *, n + 1);

    for (unsigned i = 0; i < n; i++)
        filenames[i] = field_text(json_object_array_get_idx(value, i), "filename");
    ((qmp_on_texts)call->done)(call->user, filenames, n, error);
}

void qmp_query_chardevs(struct qmp *q, qmp_on_texts done, void *user)
{
    call_ask(q, "query-chardev", NULL, json_type_array, on_chardevs, CALL_ANY(done), user);
}

static void on_memory(struct call *call, struct json_object *value, const GError *error)
{
    uint64_t bytes = field_size(value, "base-memory", 0) + field_size(value, "plugged-memory", 0);

    ((qmp_on_bytes)call->done)(call->user, bytes, error);
}

void qmp_query_memory(struct qmp *q, qmp_on_bytes done, void *user)
{
    call_ask(q, "query-memory-size-summary", NULL, json_type_object, on_memory, CALL_ANY(done), user);
}

static void on_commands(struct call *call, struct json_object *value, const GError *error)
{
    bool has = false;

    for (unsigned i = 0; i < call_length(value) && !has; i++)
        has = g_strcmp0(field_text(json_object_array_get_idx(value, i), "name"), call->text) == 0;
    ((qmp_on_answer)call->done)(call->user, has, error);
}

void qmp_has_command(struct qmp *q, const char *command, qmp_on_answer done, void *user)
{
    struct call *call = call_new(q, CALL_ANY(done), user);

    call->text = g_strdup(command);
    call_send(call, "query-commands", NULL, json_type_array, on_commands);
}

static void on_string(struct call *call, struct json_object *value, const GError *error)
{
    ((qmp_on_text)call->done)(call->user, value ? json_object_get_string(value) : NULL, error);
}

void qmp_qom_get_string(struct qmp *q, const char *path, const char *property, qmp_on_text done, void *user)
{
    struct json_object *args = args_new_text("path", path);

    args_text(args, "property", property);
    call_ask(q, "qom-get", args, json_type_string, on_string, CALL_ANY(done), user);
}

static void on_flag(struct call *call, struct json_object *value, const GError *error)
{
    ((qmp_on_answer)call->done)(call->user, value && json_object_get_boolean(value), error);
}

void qmp_qom_get_flag(struct qmp *q, const char *path, const char *property, qmp_on_answer done, void *user)
{
    struct json_object *args = args_new_text("path", path);

    args_text(args, "property", property);
    call_ask(q, "qom-get", args, json_type_boolean, on_flag, CALL_ANY(done), user);
}

void qmp_stop(struct qmp *q, qmp_done done, void *user)
{
    call_do(q, "stop", NULL, done, user);
}

void qmp_cont(struct qmp *q, qmp_done done, void *user)
{
    call_do(q, "cont", NULL, done, user);
}
