// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/proxmox.h"

#include <string.h>

#define DEVICE_PREFIX "drive-"
#define TPM_SUFFIX    "-backup" /* Proxmox's own name for it while it backs up */
#define EFI           "efidisk"
#define TPM           "tpmstate"
#define EFI_4M_BYTES  540672 /* variables of the larger of EDK2's two kinds */

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
    {"cfi.pflash", EFI, 1}, /* the variables of EFI */
    {"tpm", TPM, 1},
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

bool proxmox_is_same_bus(const char *type, const char *other)
{
    return strcmp(bus_of(type)->prefix, bus_of(other)->prefix) == 0;
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

/* Beside its own bus: these are told by their name alone, and QEMU says "ide" for what hangs on SATA. */
static bool may_claim(const struct bus *own, const struct bus *claimed)
{
    return strcmp(own->prefix, claimed->prefix) == 0 || strcmp(claimed->prefix, EFI) == 0 ||
           strcmp(claimed->prefix, TPM) == 0 ||
           (strcmp(own->prefix, "ide") == 0 && strcmp(claimed->prefix, "sata") == 0);
}

char *proxmox_claim(const char *type, const char *id)
{
    const char *theirs = id ? proxmox_key_of(id) : NULL;
    g_autofree char *name = g_strdup(theirs ? theirs : id ? id : "");

    if (g_str_has_prefix(name, TPM) && g_str_has_suffix(name, TPM_SUFFIX))
        name[strlen(name) - strlen(TPM_SUFFIX)] = '\0';
    for (const struct bus *bus = buses; *bus->type; bus++)
        if (is_key(bus, name) && (theirs || may_claim(bus_of(type), bus)))
            return g_steal_pointer(&name);
    return NULL;
}

/* What the operator's configuration says of this key, up to its snapshots; NULL: nothing. */
static char *line_of(const char *config, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(config ? config : "", "\n", -1);
    size_t len = strlen(key);

    for (char **line = lines; *line && **line != '['; line++)
        if (strncmp(*line, key, len) == 0 && (*line)[len] == ':')
            return g_strdup(*line + len + 1);
    return NULL;
}

/* "…,size=528K" */
static bool has_size(const char *line, uint64_t bytes)
{
    static const char units[] = "KMGT";
    const char *at = strstr(line, "size="), *unit;
    char *end;
    guint64 n = at ? g_ascii_strtoull(at + strlen("size="), &end, 10) : 0;

    if (!n)
        return false;
    unit = *end ? strchr(units, *end) : NULL;
    return n << (unit ? 10 * (unit - units + 1) : 0) == bytes;
}

/* What a key's line in the operator's configuration must be of: a drive of this size, a drive, no CD. */
enum place { OF_THIS_SIZE, OF_A_DRIVE, OF_NO_CD, PLACES_END };

static bool fits(const struct proxmox_wish *w, const char *key, enum place wanted)
{
    g_autofree char *line = line_of(w->config, key);
    bool is_drive = line && !strstr(line, "media=cdrom");

    return wanted == OF_NO_CD ? !line || is_drive : is_drive && (wanted == OF_A_DRIVE || has_size(line, w->size));
}

/* The first key of this bus that is free and fits, *n of them in all. NULL: none. */
static char *find_key(GHashTable *taken, const struct proxmox_wish *w, enum place wanted, unsigned *n)
{
    const struct bus *bus = bus_of(w->type);
    char *first = NULL;

    *n = 0;
    for (unsigned i = 0; i < bus->max; i++) {
        g_autofree char *key = g_strdup_printf("%s%u", bus->prefix, i);
        if (g_hash_table_contains(taken, key) || !fits(w, key, wanted))
            continue;
        (*n)++;
        first = first ? first : g_steal_pointer(&key);
    }
    return first;
}

/* A configuration with lines for all drives of the bus names them; one with fewer is only completed. */
char *proxmox_key(GHashTable *taken, const struct proxmox_wish *w)
{
    unsigned n_listed, n;
    g_autofree char *listed = find_key(taken, w, OF_A_DRIVE, &n_listed);
    char *key = NULL;

    if (w->claim && !g_hash_table_contains(taken, w->claim))
        return take(taken, g_strdup(w->claim));
    for (enum place wanted = n_listed > w->n_more ? OF_THIS_SIZE : OF_NO_CD; !key && wanted < PLACES_END; wanted++)
        key = find_key(taken, w, wanted, &n);
    return key ? take(taken, key) : NULL;
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
    const char *kind = "";

    if (g_str_has_prefix(d->key, EFI) && d->size == EFI_4M_BYTES)
        kind = "efitype=4m,";
    else if (g_str_has_prefix(d->key, TPM))
        kind = "version=v2.0,";
    g_string_append_printf(text, "%s: local:restored,%ssize=%" G_GUINT64_FORMAT "K\n", d->key, kind, d->size >> 10);
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
    for (unsigned i = 0; i < guest->n_drives; i++)
        if (g_str_has_prefix(guest->drives[i].key, EFI))
            g_string_append(text, "bios: ovmf\n");
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
