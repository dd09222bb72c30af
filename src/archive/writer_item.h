// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What goes from stage to stage of the writer, and what all of them share.
 *
 *     seal, pack ─▶ spool ─▶ place ─▶ target            end: when all of it is through
 *
 * Each takes from its queue (in) and puts into that of the next (out); none knows what comes before it. `next` is what
 * it does when it can: archive_writer.c asks them all whenever on_moved() says that something has ended.
 */
#include <uv.h>
#include "archive/archive_writer.h"
#include "archive/writer_ops.h"
#include "sink/stored.h"
#include "vma/extent.h"
#include "vma/layout.h"

struct writer_env {
    uv_loop_t *loop;
    struct sink *sink;
    struct pool *pool;
    struct writer_events events;
    void *user; /* of the events */
    struct writer *writer;
    void (*on_moved)(struct writer *w);                       /* something has ended: what is next? */
    void (*on_failed)(struct writer *w, const GError *error); /* for ever */
    void (*on_retry)(struct writer *w);                       /* what is next, in a second? */
    GPtrArray *lanes;
    uint8_t uuid[16];
    gint is_discarding; /* only the loop sets it; atomic, for the workers: what they have is no longer wanted */
};

struct extent_lane {
    struct writer_lane base;
    struct seal_stage *seal;
    unsigned index; /* in lanes, and in the layout */
    uint8_t dev_id;
    bool is_vmstate;
    unsigned generation;      /* dropped so many times */
    struct item *open;        /* being filled, NULL if none */
    GByteArray *empty;        /* headers of extents without any data, to be packed together */
    struct vma_totals totals; /* of what was sealed and not dropped */
};

/* An extent of a lane, or bytes that are ready as they are. */
struct item {
    uv_work_t work; /* the first: writer_seal.c */
    struct writer_env *env;
    struct extent_lane *lane; /* NULL for the header */
    unsigned generation;      /* of its lane; an older one's was dropped */
    struct vma_extent extent;
    uint32_t first_zero, n_zeroes; /* clusters of zeros: many extents without any data, made by the worker */
    struct vma_totals totals;      /* of these */
    uint8_t *raw; /* the header, what came back from the spool, or the headers of extents without any data */
    bool is_sealed;
    bool is_packed;        /* its frame lies in the buffers of its clusters, and what did not fit there in raw */
    struct stored *stored; /* or it does not shrink: a frame around it as it is; else NULL */
    uint64_t plain_len;    /* of the frame, unpacked; of many extents without any data, where nothing is packed */
    struct iovec *pieces;  /* once it is sealed: what is to be written */
    unsigned n_pieces;
    uint64_t length; /* of all pieces */
};

/* Takes raw, whose it consists then; NULL: an extent to be filled. */
struct item *writer_item_new(struct writer_env *env, struct extent_lane *lane, void *raw, size_t len);
void writer_item_free(struct item *item); /* its buffers go back to the pool */
void writer_item_set_pieces(struct item *item, const struct iovec *pieces, unsigned n);
bool writer_item_is_stale(const struct item *item); /* nobody wants it any more */
void writer_item_free_stale(GQueue *queue);
