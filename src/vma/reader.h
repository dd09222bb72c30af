// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive read from front to back, without IO: bytes in any split, the same events out.
 *
 *     g_autoptr(vma_reader) r = vma_reader_new();
 *     while ((n = read(fd, buffer, sizeof buffer)) > 0) {
 *         vma_reader_feed(r, buffer, n);                          // borrowed until VMA_READ_MORE
 *         while ((event = vma_reader_next(r)) != VMA_READ_MORE) …
 *     }
 *     vma_reader_feed_end(r);                                     // then VMA_READ_END or VMA_READ_BROKEN
 *
 *     HEADER  (EXTENT  BLOCK*  EXTENT_END)*  END
 *
 * Zeros behind the end mark (of other programs' archives: behind the last extent) are padding, and no fault.
 *
 * It checks what stands in one place: headers, their checksums and uuid, lengths, payload digests. What only
 * shows over the whole archive (a cluster twice, or never) is for vma/check.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "vma/entry.h"
#include "vma/extent.h"
#include "vma/header.h"

enum vma_read_event {
    VMA_READ_MORE,       /* everything fed was used: feed more */
    VMA_READ_HEADER,     /* vma_reader_header() */
    VMA_READ_EXTENT,     /* an extent header: vma_reader_extent(), with its entries */
    VMA_READ_BLOCK,      /* a stored block: vma_reader_block() */
    VMA_READ_EXTENT_END, /* its payload was read: is_digest_good is known */
    VMA_READ_END,        /* after vma_reader_feed_end(), at a place where an archive may end */
    VMA_READ_BROKEN,     /* vma_reader_why(), vma_reader_offset(); final, unless vma_reader_resync() */
};

struct vma_read_extent {
    uint64_t offset; /* of its header in the archive */
    uint8_t header[VMA_EXTENT_HEADER_SIZE];
    unsigned n; /* used entries, in order */
    struct vma_entry entries[VMA_CLUSTERS_PER_EXTENT];
    unsigned blocks; /* stored behind the header */
    bool has_digest;
    uint8_t digest[16];
    bool is_digest_good; /* at VMA_READ_EXTENT_END */
    bool is_end_mark;    /* then: */
    uint8_t end_flags;   /* VMA_END_* */
    struct vma_totals end;
};

/* The same from a header alone, which vma_entry_check_header() has found good. */
void vma_read_extent_parse(struct vma_read_extent *e, const uint8_t header[VMA_EXTENT_HEADER_SIZE], uint64_t offset);

struct vma_read_block {
    uint8_t dev_id;
    uint32_t cluster;
    unsigned entry;      /* of the extent */
    unsigned block;      /* 0…15 of the cluster */
    const uint8_t *data; /* VMA_BLOCK_SIZE bytes; good until VMA_READ_MORE was returned once more */
};

struct vma_reader;
struct vma_reader *vma_reader_new(void);
void vma_reader_free(struct vma_reader *r);
void vma_reader_feed(struct vma_reader *r, const uint8_t *bytes, size_t len);
void vma_reader_feed_end(struct vma_reader *r);
/* What stands behind the end mark is no part of the archive: VMA_READ_END comes there, and the rest is dropped. */
void vma_reader_end_at_mark(struct vma_reader *r);
enum vma_read_event vma_reader_next(struct vma_reader *r);
/* After VMA_READ_BROKEN behind the archive header: look for the next good extent header of this archive, in
 * steps of 512 bytes. False when there is nothing to look for (the header itself is broken, or all was read).
 */
bool vma_reader_resync(struct vma_reader *r);
/* What is fed next stands `lost` bytes behind what was fed last, all of which has been used; behind the
 * header only. An extent under way is given up; it goes on as after vma_reader_resync(). */
void vma_reader_gap(struct vma_reader *r, uint64_t lost);

const struct vma_header *vma_reader_header(const struct vma_reader *r); /* NULL before VMA_READ_HEADER */
const struct vma_read_extent *vma_reader_extent(const struct vma_reader *r);
const struct vma_read_block *vma_reader_block(const struct vma_reader *r);
const char *vma_reader_why(const struct vma_reader *r);   /* one sentence, safe to print */
uint64_t vma_reader_offset(const struct vma_reader *r);   /* where the fault begins */
uint64_t vma_reader_consumed(const struct vma_reader *r); /* bytes of the archive used so far */

typedef struct vma_reader vma_reader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_reader, vma_reader_free)
