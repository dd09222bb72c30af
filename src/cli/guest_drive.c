// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/guest_drive.h"

#include <string.h>

#include "cli/description.h"
#include "guest/device.h"
#include "guest/keyvals.h"
#include "vma/header.h"

#define PERIPHERAL "/machine/peripheral/"

struct guest_drive {
    char *name, *file, *format;
    const struct guest_entry *place; /* -drive or -blockdev; NULL: it has none */
};

/* ---- where it was ---- */

/* "vda" of "/machine/peripheral/vda/virtio-backend". */
static char *device_id(const char *qdev)
{
    if (!g_str_has_prefix(qdev, PERIPHERAL))
        return g_strdup(qdev);
    qdev += strlen(PERIPHERAL);
    return g_strndup(qdev, strcspn(qdev, "/"));
}

/* By the device that it hangs on: a snapshot since QEMU was started has given it another node. */
static const struct guest_entry *find_by_device(const struct guest_line *line, const char *qdev)
{
    g_autofree char *id = qdev ? device_id(qdev) : NULL;
    const struct guest_entry *device = guest_line_find(line, OPTION_DEVICE, "id", id), *place = NULL;
    const char *drive = device ? keyvals_get(device->kv, "drive") : NULL;
    if (!(place = guest_line_find(line, OPTION_DRIVE, "id", drive)))
        place = guest_line_find(line, OPTION_BLOCKDEV, "node-name", drive);
    return place;
}

static const struct guest_entry *find_place(struct json_object *about, const struct guest_line *line, const char *name)
{
    const char *id = about ? description_text(about, "id") : NULL;
    const struct guest_entry *place = guest_line_find(line, OPTION_DRIVE, "id", id ? id : name);
    if (!place && about)
        place = guest_line_find(line, OPTION_BLOCKDEV, "node-name", description_text(about, "node"));
    if (!place && about)
        place = find_by_device(line, description_text(about, "device"));
    return place;
}

struct guest_drive *guest_drive_new(struct json_object *description, const struct guest_line *line, const char *name,
                                    const char *file, const char *format)
{
    struct guest_drive *d = g_new0(struct guest_drive, 1);
    d->name = g_strdup(name);
    d->file = g_strdup(file);
    d->format = g_strdup(format);
    if (line)
        d->place = find_place(description_drive(description, name), line, name);
    return d;
}

void guest_drive_free(void *drive)
{
    struct guest_drive *d = drive;
    g_free(d->name);
    g_free(d->file);
    g_free(d->format);
    g_free(d);
}

static struct guest_drive *drive_at(const GPtrArray *drives, const struct guest_entry *place)
{
    for (unsigned i = 0; i < drives->len; i++)
        if (((struct guest_drive *)drives->pdata[i])->place == place)
            return drives->pdata[i];
    return NULL;
}

void guest_drive_settle(const GPtrArray *drives)
{
    for (unsigned i = 0; i < drives->len; i++) {
        struct guest_drive *d = drives->pdata[i];
        if (d->place && drive_at(drives, d->place) != d)
            d->place = NULL;
    }
}

/* ---- what comes there ---- */

static void exchange_drive(struct guest_entry *e, const struct guest_drive *d)
{
    GPtrArray *old = e->kv;
    e->kv = keyvals_new();
    keyvals_add(e->kv, "file", d->file);
    keyvals_add(e->kv, "format", d->format);
    keyvals_drop(old, "file");
    keyvals_drop(old, "format");
    for (unsigned i = 0; i < old->len; i++) {
        const struct keyval *pair = old->pdata[i];
        keyvals_add(e->kv, pair->key, pair->value);
    }
    g_ptr_array_unref(old);
}

static void exchange_node(struct guest_entry *e, const struct guest_drive *d)
{
    g_autofree char *node = g_strdup(keyvals_get(e->kv, "node-name"));
    bool is_read_only = keyvals_get(e->kv, "read-only") != NULL;
    g_ptr_array_unref(e->kv);
    e->kv = keyvals_new();
    keyvals_add(e->kv, "driver", d->format);
    keyvals_add(e->kv, "node-name", node);
    if (is_read_only)
        keyvals_add(e->kv, "read-only", "on");
    keyvals_add(e->kv, "file.driver", "file");
    keyvals_add(e->kv, "file.filename", d->file);
}

static bool has_firmware(const char *path)
{
    g_autofree char *found = path ? value_find_firmware(path) : NULL;
    return found != NULL;
}

/* Nothing in it, where a medium can be taken out; else zeros. */
static bool empty_drive(struct guest_line *line, struct guest_entry *e, GPtrArray *empty)
{
    const char *interface = keyvals_get(e->kv, "if"), *id = keyvals_get(e->kv, "id");
    const struct guest_entry *device = guest_line_find(line, OPTION_DEVICE, "drive", id);
    if (!g_strcmp0(interface, "pflash")) {
        bool is_there = has_firmware(keyvals_get(e->kv, "file"));
        if (!is_there)
            guest_line_leave(line, "-drive if=pflash", id);
        return is_there;
    }
    if (!g_strcmp0(keyvals_get(e->kv, "media"), "cdrom") || !g_strcmp0(interface, "floppy") ||
        !g_strcmp0(interface, "sd") || (device && device_is_removable(keyvals_get(device->kv, "driver"))))
        return true;
    keyvals_add(e->kv, "driver", "null-co");
    keyvals_add(e->kv, "read-zeroes", "on");
    g_ptr_array_add(empty, g_strdup(id));
    return true;
}

/* guest/nodes.c has left zeros or firmware there. */
static bool empty_node(struct guest_line *line, const struct guest_entry *e, GPtrArray *empty)
{
    const char *node = keyvals_get(e->kv, "node-name"), *firmware = keyvals_get(e->kv, "file.filename");
    bool is_seen = guest_line_find(line, OPTION_DEVICE, "drive", node) != NULL;
    if (firmware ? has_firmware(firmware) : is_seen) {
        if (!firmware)
            g_ptr_array_add(empty, g_strdup(node));
        return true;
    }
    guest_line_leave(line, "-blockdev", node);
    return false;
}

bool guest_drive_finish(const GPtrArray *drives, struct guest_line *line, struct guest_entry *e, GPtrArray *empty)
{
    const struct guest_drive *d = drive_at(drives, e);
    bool is_drive = e->rule->kind == OPTION_DRIVE;
    if (!d)
        return is_drive ? empty_drive(line, e, empty) : empty_node(line, e, empty);
    (is_drive ? exchange_drive : exchange_node)(e, d);
    return true;
}

char *guest_drive_plain(const struct guest_drive *d)
{
    if (d->place)
        return NULL;
    g_autofree char *safe = vma_name_make_safe(d->name);
    g_autoptr(GPtrArray) kv = keyvals_new();
    keyvals_add(kv, "file", d->file);
    keyvals_add(kv, "format", d->format);
    keyvals_add(kv, "if", g_str_has_prefix(safe, "ide") ? "ide" : "virtio");
    g_autofree char *id = g_strconcat(g_ascii_isalpha(*safe) ? "" : "d", safe, NULL);
    keyvals_add(kv, "id", id);
    return keyvals_format(kv, NULL);
}
