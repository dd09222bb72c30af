// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/repack.h"

#include <string.h>

#include "base/error.h"
#include "cli/signals.h"
#include "vma/extent.h"

#define POOL_BUFFERS    768  /* 48 MiB, as a backup has */
#define MIN_FREE        8    /* buffers before more is read: what one piece of the archive can fill */
#define MAX_QUEUED      64   /* extents or chunks: those of zeros hold no buffers */
#define CLUSTERS_A_TURN 32   /* of the loop, at most */
#define ZEROS_A_TURN    4096 /* clusters of zeros in a row */
#define WAKE_MS         100  /* how often it looks for signals while the target is slow */

/* ---- the target ---- */

static void on_room(void *user)
{
}

/* Nobody's guest waits for this: who asked for it makes room and asks again. */
static void on_full(void *user, bool is_full)
{
    struct repack *r = user;
    if (is_full && !r->error)
        vmb_error_set(&r->error, VMB_ERROR_TARGET, "target %s is full; free some room and %s it again",
                      sink_name(r->sink), r->ops->again);
}

static void on_error(void *user, const GError *error)
{
    struct repack *r = user;
    if (!r->error)
        r->error = g_error_copy(error);
}

static bool is_stopped(const struct repack *r, GError **error)
{
    if (r->error)
        g_propagate_error(error, g_error_copy(r->error));
    else if (signals_caught())
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_CANCELLED, "interrupted");
    return r->error || signals_caught();
}

static bool has_room(const struct repack *r)
{
    return pool_free_count(r->pool) >= MIN_FREE && writer_queued(r->writer) <= MAX_QUEUED;
}

/* Waits while the writer has enough. What it keeps for the rest of a chunk would wait for us: it has to put that away
 * when nothing else brings buffers back. */
static bool wait_for_room(struct repack *r, GError **error)
{
    while (!is_stopped(r, error)) {
        if (has_room(r))
            return true;
        if (!writer_queued(r->writer))
            writer_flush(r->writer);
        uv_run(&r->loop, UV_RUN_ONCE);
    }
    return false;
}

/* Lets the writer work, now and then. */
static bool settle(struct repack *r, bool is_due, GError **error)
{
    if (!is_due && ++r->n_added % CLUSTERS_A_TURN && has_room(r))
        return true;
    uv_run(&r->loop, UV_RUN_NOWAIT);
    return wait_for_room(r, error);
}

static void on_wake(uv_timer_t *timer)
{
}

/* ---- what comes from the archive ---- */

static int ram_id(const struct repack *r)
{
    return vma_check_vmstate_id(vma_walk_check(r->archive->walk));
}

static void add_lane(struct repack *r, int dev_id)
{
    r->lanes[dev_id] = writer_add_lane(r->writer, (uint8_t)dev_id, dev_id == ram_id(r));
    if (dev_id != ram_id(r)) /* whose declared size means nothing */
        writer_set_size(r->lanes[dev_id], r->header->devices[dev_id].size);
}

static bool on_header(void *user, const struct vma_header *h, GError **error)
{
    static const struct writer_events events = {on_room, on_full, on_error, NULL};
    struct repack *r = user;
    r->header = vma_header_copy(h);
    r->header->has_extension = true; /* what we write has digests and an end mark */
    g_autoptr(GBytes) header = vma_header_encode(r->header, error);
    if (!header || !r->ops->open(r, &events, error))
        return false;
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++)
        if (h->devices[i].name)
            add_lane(r, i);
    writer_put_header(r->writer, header);
    return !is_stopped(r, error);
}

/* The lane's extents are those of one device after the other: only one of them is open, with its buffers. */
static struct writer_lane *lane_of(struct repack *r, int dev_id)
{
    if (r->lane && r->lane != r->lanes[dev_id])
        writer_flush_lane(r->lane);
    return r->lane = r->lanes[dev_id];
}

/* Whole clusters of zeros that a range begins with; a few at a time. */
static uint32_t add_whole_zeroes(struct repack *r, int dev_id, uint64_t offset, uint64_t len)
{
    uint32_t n = offset % VMA_CLUSTER_SIZE ? 0 : (uint32_t)MIN(len / VMA_CLUSTER_SIZE, ZEROS_A_TURN);
    if (n)
        writer_add_zeroes(lane_of(r, dev_id), (uint32_t)(offset / VMA_CLUSTER_SIZE), n);
    return n;
}

static uint64_t end_of_cluster(const struct repack *r, int dev_id, uint64_t offset)
{
    uint64_t end = (offset / VMA_CLUSTER_SIZE + 1) * VMA_CLUSTER_SIZE;
    return dev_id == ram_id(r) ? end : MIN(end, r->header->devices[dev_id].size);
}

