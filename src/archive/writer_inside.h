// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of the writer: writer_seal.c fills and seals extents, writer_pack.c compresses them, writer_spool.c takes
 * them past the spool, writer_batch.c to the target, writer_end.c closes the archive; writer.c holds them together.
 */
#include "archive/map.h"
#include "archive/writer.h"
#include "sink/compress.h"
#include "sink/seek_table_writer.h"
#include "sink/stored.h"
#include "vma/extent.h"
#include "vma/layout.h"

#define MAX_IOV      1024 /* pieces of one write */
#define ITEM_MAX_IOV (VMA_EXTENT_MAX_IOV + STORED_MORE(VMA_MAX_EXTENT_SIZE))

/* Something on its way to the target: an extent of a lane, or bytes that are ready as they are. */
struct item {
    struct writer *writer;
    struct writer_lane *lane; /* NULL for the header */
    unsigned generation;      /* of its lane; an older one's was dropped */
    struct vma_extent extent;
    bool is_sealed;
    bool is_packed; /* its frame lies in the buffers of its clusters, and what did not fit there in raw: */
    size_t packed_len;
    struct stored *stored; /* or it does not shrink: a frame around it as it is; else NULL */
    uint8_t *raw;          /* the header, what came back from the spool, or the headers of extents without any data */
    size_t raw_len;
    uint64_t plain_len; /* of the frame, unpacked */
    uv_work_t work;
};

struct writer_lane {
    struct writer *writer;
    unsigned index; /* in lanes, and in the layout */
    uint8_t dev_id;
    bool is_vmstate;
    unsigned generation; /* dropped so many times */
    struct item *open;   /* being filled, NULL if none */
    GByteArray *empty;   /* headers of extents without any data, to be packed together */
    uint64_t zero_bytes;
    struct map map;           /* of what was sealed and not dropped */
    struct vma_totals totals; /* of what was sealed and not dropped */
};

/* The steps of writer_end.c, in order. */
enum writer_stage { STAGE_SETTLE, STAGE_MOVE, STAGE_PUT, STAGE_STAY, STAGE_CUT, STAGE_MARK, STAGE_HEADER, STAGE_DONE };

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
    struct vma_layout *layout;        /* NULL where nothing can be taken out again, or it is packed */
    struct seek_table_writer *frames; /* NULL where it is not packed */
    uint64_t dead_at, dead_len;       /* frames that become a skippable one */
    GAsyncQueue *compressors;         /* idle ones, one for each worker; NULL where nothing is packed */
    gint is_discarding;   /* only the loop sets it; atomic, for the workers: what they have is no longer wanted */
    unsigned max_sealing; /* with workers, or ready for the next that is idle */

    GQueue unsealed; /* full, no worker yet */
    GQueue sealing;  /* with workers, in order */
    unsigned n_sealing;
    GQueue ready;            /* sealed, next for the target */
    GQueue behind;           /* sealed, but the spool stands before them: drives … */
    GQueue behind_ram;       /* … and RAM, which may not use the last of the spool */
    GQueue in_spool;         /* whose each record is: writer_spool.c */
    struct item *pushing;    /* one at a time: if that fails, nothing has gone past it */
    uint64_t spool_retry_ms; /* uv_now(): its disk has failed, and counts as full until then */
    bool has_spool_failed, is_push_lost, is_rams_turn;
    GQueue batch;      /* being written, or waiting for room */
    uint64_t batch_at; /* its place; APPEND: the end of the archive */
    bool is_writing, is_popping, is_full, has_failed;
    uv_timer_t retry;
    struct iovec iov[MAX_IOV];
    unsigned n_iov;

    bool is_finishing, is_ending; /* ending: an operation of writer_end.c is under way */
    enum writer_stage stage;
    struct vma_move move;
    uint8_t *moving;                            /* an extent on its way to another place */
    unsigned n_cut;                             /* blocks of it that go; the others stay */
    uint8_t end_header[VMA_EXTENT_HEADER_SIZE]; /* of what goes */
    GByteArray *end_bytes;                      /* end mark, then the final header */
    struct vma_totals totals;                   /* at the end */
    uint8_t end_flags;
    GBytes *final_header;
    void (*finished)(void *user);
    void *finished_user;
    bool is_closing, is_timer_closed;
    void (*closed)(void *user);
    void *closed_user;
};

/* writer.c */
void writer_pump(struct writer *w); /* passes on whatever can be passed on */
void writer_fail(struct writer *w, const GError *error);
/* The target has no room (or has some again): the operation is tried again every second. True: error said so. */
bool writer_check_full(struct writer *w, const GError *error);
void writer_retry_later(struct writer *w);
void writer_maybe_free(struct writer *w);

/* writer_seal.c */
struct item *writer_item_new_raw(struct writer *w, void *bytes, size_t len); /* takes the bytes */
void writer_item_free(struct item *item);                                    /* its buffers go back to the pool */
bool writer_item_is_stale(const struct item *item);
void writer_drop_all(GQueue *queue);
void writer_drop_stale(GQueue *queue);
unsigned writer_item_iov(const struct item *item, struct iovec *iov, unsigned max); /* ITEM_MAX_IOV always suffices */
uint64_t writer_item_length(const struct item *item);
void writer_seal_more(struct writer *w);

/* writer_pack.c */
struct compress *writer_pack_begin(struct writer *w); /* waits until one is idle; NULL where nothing is packed */
void writer_pack_in_worker(struct item *item, struct compress *compress); /* gives it back */
void writer_pack_end(struct item *item);   /* its worker is done: buffers go back that are of no more use */
void writer_pack_empty(struct item *item); /* takes it: an extent without any data */
bool writer_pack_flush(struct writer *w);  /* False: there was nothing left to be packed */
/* As they stand in the archive: unchanged, or as a frame whose length depends on theirs alone. */
GByteArray *writer_pack_store(const struct writer *w, const void *bytes, size_t len);
/* On a block device the length stands before the header, from the end on: else the seek table could not be found. */
bool writer_pack_tells_length(const struct writer *w);
GByteArray *writer_pack_length(uint64_t archive_len);
void writer_pack_free(struct writer *w);

/* writer_spool.c */
bool writer_spool_is_empty(const struct writer *w);
void writer_spool_pass_on(struct writer *w);
bool writer_spool_pop(struct writer *w); /* one record, if there is one */

/* writer_batch.c */
bool writer_batch_bury(struct writer *w);  /* dropped frames; false: there are none */
void writer_batch_start(struct writer *w); /* there is something ready, and nothing being written */
void writer_batch_undo(struct writer *w);  /* what waits for room is ready again, or was dropped */
void writer_batch_retry(struct writer *w);

/* writer_end.c */
void writer_end_more(struct writer *w);
