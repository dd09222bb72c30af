// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/proxmox.h"

#include <string.h>

#define DEVICE_PREFIX "drive-"

/* How many drives Proxmox knows of each bus. */
static const struct bus {
    const char *type; /* how the names of its devices begin in QEMU */
    const char *prefix;
    unsigned max;
} buses[] = {
    {"virtio-blk", "virtio", 16},
    {"scsi", "scsi", 31},
    {"sata", "sata", 6},
    {"ide", "ide", 4},
    {"", "scsi", 31}, /* whatever else (NVMe, USB): Proxmox has no bus for it */
};

char *proxmox_file_name(unsigned vmid, GDateTime *when, const char *suffix)
{
    g_autofree char *stamp = g_date_time_format(when, "%Y_%m_%d-%H_%M_%S");

    return g_strdup_printf("vzdump-qemu-%u-%s%s", vmid, stamp, suffix);
}

static const struct bus *bus_of(const char *type)
{
    const struct bus *bus = buses;

    while (!g_str_has_prefix(type ? type : "", bus->type))
        bus++;
    return bus;
}

/* "scsi1" names a place of its own accord; "scsi01" or "scsi99" is only a name. */
static bool is_key(const struct bus *bus, const char *id)
{
    for (unsigned i = 0; id && i < bus->max; i++) {
        g_autofree char *key = g_strdup_printf("%s%u", bus->prefix, i);
        if (strcmp(key, id) == 0)
            return true;
    }
    return false;
}

static char *take(GHashTable *taken, char *key)
{
    g_hash_table_add(taken, g_strdup(key));
    return key;
}

char *proxmox_key(GHashTable *taken, const char *type, const char *id)
{
    const struct bus *bus = bus_of(type);

    if (id && proxmox_key_of(id))
        id = proxmox_key_of(id);
    if (is_key(bus, id) && !g_hash_table_contains(taken, id))
        return take(taken, g_strdup(id));
    for (unsigned i = 0; i < bus->max; i++) {
        char *key = g_strdup_printf("%s%u", bus->prefix, i);
        if (!g_hash_table_contains(taken, key))
            return take(taken, key);
        g_free(key);
    }
    return NULL;
}

char *proxmox_device(const char *key)
{
    return g_strconcat(DEVICE_PREFIX, key, NULL);
}

const char *proxmox_key_of(const char *device)
{
    return g_str_has_prefix(device, DEVICE_PREFIX) ? device + strlen(DEVICE_PREFIX) : NULL;
}

/* Letters, digits and '-' only: a configuration's name is a host name. */
static void add_name(GString *text, const char *name)
{
    g_string_append(text, "name: ");
    for (const char *c = name; *c; c++)
        g_string_append_c(text, g_ascii_isalnum(*c) ? *c : '-');
    g_string_append_c(text, '\n');
}

/* qmrestore puts another volume in the place of this one. */
static void add_drive_line(GString *text, const struct proxmox_drive *d)
{
    g_string_append_printf(text, "%s: local:restored,size=%" G_GUINT64_FORMAT "K\n", d->key, d->size >> 10);
}

static void add_map_line(GString *text, const char *key)
{
    g_string_append_printf(text, "#qmdump#map:%s:drive-%s::raw:\n", key, key);
}

char *proxmox_config(const struct proxmox_guest *guest)
{
    GString *text = g_string_new(NULL);
    g_autofree char *lines = NULL;

    if (guest->name && *guest->name)
        add_name(text, guest->name);
    if (guest->ram_bytes)
        g_string_append_printf(text, "memory: %" G_GUINT64_FORMAT "\n", guest->ram_bytes >> 20);
    lines = g_string_free(text, FALSE);
    return proxmox_complete(lines, guest->drives, guest->n_drives);
}

static bool has_line(const char *config, const char *start)
{
    g_autofree char *inner = g_strconcat("\n", start, NULL);

    return g_str_has_prefix(config, start) || strstr(config, inner);
}

/* Drives in front: whatever follows a "[section]" belongs to that. */
char *proxmox_complete(const char *config, const struct proxmox_drive *drives, unsigned n_drives)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < n_drives; i++) {
        g_autofree char *start = g_strconcat(drives[i].key, ":", NULL);
        if (!has_line(config, start))
            add_drive_line(text, &drives[i]);
    }
    g_string_append(text, config);
    if (text->len && text->str[text->len - 1] != '\n')
        g_string_append_c(text, '\n');
    for (unsigned i = 0; i < n_drives; i++) {
        g_autofree char *start = g_strdup_printf("#qmdump#map:%s:", drives[i].key);
        if (!has_line(config, start))
            add_map_line(text, drives[i].key);
    }
    return g_string_free(text, FALSE);
}