/* Within one cluster; bytes NULL: zeros. A cluster's bytes follow each other in every archive. */
static void put(struct repack *r, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len)
{
    if (bytes && !r->cluster) {
        r->cluster = pool_take(r->pool, POOL_FOR_GUEST);
        memset(r->cluster, 0, VMA_CLUSTER_SIZE);
    }
    if (bytes)
        memcpy(r->cluster + offset % VMA_CLUSTER_SIZE, bytes, len);
    if (offset + len == end_of_cluster(r, dev_id, offset))
        writer_add(lane_of(r, dev_id), (uint32_t)(offset / VMA_CLUSTER_SIZE), g_steal_pointer(&r->cluster));
}

/* Behind a fault nothing is taken: a cluster might come twice. */
static bool add(struct repack *r, int dev_id, uint64_t offset, const uint8_t *bytes, uint64_t len, GError **error)
{
    while (len && !r->archive->stop) {
        uint64_t n = bytes ? 0 : (uint64_t)add_whole_zeroes(r, dev_id, offset, len) * VMA_CLUSTER_SIZE;
        if (!settle(r, n, error))
            return false;
        if (!n) {
            n = MIN(len, end_of_cluster(r, dev_id, offset) - offset);
            put(r, dev_id, offset, bytes, n);
        }
        offset += n;
        bytes = bytes ? bytes + n : NULL;
        len -= n;
    }
    return true;
}

static bool on_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    return add(user, dev_id, offset, bytes, len, error);
}

static bool on_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    return add(user, dev_id, offset, NULL, len, error);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    cli_archive_stop(((struct repack *)user)->archive, offset, text);
}

/* ---- the end ---- */

void repack_drop(struct repack *r, int dev_id)
{
    writer_drop_lane(r->lanes[dev_id]);
    vma_header_drop_device(r->header, dev_id);
}

static void on_written(void *user)
{
    ((struct repack *)user)->is_done = true;
}

static void on_durable(void *user, const GError *error)
{
    if (error)
        on_error(user, error);
    else
        on_written(user);
}

/* What has its name already is not given up. */
static bool wait_until_done(struct repack *r, GError **error)
{
    while (!r->is_done && !is_stopped(r, error))
        uv_run(&r->loop, UV_RUN_ONCE);
    return r->is_done;
}

static bool finish(struct repack *r, GError **error)
{
    const struct vma_check *check = vma_walk_check(r->archive->walk);
    const struct vma_check_result *is = vma_check_result(check);
    uint8_t lost = is->lost_devices ? VMA_END_DEVICE_LOST : 0;
    /* None of a RAM that is not whole: with the length of what came it would be. */
    uint64_t ram_bytes = vma_check_is_whole(check, ram_id(r)) ? is->seen.vmstate_bytes : 0;
    if (r->ops->read)
        r->ops->read(r);
    if (ram_bytes)
        vma_header_set_size(r->header, ram_id(r), vma_clusters_of(ram_bytes) * VMA_CLUSTER_SIZE);
    g_autoptr(GBytes) header = vma_header_encode(r->header, error);
    if (!header)
        return false;
    writer_finish(r->writer, VMA_END_COMPLETE | lost, ram_bytes, header, on_written, r);
    if (!wait_until_done(r, error))
        return false;
    r->is_done = false;
    sink_finish(r->sink, on_durable, r);
    return wait_until_done(r, error);
}

bool repack_run(struct repack *r, const char *path, GError **error)
{
    static const struct vma_walk_ops ops = {on_header, on_data, on_zeroes, on_fault};
    r->archive = cli_archive_open(path, &ops, r, error);
    return r->archive && cli_archive_read(r->archive, r->ops->doing, error) && finish(r, error);
}

/* ---- life ---- */

struct repack *repack_new(const struct repack_ops *ops, void *user)
{
    struct repack *r = g_new0(struct repack, 1);
    r->ops = ops;
    r->user = user;
    r->pool = pool_new(POOL_BUFFERS, NULL);
    uv_loop_init(&r->loop);
    uv_timer_init(&r->loop, &r->wake);
    uv_timer_start(&r->wake, on_wake, WAKE_MS, WAKE_MS);
    return r;
}

static void on_closed(void *user)
{
    sink_free(((struct repack *)user)->sink);
}

void repack_free(struct repack *r)
{
    cli_archive_free(r->archive);
    uv_close((uv_handle_t *)&r->wake, NULL);
    if (r->sink)
        sink_abort(r->sink, false);
    if (r->writer)
        writer_close(r->writer, on_closed, r);
    else
        sink_free(r->sink);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    pool_free(r->pool);
    vma_header_free(r->header);
    g_clear_error(&r->error);
    g_free(r);
}
