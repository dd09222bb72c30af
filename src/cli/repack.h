// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What an archive holds goes into a writer, cluster by cluster: another archive, or a snapshot in a store.
 *
 *     static const struct repack_ops ops = {"exporting", "export", open_target, NULL};
 *     struct repack *r = repack_new(&ops, user);
 *     repack_run(r, path, &error) && …        // the target has its name
 *     repack_free(r);                         // what was not finished is gone
 *
 * Blocks: for buffers, workers and the disk. A signal (cli/signals.h) or the first fault of the archive ends it.
 */
#include <uv.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "cli/archive.h"
#include "sink/sink.h"

struct repack;
struct repack_ops {
    const char *doing; /* for the line that shows progress */
    const char *again; /* what to do when there is room again */
    /* The archive's header is known: sets sink and writer, and may change the header that goes into it. */
    bool (*open)(struct repack *r, const struct writer_events *events, GError **error);
    /* All of the archive was read, and it is undamaged. NULL: nothing is left to be done. */
    void (*read)(struct repack *r);
};
struct repack {
    const struct repack_ops *ops;
    void *user;
    struct cli_archive *archive;
    struct vma_header *header; /* of what is made: its devices keep their numbers */
    uv_loop_t loop;
    struct pool *pool;
    struct sink *sink;
    struct writer *writer;
    uv_timer_t wake;
    struct writer_lane *lanes[VMA_MAX_DEVICES];
    struct writer_lane *lane; /* that was added to last */
    uint8_t *cluster;         /* that is being filled, or NULL */
    unsigned n_added;         /* so far; it may wrap */
    GError *error;            /* of the target */
    bool is_done;             /* what the end waits for */
};

struct repack *repack_new(const struct repack_ops *ops, void *user);
/* Errors of the archive begin with "archive PATH: ". */
bool repack_run(struct repack *r, const char *path, GError **error);
/* For ops.read: takes this device out of what is made. */
void repack_drop(struct repack *r, int dev_id);
void repack_free(struct repack *r);
