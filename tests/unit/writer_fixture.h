// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A writer with drives and a RAM stream to be fed, and a judge of what comes out, for the tests of the writer. */
#include "archive/archive_writer.h"
#include "archive/map.h"
#include "base/error.h"
#include "sink/source.h"
#include "unit/loop_fixture.h"
#include "vma/header.h"
#include "vma/verify.h"

#define DRIVES         6
#define DRIVE_BYTES    (150 * (uint64_t)VMA_CLUSTER_SIZE - 1024) /* 150 clusters, the last one is short */
#define RAM_CLUSTERS   400
#define RAM_BYTES      (RAM_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE - 77)
#define BUFFERS        320
#define DRIVE_CLUSTERS 150
#define VAST_CLUSTERS  50000 /* of one more drive, all zero */
#define VAST_BYTES     (VAST_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE)

static void packed_fixture_up(struct fixture *f, gconstpointer data)
{
    fixture_up(f, data);
    f->is_packed = true;
}

struct job {
    struct fixture *f;
    struct pool *pool;
    struct sink *sink;
    struct spool *spool;
    struct writer *writer;
    struct vma_header *header;
    struct writer_lane *lanes[DRIVES], *ram, *vast;
    unsigned next[DRIVES], next_ram, next_vast; /* cluster to be given */
    unsigned generation[DRIVES];                /* drops, so far */
    bool is_left_out[DRIVES];                   /* dropped for ever */
    unsigned n_errors, n_full, n_room_again, n_spool_errors;
    uint64_t most_spooled;
    bool is_written, is_closed, is_finish_asked;
    GError *error;
};

/* --- feeding ------------------------------------------------------------------------------------ */

/* Each drive's clusters in an order of its own; some zero, some nearly. */
static uint32_t cluster_at(unsigned drive, unsigned i)
{
    return (i * 7 + drive * 31) % DRIVE_CLUSTERS;
}

/* What its data consists of: that byte everywhere, or at the start of each block with noise behind it. */
static uint8_t drive_byte(const struct job *j, unsigned drive)
{
    return (uint8_t)(drive + 1 + j->generation[drive] * DRIVES);
}

/* Hardly to be compressed. */
static void add_noise(uint8_t *data)
{
    static uint32_t noise = 1;

    for (unsigned i = 0; i < VMA_CLUSTER_SIZE; i += 4)
        if (data[i] && i % VMA_BLOCK_SIZE) {
            noise = noise * 1664525u + 1013904223u;
            memcpy(data + i, &noise, 4);
        }
}

static bool give_drive(struct job *j, unsigned drive)
{
    uint32_t cluster = cluster_at(drive, j->next[drive]);
    uint8_t *data = NULL;

    if (j->next[drive] == DRIVE_CLUSTERS || j->is_left_out[drive])
        return false;
    if (cluster % 5) {
        data = pool_take(j->pool, POOL_FOR_JOB);
        if (!data)
            return false;
        memset(data, 0, VMA_CLUSTER_SIZE);
        memset(data + cluster % 3 * VMA_BLOCK_SIZE, drive_byte(j, drive), 5000 + cluster % 7 * 8000);
        if (j->f->is_packed && drive % 2)
            add_noise(data);
    }
    writer_add(j->lanes[drive], cluster, data);
    j->next[drive]++;
    return true;
}

static bool give_ram(struct job *j)
{
    uint8_t *data;

    if (j->next_ram == RAM_CLUSTERS || writer_is_ram_blocked(j->writer) || !(data = pool_take(j->pool, POOL_FOR_RAM)))
        return false;
    memset(data, j->next_ram % 3 ? j->next_ram : 0, VMA_CLUSTER_SIZE);
    writer_add(j->ram, j->next_ram++, data);
    return true;
}

/* In runs of all lengths; the longest is of more than one item. */
static bool give_vast(struct job *j)
{
    unsigned n = MIN(VAST_CLUSTERS - j->next_vast, 1 + j->next_vast * 3 / 2);

    writer_add_zeroes(j->vast, j->next_vast, n);
    j->next_vast += n;
    return n > 0;
}

