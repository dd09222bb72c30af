// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest has that no archive can hold, or only with the RAM. Five commands, one after the other; each
 * adds its sentences to a JSON array that the call keeps. A command that this QEMU does not know tells
 * nothing, and is no error.
 */
#include "base/text.h"
#include "qmp/call.h"
#include "qmp/field.h"

static const struct {
    const char *prefix; /* of the device's type */
    const char *what;
} foreign_devices[] = {
    {"vfio-", "a device of the host passed through; its state is not saved"},
    {"vhost-user-fs", "a folder shared with the host; its files are not saved"},
    {"virtio-9p", "a folder shared with the host; its files are not saved"},
    {"vhost-user-", "served by another process; its state is not saved"},
    {"vhost-vdpa-", "a device of the host; its state is not saved"},
    {"nvdimm", "persistent memory; its contents are saved only together with the RAM"},
    {"virtio-pmem", "persistent memory; its contents are not saved, not with the RAM either"},
    {"ivshmem", "memory shared with the host; it is not saved"},
    {"u2f-passthru", "a device of the host passed through; its state is not saved"},
    {"usb-host", "a device of the host passed through; its state is not saved"},
    {"scsi-block", "a device of the host passed through; only its data can be saved"},
    {"scsi-generic", "a device of the host passed through; nothing of it is saved"},
};

static void add_sentence(struct call *call, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add_sentence(struct call *call, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    text_make_safe_inplace(text);
    json_object_array_add(call->kept, json_object_new_string(text));
}

/* The state of an emulated TPM (swtpm) travels in the RAM stream; a real chip keeps its own. */
static void add_tpm(struct call *call, struct json_object *tpm)
{
    const char *id = field_text(tpm, "id"), *backend = field_text(field_at(tpm, "options"), "type");

    add_sentence(call,
                 g_strcmp0(backend, "emulator") == 0 ? "TPM %s: its state is saved only together with the RAM"
                                                     : "TPM %s: its state is not saved",
                 id ? id : "?");
}

/* {"name":"net0","type":"child<vfio-pci>"} */
static void add_device(struct call *call, struct json_object *device)
{
    const char *name = field_text(device, "name"), *type = field_text(device, "type");

    if (!type || !g_str_has_prefix(type, "child<"))
        return;
    type += strlen("child<");
    for (unsigned i = 0; i < G_N_ELEMENTS(foreign_devices); i++) {
        if (!g_str_has_prefix(type, foreign_devices[i].prefix))
            continue;
        add_sentence(call, "%.*s %s: %s", (int)strcspn(type, ">"), type, name ? name : "?", foreign_devices[i].what);
        return;
    }
}

/* -bios PATH. What QEMU brings along has no folder in its name, and pflash is a drive. */
static void add_firmware(struct call *call, struct json_object *firmware)
{
    const char *path = json_object_get_string(firmware);

    if (strchr(path, '/'))
        add_sentence(call, "firmware %s: a file of the host; it is not saved", path);
}

/* QEMU's own words, since 6.0. */
static void add_blockers(struct call *call, struct json_object *migration)
{
    struct json_object *reasons = field_at(migration, "blocked-reasons");
    size_t n = json_object_is_type(reasons, json_type_array) ? json_object_array_length(reasons) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *reason = json_object_array_get_idx(reasons, i);
        if (json_object_is_type(reason, json_type_string))
            add_sentence(call, "RAM: %s", json_object_get_string(reason));
    }
}

static void add_each(struct call *call, struct json_object *list,
                     void (*add)(struct call *call, struct json_object *element))
{
    for (unsigned i = 0; i < call_length(list); i++)
        add(call, json_object_array_get_idx(list, i));
}

static void add_tpms(struct call *call, struct json_object *list)
{
    add_each(call, list, add_tpm);
}

static void add_devices(struct call *call, struct json_object *list)
{
    add_each(call, list, add_device);
}

static const struct {
    const char *command, *path, *property;
    enum json_type shape;
    void (*add)(struct call *call, struct json_object *value);
} steps[] = {
    {"query-tpm", NULL, NULL, json_type_array, add_tpms},
    {"qom-list", "/machine/peripheral", NULL, json_type_array, add_devices},
    {"qom-list", "/machine/peripheral-anon", NULL, json_type_array, add_devices},
    {"qom-get", "/machine", "firmware", json_type_string, add_firmware},
    {"query-migrate", NULL, NULL, json_type_object, add_blockers},
};

static void tell(struct call *call, const GError *error)
{
    unsigned n = error ? 0 : call_length(call->kept);
    g_autofree const char **sentences = g_new0(const char *, n + 1);

    for (unsigned i = 0; i < n; i++)
        sentences[i] = json_object_get_string(json_object_array_get_idx(call->kept, i));
    ((qmp_on_texts)call->done)(call->user, sentences, n, error);
}

static void send_step(struct call *call);

static void on_step(struct call *call, struct json_object *value, const GError *error)
{
    if (error && !qmp_error_is_refusal(error)) {
        tell(call, error);
        return;
    }
    if (value)
        steps[call->step].add(call, value);
    if (++call->step < G_N_ELEMENTS(steps))
        send_step(call_continue(call));
    else
        tell(call, NULL);
}

static void send_step(struct call *call)
{
    struct json_object *args = steps[call->step].path ? args_new_text("path", steps[call->step].path) : NULL;

    if (steps[call->step].property)
        args_text(args, "property", steps[call->step].property);
    call_send(call, steps[call->step].command, args, steps[call->step].shape, on_step);
}

void qmp_query_unsavable(struct qmp *q, qmp_on_texts done, void *user)
{
    struct call *call = call_new(q, CALL_ANY(done), user);

    call->kept = json_object_new_array();
    send_step(call);
}
