// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The archive header: devices and configuration blobs <-> bytes. Pure.
 *
 *     struct vma_header *h = vma_header_new(uuid, ctime);
 *     int scsi0 = vma_header_add_device(h, "scsi0", size, &error);
 *     vma_header_set_config(h, "vmabackup.json", json, len, reserve, &error);
 *     GBytes *bytes = vma_header_encode(h, &error);
 *
 * Encoding again after vma_header_set_config() with the same `reserve`, vma_header_set_size() or
 * vma_header_drop_device() gives as many bytes: the header can be rewritten in place.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "vma/format.h"

struct vma_device {
    char *name; /* NULL: this dev_id does not exist */
    uint64_t size;
    char *dropped_name; /* by vma_header_drop_device(): keeps its room, so that nothing moves */
};
struct vma_config {
    char *name;
    uint8_t *data;
    size_t len;     /* without padding */
    size_t reserve; /* bytes kept for it in the blob buffer; >= len; padded with blanks */
};
struct vma_header {
    uint8_t uuid[16];
    int64_t ctime; /* seconds since the epoch */
    struct vma_device devices[VMA_MAX_DEVICES];
    struct vma_config configs[VMA_MAX_CONFIGS]; /* used ones have a name */
    uint32_t header_size;                       /* of the encoded form; set by encode and decode */
    bool has_extension;                         /* "VMABKUP1" was there (ours), see docs/vma-format.md */
    uint32_t extension_flags;
    uint8_t parent_uuid[16];
};

struct vma_header *vma_header_new(const uint8_t uuid[16], int64_t ctime);
struct vma_header *vma_header_copy(const struct vma_header *h);
void vma_header_free(struct vma_header *h);
/* Returns the dev_id (1…254), or -1: name unsafe/taken, size 0 or no multiple of 512, too many. */
int vma_header_add_device(struct vma_header *h, const char *name, uint64_t size, GError **error);
/* 0 drops it: a device without a size does not exist. */
void vma_header_set_size(struct vma_header *h, int dev_id, uint64_t size);
void vma_header_drop_device(struct vma_header *h, int dev_id);
/* Adds or replaces. reserve 0 = len. Fails on an unsafe name, > 65535 bytes, or a header above 512 KiB. */
bool vma_header_set_config(struct vma_header *h, const char *name, const void *data, size_t len, size_t reserve,
                           GError **error);
GBytes *vma_header_encode(struct vma_header *h, GError **error);
/* How long the header that starts with these bytes is; 0 with error when they (>= 60 bytes) are no VMA. */
uint32_t vma_header_size_of(const uint8_t *bytes, size_t len, GError **error);
/* Strict: magic, version, md5, every pointer. Names are checked for safety where they are used as files. */
struct vma_header *vma_header_decode(const uint8_t *bytes, size_t len, GError **error);

/* "5a1d6d61-6b65-5f76-6d61-010203040506" */
char *vma_uuid_text(const uint8_t uuid[16]);
/* The dev_id of the device with this name, or -1. */
int vma_header_find_device(const struct vma_header *h, const char *name);

/* A device or config name that is safe as a file name: no '/', not '.' or '..', no control bytes, not empty.
 */
bool vma_name_is_safe(const char *name);
/* A drive's name as [A-Za-z0-9._-], never empty, never "vmstate" (then "vmstate_"); caller makes it unique.
 */
char *vma_name_make_safe(const char *name);

typedef struct vma_header vma_header;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_header, vma_header_free)
