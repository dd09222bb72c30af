// SPDX-License-Identifier: GPL-2.0-or-later
/* What a drive is called in the archive, and by what else an operator may name it. */
#include <string.h>
#include "backup/proxmox.h"
#include "backup/run.h"

#define PERIPHERAL "/machine/peripheral/"

/* The name a person gave the drive: its id, the device's id, else what QEMU calls the node. */
static char *natural_name(const struct found_drive *f)
{
    if (f->device && *f->device)
        return g_strdup(f->device);
    if (f->qdev && g_str_has_prefix(f->qdev, PERIPHERAL)) {
        const char *id = f->qdev + strlen(PERIPHERAL);
        return g_strndup(id, strcspn(id, "/"));
    }
    if (f->qdev && *f->qdev && !strchr(f->qdev, '/'))
        return g_strdup(f->qdev);
    return g_strdup(f->node_name ? f->node_name : "drive");
}

static char *unique_name(struct backup *b, const char *natural)
{
    g_autofree char *safe = vma_name_make_safe(natural);
    char *name = g_strdup(safe);

    for (unsigned i = 2; model_find_drive(&b->model, name); i++) {
        g_free(name);
        name = g_strdup_printf("%s-%u", safe, i);
    }
    return name;
}

bool naming_fits(const struct backup *b, const struct found_drive *f, const char *wanted)
{
    g_autofree char *natural = natural_name(f);

    return g_strcmp0(f->node_name, wanted) == 0 || g_strcmp0(f->qdev, wanted) == 0 ||
           (b->options.proxmox_vmid && g_str_equal(natural, wanted));
}

bool naming_is_among(const struct backup *b, const GPtrArray *names, const char *name, const struct found_drive *f)
{
    for (unsigned i = 0; i < names->len; i++) {
        const char *wanted = g_ptr_array_index(names, i);
        if (g_strcmp0(wanted, name) == 0 || naming_fits(b, f, wanted))
            return true;
    }
    return false;
}

/* --- for Proxmox -------------------------------------------------------------------------------- */

/* What will not be saved takes no place of a bus. */
static bool wants_key(const struct backup *b, const struct found_drive *f)
{
    return b->options.proxmox_vmid && f->has_medium && f->is_attached && f->node_name &&
           (!f->is_read_only || naming_is_among(b, b->options.include, NULL, f));
}

static GHashTable *taken_keys(const struct backup *b)
{
    GHashTable *taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < b->model.n_drives; i++) {
        const char *key = proxmox_key_of(b->model.drives[i].name);
        if (key)
            g_hash_table_add(taken, g_strdup(key));
    }
    return taken;
}

/* Its own bus first; QEMU says "ide" for what hangs on q35's SATA, too. NULL: there is no place left. */
static char *proxmox_name(const struct backup *b, const struct found_drive *f, const char *natural)
{
    bool is_sata = b->guest_machine && strstr(b->guest_machine, "q35") && g_str_has_prefix(f->type ? f->type : "", "ide");
    g_autoptr(GHashTable) taken = taken_keys(b);
    g_autofree char *key = proxmox_key(taken, is_sata ? "sata" : f->type, natural);

    if (!key)
        key = proxmox_key(taken, "scsi", natural);
    return key ? proxmox_device(key) : NULL;
}

char *naming_of(struct backup *b, const struct found_drive *f)
{
    g_autofree char *natural = natural_name(f);
    char *name = wants_key(b, f) ? proxmox_name(b, f, natural) : NULL;

    return name ? name : unique_name(b, natural);
}

/* --- device types, which say the bus ------------------------------------------------------------ */

char *naming_device_path(const struct found_drive *f)
{
    return strchr(f->qdev, '/') ? g_strdup(f->qdev) : g_strconcat(PERIPHERAL, f->qdev, NULL);
}
