// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast the writer packs: FILE as a drive, fed as fast as buffers come back, into /dev/null, or a store.
 *
 *     pack_bench FILE [LEVEL [THREADS [STORE]]]      "SECONDS PLAIN-BYTES PACKED-BYTES"
 *
 * To be held against `zstd -T2 -LEVEL -c FILE >/dev/null`, turn and turn about.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "archive/archive_writer.h"
#include "store/snapshot_writer.h"
#include "vma/extent.h"
#include "vma/header.h"

struct bench {
    uv_loop_t loop;
    struct pool *pool;
    struct writer *writer;
    struct writer_lane *lane;
    const uint8_t *bytes;
    GBytes *header;
    uint64_t size, at;
    bool is_finishing, is_done;
};

static void on_written(void *user)
{
    ((struct bench *)user)->is_done = true;
}

static void feed(void *user)
{
    struct bench *b = user;
    uint8_t *buffer;

    while (b->lane && b->at < b->size && (buffer = pool_take(b->pool, POOL_FOR_JOB))) {
        memcpy(buffer, b->bytes + b->at, VMA_CLUSTER_SIZE);
        writer_add(b->lane, (uint32_t)(b->at / VMA_CLUSTER_SIZE), buffer);
        b->at += VMA_CLUSTER_SIZE;
    }
    if (b->at == b->size && !b->is_finishing) {
        b->is_finishing = true;
        writer_finish(b->writer, VMA_END_COMPLETE, 0, b->header, on_written, b);
    }
}

static void on_full(void *user, bool is_full)
{
}

static void on_error(void *user, const GError *error)
{
    g_error("%s", error->message);
}

static void map_file(struct bench *b, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < VMA_CLUSTER_SIZE)
        g_error("%s: no file of at least 64 KiB", path);
    b->size = (uint64_t)st.st_size / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE;
    b->bytes = mmap(NULL, b->size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (b->bytes == MAP_FAILED)
        g_error("%s: cannot be mapped", path);
}

static struct writer *open_writer(struct bench *b, struct sink **sink, char **argv, int level, unsigned threads)
{
    static const struct writer_events events = {.on_room = feed, .on_full = on_full, .on_error = on_error};
    static const uint8_t uuid[16] = "pack-bench";
    const char *dir = argv[2] && argv[3] ? argv[4] : NULL;
    g_autoptr(GError) error = NULL;
    struct writer *w;

    *sink = dir ? snapshot_target_open(&b->loop, dir, "bench", "bench", level, &error)
                : sink_open(&b->loop, "/dev/null", NULL, &error);
    if (!*sink)
        g_error("%s", error->message);
    if (dir)
        return snapshot_writer_new(&b->loop, *sink, b->pool, threads, &events, b);
    w = archive_writer_new(&b->loop, *sink, b->pool, uuid, &events, b);
    archive_writer_set_compression(w, level, threads);
    return w;
}

int main(int argc, char **argv)
{
    static const uint8_t uuid[16] = "pack-bench";
    struct bench b = {.pool = pool_new(960, NULL)};
    struct vma_header *header = vma_header_new(uuid, 0);
    struct sink *sink;
    gint64 start;

    if (argc < 2)
        g_error("which file?");
    g_setenv("UV_THREADPOOL_SIZE", "12", TRUE);
    map_file(&b, argv[1]);
    uv_loop_init(&b.loop);
    vma_header_add_device(header, "d", b.size, NULL);
    b.header = vma_header_encode(header, NULL);
    start = g_get_monotonic_time();
    b.writer = open_writer(&b, &sink, argv, argc > 2 ? atoi(argv[2]) : 3, argc > 3 ? (unsigned)atoi(argv[3]) : 2);
    b.lane = writer_add_lane(b.writer, 1, false);
    writer_set_size(b.lane, b.size);
    writer_put_header(b.writer, b.header);
    feed(&b);
    while (!b.is_done)
        uv_run(&b.loop, UV_RUN_ONCE);
    printf("%.3f %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", (double)(g_get_monotonic_time() - start) / 1e6,
           writer_plain_bytes(b.writer), sink_written(sink));
    return 0;
}