static bool is_all_given(const struct job *j)
{
    for (unsigned i = 0; i < DRIVES; i++)
        if (j->next[i] < DRIVE_CLUSTERS && !j->is_left_out[i])
            return false;
    return j->next_ram == RAM_CLUSTERS && j->next_vast == VAST_CLUSTERS;
}

/* As much as there are buffers for. */
static void feed(struct job *j)
{
    bool has_given;

    do {
        has_given = give_ram(j) | give_vast(j);
        for (unsigned i = 0; i < DRIVES; i++)
            has_given |= give_drive(j, i);
    } while (has_given);
    if (!is_all_given(j))
        writer_flush(j->writer);
}

static void on_written(void *user)
{
    struct job *j = user;

    g_assert_false(j->is_written);
    j->is_written = true;
    uv_stop(&j->f->loop);
}

static void on_room(void *user)
{
    struct job *j = user;

    if (!j->writer || j->is_closed)
        return;
    j->most_spooled = MAX(j->most_spooled, writer_spool_used(j->writer));
    if (!is_all_given(j)) {
        feed(j);
    } else if (!j->is_finish_asked) {
        g_autoptr(GBytes) header = NULL;
        j->is_finish_asked = true;
        for (unsigned i = 0; i < DRIVES; i++)
            if (j->is_left_out[i])
                vma_header_drop_device(j->header, i + 2);
        vma_header_set_size(j->header, 1, RAM_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE);
        header = vma_header_encode(j->header, NULL);
        writer_finish(j->writer, VMA_END_COMPLETE, RAM_BYTES, header, on_written, j);
    }
}

static void on_full(void *user, bool is_full)
{
    struct job *j = user;

    *(is_full ? &j->n_full : &j->n_room_again) += 1;
    uv_stop(&j->f->loop);
}

static void on_error(void *user, const GError *error)
{
    struct job *j = user;

    j->n_errors++;
    j->error = g_error_copy(error);
    uv_stop(&j->f->loop);
}

static void on_spool_error(void *user, const GError *error)
{
    ((struct job *)user)->n_spool_errors++;
}

/* --- up and down -------------------------------------------------------------------------------- */

static void job_up(struct job *j, struct fixture *f, const char *target, uint64_t spool_bytes)
{
    static const struct writer_events events = {on_room, on_full, on_error, on_spool_error};
    static const uint8_t uuid[16] = "0123456789abcdef";
    g_autoptr(GBytes) header = NULL;
    g_autoptr(GError) error = NULL;

    *j = (struct job){.f = f, .pool = pool_new(BUFFERS, NULL)};
    j->sink = sink_open(&f->loop, target, NULL, &error);
    g_assert_no_error(error);
    j->header = vma_header_new(uuid, 1700000000);
    j->header->has_extension = true;
    g_assert_cmpint(vma_header_add_device(j->header, VMA_VMSTATE_NAME, 1 << 20, NULL), ==, 1);
    j->writer = archive_writer_new(&f->loop, j->sink, j->pool, uuid, &events, j);
    if (f->is_packed)
        archive_writer_set_compression(j->writer, 3, 3);
    if (spool_bytes) {
        j->spool = spool_open(&f->loop, "/var/tmp", spool_bytes, &error);
        g_assert_no_error(error);
        archive_writer_set_spool(j->writer, j->spool, spool_bytes / 4);
    }
    j->ram = writer_add_lane(j->writer, 1, true);
    for (unsigned i = 0; i < DRIVES; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        int id = vma_header_add_device(j->header, name, DRIVE_BYTES, NULL);
        j->lanes[i] = writer_add_lane(j->writer, id, false);
    }
    j->vast = writer_add_lane(j->writer, vma_header_add_device(j->header, "vast", VAST_BYTES, NULL), false);
    writer_set_size(j->vast, VAST_BYTES);
    header = vma_header_encode(j->header, NULL);
    writer_put_header(j->writer, header);
}

static void on_closed(void *user)
{
    ((struct job *)user)->is_closed = true;
}

