// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls about migration, which is how the RAM is saved. */
#include "qmp/call.h"
#include "qmp/field.h"

static void on_capabilities(struct call *call, struct json_object *value, const GError *error)
{
    unsigned n = call_length(value), n_named = 0;
    g_autofree struct qmp_capability *caps = g_new0(struct qmp_capability, n);

    for (unsigned i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(value, i);
        const char *name = field_text(entry, "capability");
        if (name)
            caps[n_named++] = (struct qmp_capability){name, field_is_true(entry, "state")};
    }
    ((qmp_on_capabilities)call->done)(call->user, caps, n_named, error);
}

void qmp_query_capabilities(struct qmp *q, qmp_on_capabilities done, void *user)
{
    call_ask(q, "query-migrate-capabilities", NULL, json_type_array, on_capabilities, CALL_ANY(done), user);
}

void qmp_set_capabilities(struct qmp *q, const struct qmp_capability *caps, unsigned n, qmp_done done, void *user)
{
    struct json_object *args = args_new(), *list = json_object_new_array();

    for (unsigned i = 0; i < n; i++) {
        struct json_object *entry = args_new_text("capability", caps[i].name);
        args_flag(entry, "state", caps[i].is_on);
        json_object_array_add(list, entry);
    }
    args_object(args, "capabilities", list);
    call_do(q, "migrate-set-capabilities", args, done, user);
}

static void on_params(struct call *call, struct json_object *value, const GError *error)
{
    struct qmp_migration_params params = {
        .max_bandwidth = field_int(value, "max-bandwidth", -1),
        .downtime_limit_ms = field_int(value, "downtime-limit", -1),
    };

    ((qmp_on_migration_params)call->done)(call->user, error ? NULL : &params, error);
}

void qmp_query_migration_params(struct qmp *q, qmp_on_migration_params done, void *user)
{
    call_ask(q, "query-migrate-parameters", NULL, json_type_object, on_params, CALL_ANY(done), user);
}

void qmp_set_migration_params(struct qmp *q, const struct qmp_migration_params *p, qmp_done done, void *user)
{
    struct json_object *args = args_new();

    if (p->max_bandwidth >= 0)
        args_int(args, "max-bandwidth", p->max_bandwidth);
    if (p->downtime_limit_ms >= 0)
        args_int(args, "downtime-limit", p->downtime_limit_ms);
    call_do(q, "migrate-set-parameters", args, done, user);
}

void qmp_migrate(struct qmp *q, const char *uri, qmp_done done, void *user)
{
    call_do(q, "migrate", args_new_text("uri", uri), done, user);
}

void qmp_migrate_cancel(struct qmp *q, qmp_done done, void *user)
{
    call_do(q, "migrate_cancel", NULL, done, user);
}

static const char *first_text(struct json_object *list)
{
    struct json_object *first = json_object_is_type(list, json_type_array) && json_object_array_length(list)
                                    ? json_object_array_get_idx(list, 0)
                                    : NULL;

    return json_object_is_type(first, json_type_string) ? json_object_get_string(first) : NULL;
}

static void on_migration(struct call *call, struct json_object *value, const GError *error)
{
    struct json_object *ram = field_at(value, "ram");
    struct qmp_migration migration = {
        .status = field_text(value, "status"),
        .error = field_text(value, "error-desc"),
        .blocked = first_text(field_at(value, "blocked-reasons")),
        .total = field_size(ram, "total", 0),
        .remaining = field_size(ram, "remaining", 0),
        .dirty_sync_count = field_size(ram, "dirty-sync-count", 0),
    };

    if (!migration.status) /* {} until the first one */
        migration.status = "none";
    ((qmp_on_migration)call->done)(call->user, error ? NULL : &migration, error);
}

void qmp_query_migrate(struct qmp *q, qmp_on_migration done, void *user)
{
    call_ask(q, "query-migrate", NULL, json_type_object, on_migration, CALL_ANY(done), user);
}
