// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup export ARCHIVE -o TARGET`: a snapshot of a store, or any archive, as an archive of its own. */
#include <string.h>
#include <uv.h>

#include "archive/archive_writer.h"
#include "base/error.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "options/options.h"
#include "vma/extent.h"

#define POOL_BUFFERS    768 /* 48 MiB, as a backup has */
#define MIN_FREE        8   /* buffers before more is read: what one piece of the archive can fill */
#define MAX_QUEUED      64  /* extents: those of zeros hold no buffers */
#define CLUSTERS_A_TURN 32  /* of the loop, at most */
#define WAKE_MS         100 /* how often it looks for signals while the target is slow */

struct export
{
    const struct backup_options *options;
    struct cli_archive *archive;
    uv_loop_t loop;
    uv_timer_t wake;
    struct pool *pool;
    struct sink *sink;
    struct writer *writer;
    struct vma_header *header;
    struct writer_lane *lanes[VMA_MAX_DEVICES];
    struct writer_lane *lane; /* that was added to last */
    uint8_t *cluster;         /* that is being filled, or NULL */
    unsigned n_clusters;      /* so far; it may wrap */
    GError *error;            /* of the target */
    bool is_done;             /* what finish() waits for */
};

/* ---- the target ---- */

static void on_room(void *user)
{
}

static void on_full(void *user, bool is_full)
{
    struct export *x = user;
    if (is_full && !x->error)
        g_set_error(&x->error, VMB_ERROR, VMB_ERROR_TARGET, "target %s is full; free some room and export it again",
                    sink_name(x->sink));
}

static void on_error(void *user, const GError *error)
{
    struct export *x = user;
    if (!x->error)
        x->error = g_error_copy(error);
}

static bool is_stopped(struct export *x, GError **error)
{
    if (x->error)
        g_propagate_error(error, g_error_copy(x->error));
    else if (signals_caught())
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_CANCELLED, "interrupted");
    return x->error || signals_caught();
}

static bool has_room(const struct export *x)
{
    return pool_free_count(x->pool) >= MIN_FREE && writer_queued(x->writer) <= MAX_QUEUED;
}

/* Lets the writer work, now and then; waits while it has enough. */
static bool settle(struct export *x, GError **error)
{
    if (++x->n_clusters % CLUSTERS_A_TURN && has_room(x))
        return true;
    uv_run(&x->loop, UV_RUN_NOWAIT);
    while (!is_stopped(x, error)) {
        if (has_room(x))
            return true;
        uv_run(&x->loop, UV_RUN_ONCE);
    }
    return false;
}

static void on_wake(uv_timer_t *timer)
{
}

/* ---- what comes from the archive ---- */

static bool open_target(struct export *x, GError **error)
{
    static const struct writer_events events = {on_room, on_full, on_error, NULL};
    const struct backup_options *o = x->options;
    g_autoptr(GBytes) header = vma_header_encode(x->header, error);
    if (header)
        x->sink = sink_open(&x->loop, o->target, &(struct sink_options){.force = o->force}, error);
    if (!x->sink)
        return false;
    x->writer = archive_writer_new(&x->loop, x->sink, x->pool, x->header->uuid, &events, x);
    if (backup_options_level(o))
        archive_writer_set_compression(x->writer, backup_options_level(o), backup_options_threads(o));
    writer_put_header(x->writer, header);
    return true;
}

static bool on_header(void *user, const struct vma_header *h, GError **error)
{
    struct export *x = user;
    x->header = vma_header_copy(h);
    x->header->has_extension = true; /* what we write has digests and an end mark */
    if (!open_target(x, error))
        return false;
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!h->devices[i].name)
            continue;
        x->lanes[i] =
            writer_add_lane(x->writer, (uint8_t)i, i == vma_check_vmstate_id(vma_walk_check(x->archive->walk)));
        writer_set_size(x->lanes[i], h->devices[i].size);
    }
    return true;
}

/* The lane's extents are those of one device after the other: only one of them is open, with its buffers. */
static void add_cluster(struct export *x, int dev_id, uint64_t cluster)
{
    if (x->lane && x->lane != x->lanes[dev_id])
        writer_flush_lane(x->lane);
    x->lane = x->lanes[dev_id];
    writer_add(x->lane, (uint32_t)cluster, g_steal_pointer(&x->cluster));
}

static uint64_t end_of_cluster(const struct export *x, int dev_id, uint64_t offset)
{
    uint64_t end = (offset / VMA_CLUSTER_SIZE + 1) * VMA_CLUSTER_SIZE;
    bool is_ram = dev_id == vma_check_vmstate_id(vma_walk_check(x->archive->walk));
    return is_ram ? end : MIN(end, x->header->devices[dev_id].size);
}

/* Within one cluster; bytes NULL: zeros. A cluster's bytes follow each other in every archive. */
static void put(struct export *x, uint64_t offset, const uint8_t *bytes, size_t len)
{
    size_t at = offset % VMA_CLUSTER_SIZE;
    if (bytes && !x->cluster) {
        x->cluster = pool_take(x->pool, POOL_FOR_GUEST);
        memset(x->cluster, 0, VMA_CLUSTER_SIZE);
    }
    if (bytes)
        memcpy(x->cluster + at, bytes, len);
}