/* Discards what is under way; whatever it was, all buffers come back. */
static void job_down(struct job *j)
{
    sink_abort(j->sink, false);
    writer_close(j->writer, on_closed, j);
    while (!j->is_closed)
        uv_run(&j->f->loop, UV_RUN_ONCE);
    g_assert_cmpuint(pool_free_count(j->pool), ==, BUFFERS);
    sink_free(j->sink);
    spool_close(j->spool);
    uv_run(&j->f->loop, UV_RUN_NOWAIT);
    vma_header_free(j->header);
    g_clear_error(&j->error);
    pool_free(j->pool);
}

static void on_finished(void *user, const GError *error)
{
    struct job *j = user;

    g_assert_no_error(error);
    uv_stop(&j->f->loop);
}

static void run_until_full(struct job *j)
{
    feed(j);
    while (!j->n_full)
        uv_run(&j->f->loop, UV_RUN_DEFAULT);
}

static void run_to_the_end(struct job *j)
{
    feed(j);
    while (!j->is_written) {
        uv_run(&j->f->loop, UV_RUN_DEFAULT);
        g_assert_no_error(j->error);
    }
    g_assert_true(writer_is_drained(j->writer));
    g_assert_cmpuint(pool_free_count(j->pool), ==, BUFFERS);
    sink_finish(j->sink, on_finished, j);
    uv_run(&j->f->loop, UV_RUN_DEFAULT);
}

/* --- judging ------------------------------------------------------------------------------------ */

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_test_message("at %" G_GUINT64_FORMAT ": %s", offset, text);
}

static void must_be_wholly_zero(const struct job *j)
{
    uint8_t held[MODEL_MAP_CELLS], zero[MODEL_MAP_CELLS];

    g_assert_cmpuint(writer_lane_zero_bytes(j->vast), ==, VAST_BYTES);
    map_fill(writer_lane_map(j->vast), held, zero);
    for (unsigned i = 0; i < MODEL_MAP_CELLS; i++)
        g_assert_true(held[i] == 255 && zero[i] == 255);
}

/* Structure by vma_verify(); then each stored byte: only what was given last, and not what was dropped. */
static void must_be_good(const struct job *j)
{
    struct vma_verify_result result;
    g_autoptr(GError) error = NULL;
    unsigned n_left_out = 0;
    g_autoptr(source_t) source = source_open(j->f->path, &error);

    g_assert_no_error(error);
    g_assert_cmpint(source_form(source), ==, j->f->is_packed ? SOURCE_ZSTD : SOURCE_PLAIN);
    for (unsigned i = 0; i < DRIVES; i++)
        n_left_out += j->is_left_out[i];
    g_assert_true(vma_verify(source_read, source, false, on_fault, NULL, &result, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(result.faults, ==, 0);
    g_assert_true(result.has_digests && result.has_end_mark);
    g_assert_cmpuint(result.devices, ==, DRIVES + 2 - n_left_out);
    g_assert_cmpuint(result.lost_devices, ==, 0);
    g_assert_cmpuint(result.clusters, ==, (DRIVES - n_left_out) * DRIVE_CLUSTERS + RAM_CLUSTERS + VAST_CLUSTERS);
    must_be_wholly_zero(j);
}

static inline void must_be_latest(const struct job *j)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    g_autoptr(source_t) source = source_open(j->f->path, NULL);
    g_autofree uint8_t *bytes = g_malloc(1 << 20);
    unsigned n_blocks = 0;

    for (ssize_t n; (n = source_read(source, bytes, 1 << 20, NULL)) > 0;) {
        vma_reader_feed(r, bytes, n);
        for (enum vma_read_event event; (event = vma_reader_next(r)) != VMA_READ_MORE;) {
            const struct vma_read_block *b = vma_reader_block(r);
            g_assert_cmpint(event, !=, VMA_READ_BROKEN);
            if (event == VMA_READ_BLOCK && b->dev_id > 1) {
                g_assert_cmpuint(b->data[0], ==, drive_byte(j, b->dev_id - 2));
                n_blocks++;
            }
        }
    }
    g_assert_cmpuint(n_blocks, >, 0);
}
