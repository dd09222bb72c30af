// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/message.h"
#include "base/text.h"
#include "qmp/error.h"
#include "qmp/field.h"

/* id: the member that says whom it is about; NULL where an event is about nobody. */
static const struct {
    const char *name;
    enum qmp_event_type type;
    const char *id;
} known[] = {
    {"STOP", QMP_EVENT_STOP, NULL},
    {"RESUME", QMP_EVENT_RESUME, NULL},
    {"WAKEUP", QMP_EVENT_WAKEUP, NULL},
    {"GUEST_PANICKED", QMP_EVENT_GUEST_PANICKED, NULL},
    {"WATCHDOG", QMP_EVENT_WATCHDOG, NULL},
    {"SHUTDOWN", QMP_EVENT_SHUTDOWN, NULL},
    {"RESET", QMP_EVENT_RESET, NULL},
    {"MIGRATION", QMP_EVENT_MIGRATION, NULL},
    {"MIGRATION_PASS", QMP_EVENT_MIGRATION_PASS, NULL},
    {"JOB_STATUS_CHANGE", QMP_EVENT_JOB_STATUS_CHANGE, "id"},
    {"BLOCK_JOB_COMPLETED", QMP_EVENT_BLOCK_JOB_COMPLETED, "device"},
    {"BLOCK_JOB_CANCELLED", QMP_EVENT_BLOCK_JOB_CANCELLED, "device"},
    {"BLOCK_JOB_ERROR", QMP_EVENT_BLOCK_JOB_ERROR, "device"},
    {"BLOCK_IO_ERROR", QMP_EVENT_BLOCK_IO_ERROR, "node-name"},
    {"BLOCK_EXPORT_DELETED", QMP_EVENT_BLOCK_EXPORT_DELETED, "id"},
    {"DEVICE_DELETED", QMP_EVENT_DEVICE_DELETED, "device"},
};

static const char *identify(struct qmp_event *event, struct json_object *data)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!g_str_equal(known[i].name, event->name))
            continue;
        event->type = known[i].type;
        return known[i].id ? field_text(data, known[i].id) : NULL;
    }
    return NULL;
}

bool qmp_message_event(struct json_object *message, struct qmp_event *event)
{
    struct json_object *data = field_at(message, "data");

    *event = (struct qmp_event){.name = field_text(message, "event")};
    if (!event->name)
        return false;
    event->id = identify(event, data);
    /* Devices that the user gave no id are named by their path only, nodes of -drive by their drive. */
    if (!event->id && event->type == QMP_EVENT_DEVICE_DELETED)
        event->id = field_text(data, "path");
    if (!event->id && event->type == QMP_EVENT_BLOCK_IO_ERROR)
        event->id = field_text(data, "device");
    event->status = field_text(data, "status");
    event->operation = field_text(data, "operation");
    event->action = field_text(data, "action");
    event->error = field_text(data, "error");
    event->offset = field_int(data, event->type == QMP_EVENT_MIGRATION_PASS ? "pass" : "offset", 0);
    event->len = field_int(data, "len", 0);
    return true;
}

/* QEMU has a class for a missing device, but says most other absences in words only (class GenericError).
 * Taking something away that is already gone is no failure, so callers need to tell these apart. */
static bool names_nothing(const char *desc)
{
    static const char *const patterns[] = {
        "Job not found*",                    /* job-cancel, job-dismiss */
        "Failed to find node with *",        /* blockdev-del */
        "Cannot find device=*",              /* blockdev-add over a node, blockdev-backup */
        "File descriptor named '*' * found", /* closefd, and who uses one */
        "Export '*' is not found*",          /* block-export-del */
        "NBD server not running*",           /* nbd-server-stop */
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(patterns); i++)
        if (g_pattern_match_simple(patterns[i], desc))
            return true;
    return false;
}

static enum qmp_error code_of(const char *class, const char *desc)
{
    if (g_str_equal(class, "CommandNotFound"))
        return QMP_ERROR_NO_COMMAND;
    if (g_str_equal(class, "DeviceNotFound") || g_str_equal(class, "DeviceNotActive") || names_nothing(desc))
        return QMP_ERROR_NO_DEVICE;
    return QMP_ERROR_COMMAND;
}

GError *qmp_message_error(struct json_object *error)
{
    const char *class = field_text(error, "class");
    g_autofree char *desc = text_make_safe(field_text(error, "desc"));

    if (!desc || !*desc)
        return g_error_new_literal(QMP_ERROR, QMP_ERROR_COMMAND, "QEMU refused without saying why");
    return g_error_new_literal(QMP_ERROR, code_of(class ? class : "", desc), desc);
}
