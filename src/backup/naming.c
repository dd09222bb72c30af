// SPDX-License-Identifier: GPL-2.0-or-later
/* What a drive is called in the archive, and by what else an operator may name it. */
#include <string.h>
#include "backup/found.h"
#include "backup/run.h"
#include "options/proxmox.h"

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
    for_each_in (const char, wanted, names)
        if (g_strcmp0(wanted, name) == 0 || naming_fits(b, f, wanted))
            return true;
    return false;
}

/* --- for Proxmox -------------------------------------------------------------------------------- */

/* What will not be saved takes no place of a bus. */
static bool wants_key(const struct backup *b, const struct found_drive *f)
{
    return b->options.proxmox_vmid && f->has_medium && f->is_attached && f->node_name &&
           (!f->is_read_only || naming_is_among(b, b->options.include, NULL, f));
}

/* By which the bus is told; QEMU says "ide" for what hangs on q35's SATA, too. */
static const char *bus_type(const struct backup *b, const struct found_drive *f)
{
    bool is_sata =
        b->facts.machine && strstr(b->facts.machine, "q35") && g_str_has_prefix(f->type ? f->type : "", "ide");

    return is_sata ? "sata" : f->type;
}

/* The second of EFI's flashes holds its variables. */
static char *claim_of(const struct backup *b, const struct found_drive *f)
{
    g_autofree char *natural = natural_name(f);

    if (g_str_has_prefix(f->type ? f->type : "", "cfi.pflash") && g_str_has_suffix(f->qdev, "flash1"))
        return proxmox_claim(f->type, "efidisk0");
    return proxmox_claim(bus_type(b, f), natural);
}

/* What the drives before this one are called, and what those behind it claim. */
static GHashTable *taken_keys(const struct backup *b, const struct found_drive *f, const char *own_claim)
{
    GHashTable *taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint at = 0;

    for (unsigned i = 0; i < b->model.n_drives; i++) {
        const char *key = proxmox_key_of(b->model.drives[i].name);
        if (key)
            g_hash_table_add(taken, g_strdup(key));
    }
    if (!g_ptr_array_find(b->facts.drives, f, &at))
        return taken;
    while (++at < b->facts.drives->len) {
        const struct found_drive *other = g_ptr_array_index(b->facts.drives, at);
        char *claim = wants_key(b, other) ? claim_of(b, other) : NULL;
        if (claim && g_strcmp0(claim, own_claim) != 0)
            g_hash_table_add(taken, g_steal_pointer(&claim));
        g_free(claim);
    }
    return taken;
}

/* Behind this drive, on its bus, with no claim of their own. */
static unsigned count_more(const struct backup *b, const struct found_drive *f)
{
    unsigned n = 0;
    guint at = 0;

    if (!g_ptr_array_find(b->facts.drives, f, &at))
        return 0;
    while (++at < b->facts.drives->len) {
        const struct found_drive *other = g_ptr_array_index(b->facts.drives, at);
        g_autofree char *claim = wants_key(b, other) ? claim_of(b, other) : NULL;
        n += wants_key(b, other) && !claim && proxmox_is_same_bus(bus_type(b, f), bus_type(b, other));
    }
    return n;
}

/* The operator's own; not from a pipe, which gives it only once. */
static char *own_config(const struct backup *b)
{
    char *text = NULL;

    for (unsigned i = 0; !text && i < b->options.configs->len; i++) {
        const struct backup_file *file = &g_array_index(b->options.configs, struct backup_file, i);
        if (g_str_equal(file->name, PROXMOX_CONFIG_NAME) && g_file_test(file->path, G_FILE_TEST_IS_REGULAR))
            g_file_get_contents(file->path, &text, NULL, NULL);
    }
    return text;
}

/* Its own bus first. NULL: there is no place left. */
static char *proxmox_name(const struct backup *b, const struct found_drive *f)
{
    g_autofree char *claim = claim_of(b, f), *config = own_config(b);
    g_autoptr(GHashTable) taken = taken_keys(b, f, claim);
    struct proxmox_wish wish = {
        .type = bus_type(b, f), .claim = claim, .config = config, .size = f->virtual_size, .n_more = count_more(b, f)};
    g_autofree char *key = proxmox_key(taken, &wish);

    if (!key) {
        wish = (struct proxmox_wish){.type = "scsi", .config = config, .size = f->virtual_size};
        key = proxmox_key(taken, &wish);
    }
    return key ? proxmox_device(key) : NULL;
}

char *naming_of(struct backup *b, const struct found_drive *f)
{
    g_autofree char *natural = natural_name(f);
    char *name = wants_key(b, f) ? proxmox_name(b, f) : NULL;

    return name ? name : unique_name(b, natural);
}

/* --- device types, which say the bus ------------------------------------------------------------ */

char *naming_device_path(const struct found_drive *f)
{
    return strchr(f->qdev, '/') ? g_strdup(f->qdev) : g_strconcat(PERIPHERAL, f->qdev, NULL);
}
