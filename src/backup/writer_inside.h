// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The inside of the writer: writer.c passes extents on, writer_seal.c fills and seals them. */
#include "backup/writer.h"
#include "vma/extent.h"

#define MAX_IOV 1024 /* pieces of one write */

/* Something on its way to the target: an extent of a lane, or bytes that are ready as they are. */
struct item {
    struct writer *writer;
    struct writer_lane *lane; /* NULL for raw bytes */
    struct vma_extent extent;
    bool is_sealed;
    uint8_t *raw; /* header, end mark, or what came back from the spool */
    size_t raw_len;
    uv_work_t work;
};

struct writer_lane {
    struct writer *writer;
    uint8_t dev_id;
    bool is_vmstate;
    struct item *open; /* being filled, NULL if none */
    uint64_t zero_bytes;
};

struct writer {
    uv_loop_t *loop;
    struct sink *sink;
    struct pool *pool;
    struct spool *spool;
    uint64_t guest_reserve;
    uint8_t uuid[16];
    struct writer_events events;
    void *user;
    GPtrArray *lanes;
    struct vma_totals totals;

    GQueue unsealed;   /* full, no worker yet */
    GQueue sealing;    /* with workers, in order */
    unsigned n_sealing;
    GQueue ready;      /* sealed, next for the target */
    GQueue behind;     /* sealed, but the spool stands before them: drives … */
    GQueue behind_ram; /* … and RAM, which may not use the last of the spool */
    unsigned n_pushing;
    GQueue batch; /* being written */
    bool is_writing, is_popping, is_full, is_discarding, has_failed;
    uv_timer_t retry;
    struct iovec iov[MAX_IOV];
    unsigned n_iov;

    bool is_finishing, has_end_mark, is_rewriting;
    uint8_t end_flags;
    GBytes *final_header;
    void (*finished)(void *user);
    void *finished_user;
    bool is_closing, is_timer_closed;
    void (*closed)(void *user);
    void *closed_user;
};

/* writer.c: passes on whatever can be passed on. */
void writer_pump(struct writer *w);

/* writer_seal.c */
struct item *writer_item_new_raw(struct writer *w, const void *bytes, size_t len);
void writer_item_free(struct item *item); /* its buffers go back to the pool */
void writer_drop_all(GQueue *queue);
unsigned writer_item_iov(const struct item *item, struct iovec *iov, unsigned max);
uint64_t writer_item_length(const struct item *item);
void writer_seal_more(struct writer *w);
