// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What qmrestore expects of an archive: the file's name, the devices' names, the configuration. Pure.
 *
 *     g_autofree char *key = proxmox_key(taken, &(struct proxmox_wish){.type = "scsi-hd"});       // "scsi0"
 *     g_autofree char *device = proxmox_device(key);                       // "drive-scsi1"
 *     g_autofree char *text = proxmox_config(&guest);                      // for the blob qemu-server.conf
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#define PROXMOX_CONFIG_NAME "qemu-server.conf"
#define PROXMOX_MIN_VMID    100u
#define PROXMOX_MAX_VMID    999999999u

struct proxmox_drive {
    const char *key; /* scsi0, virtio1, … */
    uint64_t size;
};
struct proxmox_guest {
    const char *name;   /* as QEMU knows it; made a host name here */
    uint64_t ram_bytes; /* 0: not known */
    const struct proxmox_drive *drives;
    unsigned n_drives;
};

/* "vzdump-qemu-100-2026_11_23-04_05_06.vma" with the suffix (".vma", ".vma.zst"). */
char *proxmox_file_name(unsigned vmid, GDateTime *when, const char *suffix);
struct proxmox_wish {
    const char *type; /* of the drive's device: "scsi-hd", "virtio-blk-device", "ide-hd", "sata", "cfi.pflash01", … */
    const char *claim;  /* NULL: none */
    const char *config; /* the operator's own, NULL: none */
    uint64_t size;
    unsigned n_more; /* drives of this bus that claim none and come after it */
};

bool proxmox_is_same_bus(const char *type, const char *other);
/* The key that an id names by itself: "scsi1" on its bus, "drive-scsi1" on any. NULL: it is only a name. */
char *proxmox_claim(const char *type, const char *id);
/* The key of a drive: its claim. Else, where the configuration has lines for all drives of its bus, one of
 * those, of this size if possible; else the first number that is free. Adds it to taken (a set of char *,
 * which owns it). NULL: the bus has no number left. */
char *proxmox_key(GHashTable *taken, const struct proxmox_wish *wish);
char *proxmox_device(const char *key);
/* The key in a device's name; NULL: it is no name of Proxmox's. */
const char *proxmox_key_of(const char *device);
/* A whole configuration, with one map line per drive. */
char *proxmox_config(const struct proxmox_guest *guest);
/* The operator's own configuration with the lines of drives and map that it lacks. */
char *proxmox_complete(const char *config, const struct proxmox_drive *drives, unsigned n_drives);