static bool add(struct export *x, int dev_id, uint64_t offset, const uint8_t *bytes, uint64_t len, GError **error)
{
    while (len) {
        uint64_t end = end_of_cluster(x, dev_id, offset), n = MIN(len, end - offset);
        if (!settle(x, error))
            return false;
        put(x, offset, bytes, n);
        if (offset + n == end)
            add_cluster(x, dev_id, offset / VMA_CLUSTER_SIZE);
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
    cli_archive_stop(((struct export *)user)->archive, offset, text);
}

/* ---- the end ---- */

static void on_written(void *user)
{
    ((struct export *)user)->is_done = true;
}

static void on_durable(void *user, const GError *error)
{
    struct export *x = user;
    if (error)
        on_error(x, error);
    x->is_done = true;
}

static bool wait_until_done(struct export *x, GError **error)
{
    while (!is_stopped(x, error)) {
        if (x->is_done)
            return true;
        uv_run(&x->loop, UV_RUN_ONCE);
    }
    return false;
}

static bool finish(struct export *x, GError **error)
{
    const struct vma_check *check = vma_walk_check(x->archive->walk);
    uint64_t ram_bytes = vma_check_result(check)->seen.vmstate_bytes;
    uint8_t lost = vma_check_result(check)->lost_devices ? VMA_END_DEVICE_LOST : 0;
    int ram = vma_check_vmstate_id(check);
    if (ram && ram_bytes)
        vma_header_set_size(x->header, ram, (ram_bytes + VMA_CLUSTER_SIZE - 1) / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE);
    g_autoptr(GBytes) header = vma_header_encode(x->header, error);
    if (!header)
        return false;
    writer_finish(x->writer, VMA_END_COMPLETE | lost, ram_bytes, header, on_written, x);
    if (!wait_until_done(x, error))
        return false;
    x->is_done = false;
    sink_finish(x->sink, on_durable, x);
    return wait_until_done(x, error);
}

static void on_closed(void *user)
{
    g_clear_pointer(&((struct export *)user)->sink, sink_free);
}

static void close_all(struct export *x)
{
    cli_archive_free(x->archive);
    uv_close((uv_handle_t *)&x->wake, NULL);
    if (x->writer) {
        sink_abort(x->sink, false);
        writer_close(x->writer, on_closed, x);
    }
    uv_run(&x->loop, UV_RUN_DEFAULT);
    uv_loop_close(&x->loop);
    pool_free(x->pool);
    vma_header_free(x->header);
    g_clear_error(&x->error);
}

static bool export(const char *path, const struct backup_options *options, GError **error)
{
    static const struct vma_walk_ops ops = {on_header, on_data, on_zeroes, on_fault};
    struct export x = {.options = options, .pool = pool_new(POOL_BUFFERS, NULL)};
    uv_loop_init(&x.loop);
    uv_timer_init(&x.loop, &x.wake);
    uv_timer_start(&x.wake, on_wake, WAKE_MS, WAKE_MS);
    x.archive = cli_archive_open(path, &ops, &x, error);
    bool is_good = x.archive && cli_archive_read(x.archive, "exporting", error) && finish(&x, error);
    close_all(&x);
    return is_good;
}

static bool check(struct backup_options *o, int level, int threads, GError **error)
{
    if (!o->target || !*o->target)
        return vmb_fail(error, VMB_ERROR_USAGE, "export: name a target by -o");
    if (level < -1 || level > 19 || threads < 0 || threads > 64)
        return vmb_fail(error, VMB_ERROR_USAGE, "export: level is 0 to 19, threads 1 to 64");
    o->level = level;
    o->threads = (unsigned)threads;
    return backup_options_check(o, error);
}

int cli_export(int argc, char **argv)
{
    struct backup_options options;
    int level = -1, threads = 0;
    gboolean is_forced = FALSE;
    g_autoptr(GError) error = NULL;
    backup_options_init(&options);
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.target,
         "FILE.vma, FILE.vma.zst, - for standard output, or |COMMAND", "TARGET"},
        {"level", 0, 0, G_OPTION_ARG_INT, &level, "Compress by zstd: 1 to 19 (default 3 for FILE.zst, else not at all)",
         "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "That compress (default: one for each processor, at most 8)",
         "N"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &is_forced, "Replace an existing archive, or what a block device holds",
         NULL},
        G_OPTION_ENTRY_NULL,
    };
    bool is_good = cli_parse_counted(&argc, &argv, entries, "ARCHIVE -o TARGET",
                                     "Makes an archive of a snapshot in a store: one file that holds all of it, for\n"
                                     "Proxmox or a tape. Another archive is packed anew. A damaged one is refused.",
                                     1, 1, &error);
    options.force = is_forced;
    if (is_good && check(&options, level, threads, &error)) {
        signals_catch();
        is_good = export(argv[1], &options, &error);
    }
    backup_options_clear(&options);
    return signals_leave(error ? cli_fail(error) : 0);
}
