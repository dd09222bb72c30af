// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A snapshot's writer with drives and a RAM stream to be fed, and a judge of what is in the store afterwards, for the
 * tests of it.
 *
 *     rig_up(&r, f, 300, 1 << 30);               // buffers, spool
 *     rig_run(&r);                               // everything is given and written
 *     rig_commit(&r);                            // its name
 *     rig_check(&r, "2026-…");
 */
#include <uv.h>
#include "store/snapshot_writer.h"
#include "unit/store_fixture.h"
#include "vma/extent.h"
#include "vma/header.h"

#define DRIVES      3
#define PER_CHUNK   4 /* clusters */
#define BIG_CHUNK   (PER_CHUNK * VMA_CLUSTER_SIZE)
#define CLUSTERS    150 /* of each drive, the last one short; 38 chunks, the last one of 2 clusters */
#define DRIVE_BYTES ((CLUSTERS - 1) * (uint64_t)VMA_CLUSTER_SIZE + 512)
#define RAM_MAX     64
#define DEADLINE_MS 60000

struct rig {
    struct store_fixture *f;
    uv_loop_t loop;
    uv_timer_t deadline;
    struct pool *pool;
    struct sink *sink;
    struct writer *writer;
    struct vma_header *header;
    struct writer_lane *lanes[DRIVES], *ram;
    uint8_t *images[DRIVES];
    unsigned next[DRIVES], next_ram;
    bool is_left_out[DRIVES], is_in_order, is_ram_left_out, is_held_back;
    bool is_finish_asked, is_written, is_closed, is_done;
    uint64_t ram_bytes;
    char *guest, *path;
    unsigned n_full, n_room_again, n_spool_errors;
    uint64_t most_spooled;
    GError *error;
};

/* --- what is saved ------------------------------------------------------------------------------ */

/* Some clusters zero, some data with zero blocks, some the same in all drives; what a cluster holds hangs on `version`.
 */
static inline void make_image(uint8_t *image, unsigned drive, unsigned version)
{
    memset(image, 0, CLUSTERS * (size_t)VMA_CLUSTER_SIZE);
    for (unsigned c = 0; c < CLUSTERS; c++) {
        uint32_t seed = c % 7 == 3 ? c : c + 1000 * (drive + 1) + 100000 * version;
        if (c % 5 == 0 || c / PER_CHUNK % 6 == 2)
            continue;
        for (unsigned b = 0; b < VMA_BLOCKS_PER_CLUSTER; b++)
            if (b % 3)
                memset(image + (size_t)c * VMA_CLUSTER_SIZE + b * VMA_BLOCK_SIZE, (int)(seed * 31 + b * 7 + 1),
                       VMA_BLOCK_SIZE);
        memcpy(image + (size_t)c * VMA_CLUSTER_SIZE + VMA_BLOCK_SIZE, &seed, sizeof seed);
    }
    memset(image + DRIVE_BYTES, 0, CLUSTERS * (size_t)VMA_CLUSTER_SIZE - DRIVE_BYTES);
}

static inline uint8_t ram_byte(uint64_t at)
{
    return (uint8_t)(at / 300 + 1);
}

/* --- feeding ------------------------------------------------------------------------------------ */

static inline bool give_drive(struct rig *r, unsigned d)
{
    uint32_t cluster = r->is_in_order ? r->next[d] : (r->next[d] * 53 + d * 31) % CLUSTERS;
    const uint8_t *from = r->images[d] + (size_t)cluster * VMA_CLUSTER_SIZE;
    uint8_t *data = NULL;

    if (r->next[d] == CLUSTERS || r->is_left_out[d])
        return false;
    if (!vma_is_zero(from, VMA_CLUSTER_SIZE)) {
        data = pool_take(r->pool, POOL_FOR_GUEST);
        if (!data)
            return false;
        memcpy(data, from, VMA_CLUSTER_SIZE);
    }
    writer_add(r->lanes[d], cluster, data);
    r->next[d]++;
    return true;
}

static inline unsigned ram_clusters(const struct rig *r)
{
    return (unsigned)((r->ram_bytes + VMA_CLUSTER_SIZE - 1) / VMA_CLUSTER_SIZE);
}

static inline bool give_ram(struct rig *r)
{
    uint64_t at = (uint64_t)r->next_ram * VMA_CLUSTER_SIZE;
    uint8_t *data;

    if (r->next_ram == ram_clusters(r) || r->is_ram_left_out || !(data = pool_take(r->pool, POOL_FOR_GUEST)))
        return false;
    for (unsigned i = 0; i < VMA_CLUSTER_SIZE; i++)
        data[i] = at + i < r->ram_bytes ? ram_byte(at + i) : 0;
    writer_add(r->ram, r->next_ram++, data);
    return true;
}

static inline bool is_all_given(const struct rig *r)
{
    for (unsigned i = 0; i < DRIVES; i++)
        if (r->next[i] < CLUSTERS && !r->is_left_out[i])
            return false;
    return r->next_ram == ram_clusters(r) || r->is_ram_left_out;
}

static inline void feed(struct rig *r)
{
    bool has_given;

    do {
        has_given = give_ram(r);
        for (unsigned i = 0; i < DRIVES; i++)
            has_given |= give_drive(r, i);
    } while (has_given);
    if (!is_all_given(r))
        writer_flush(r->writer);
}

static inline void on_written(void *user)
{
    struct rig *r = user;

    g_assert_false(r->is_written);
    r->is_written = true;
    uv_stop(&r->loop);
}

static inline void rig_finish(struct rig *r)
{
    g_autoptr(GBytes) bytes = NULL;

    r->is_finish_asked = true;
    for (unsigned i = 0; i < DRIVES; i++)
        if (r->is_left_out[i])
            vma_header_drop_device(r->header, (int)i + 2);
    if (r->is_ram_left_out)
        vma_header_drop_device(r->header, 1);
    bytes = vma_header_encode(r->header, NULL);
    writer_finish(r->writer, 1, r->is_ram_left_out ? 0 : r->ram_bytes, bytes, on_written, r);
}

static inline void on_room(void *user)
{
    struct rig *r = user;

    if (!r->writer || r->is_closed || r->is_held_back)
        return;
    r->most_spooled = MAX(r->most_spooled, writer_spool_used(r->writer));
    if (!is_all_given(r))
        feed(r);
    else if (!r->is_finish_asked)
        rig_finish(r);
}

static inline void on_full(void *user, bool is_full)
{
    struct rig *r = user;

    *(is_full ? &r->n_full : &r->n_room_again) += 1;
    uv_stop(&r->loop);
}

static inline void on_error(void *user, const GError *error)
{
    struct rig *r = user;

    g_assert_no_error(r->error);
    r->error = g_error_copy(error);
    uv_stop(&r->loop);
}

static inline void on_spool_error(void *user, const GError *error)
{
    ((struct rig *)user)->n_spool_errors++;
}

/* --- up and down -------------------------------------------------------------------------------- */

static inline void on_deadline(uv_timer_t *timer)
{
    g_error("waited too long");
}

static inline void rig_open(struct rig *r, uint64_t spool_bytes)
{
    static const struct writer_events events = {on_room, on_full, on_error, on_spool_error};
    static const uint8_t uuid[16] = "0123456789abcdef";
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;

    r->sink = snapshot_target_open(&r->loop, r->f->dir, "web-01", "run1", 1, &error);
    g_assert_no_error(error);
    r->writer = snapshot_writer_new(&r->loop, r->sink, r->pool, 2, &events, r);
    if (spool_bytes)
        snapshot_writer_set_spool(r->writer, overflow_open("/var/tmp", spool_bytes, &error), spool_bytes / 4);
    g_assert_no_error(error);
    r->header = vma_header_new(uuid, 1764490220);
    g_assert_true(vma_header_set_config(r->header, VMA_DESCRIPTION_NAME, "{}", 2, 100, NULL));
    g_assert_cmpint(vma_header_add_device(r->header, VMA_VMSTATE_NAME, 1 << 20, NULL), ==, 1);
    r->ram = writer_add_lane(r->writer, 1, true);
    for (unsigned i = 0; i < DRIVES; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        int id = vma_header_add_device(r->header, name, DRIVE_BYTES, NULL);
        r->lanes[i] = writer_add_lane(r->writer, (uint8_t)id, false);
        writer_set_size(r->lanes[i], DRIVE_BYTES);
    }
    bytes = vma_header_encode(r->header, NULL);
    writer_put_header(r->writer, bytes);
}

static inline void rig_up(struct rig *r, struct store_fixture *f, unsigned buffers, uint64_t spool_bytes)
{
    *r = (struct rig){
        .f = f, .ram_bytes = 13 * VMA_CLUSTER_SIZE + 777, .guest = g_build_filename(f->dir, "web-01", NULL)};
    g_assert_cmpint(uv_loop_init(&r->loop), ==, 0);
    uv_timer_init(&r->loop, &r->deadline);
    uv_timer_start(&r->deadline, on_deadline, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *)&r->deadline);
    r->pool = pool_new(buffers, NULL);
    for (unsigned i = 0; i < DRIVES; i++) {
        r->images[i] = g_malloc(CLUSTERS * (size_t)VMA_CLUSTER_SIZE);
        make_image(r->images[i], i, 0);
    }
    rig_open(r, spool_bytes);
}

static inline void on_closed(void *user)
{
    struct rig *r = user;

    r->is_closed = true;
    sink_free(r->sink);
}

/* Whatever is under way: everything ends, and every buffer is back. */
static inline void rig_down(struct rig *r)
{
    writer_close(r->writer, on_closed, r);
    while (!r->is_closed)
        uv_run(&r->loop, UV_RUN_DEFAULT);
    g_assert_cmpuint(pool_free_count(r->pool), ==, pool_total(r->pool));
    uv_close((uv_handle_t *)&r->deadline, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&r->loop), ==, 0);
    pool_free(r->pool);
    vma_header_free(r->header);
    for (unsigned i = 0; i < DRIVES; i++)
        g_free(r->images[i]);
    g_clear_error(&r->error);
    g_free(r->guest);
    g_free(r->path);
}

static inline void rig_run(struct rig *r)
{
    feed(r);
    while (!r->is_written && !r->error)
        uv_run(&r->loop, UV_RUN_DEFAULT);
}

static inline void on_committed(void *user, const GError *error)
{
    struct rig *r = user;

    g_assert_no_error(error);
    r->is_done = true;
    uv_stop(&r->loop);
}

static inline void rig_commit(struct rig *r)
{
    g_assert_no_error(r->error);
    sink_finish(r->sink, on_committed, r);
    while (!r->is_done)
        uv_run(&r->loop, UV_RUN_DEFAULT);
    r->path = g_strdup(sink_path(r->sink));
}

/* --- judging ------------------------------------------------------------------------------------ */

static inline uint8_t *read_device(struct rig *r, const struct snapshot *s, const struct snapshot_device *d)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(chunk_index) x = snapshot_load_index(s, d, &error);
    uint8_t *bytes;

    g_assert_no_error(error);
    g_assert_cmpuint(x->size, ==, d->size);
    bytes = g_malloc(x->size + 1);
    for (uint64_t i = 0; i < x->n; i++) { /* those of zeros, too: others look for them */
        chunk_folder_read(r->f->store->chunks, &x->ids[i], bytes + i * x->chunk_bytes, chunk_index_len(x, i), &error);
        g_assert_no_error(error);
    }
    return bytes;
}

static inline void check_drive(struct rig *r, const struct snapshot *s, unsigned i)
{
    g_autofree char *name = g_strdup_printf("d%u", i);
    struct snapshot_device *d = snapshot_find_device(s, name);
    g_autofree uint8_t *bytes = NULL;

    g_assert_true(!d == r->is_left_out[i]);
    if (!d)
        return;
    g_assert_cmpuint(d->size, ==, DRIVE_BYTES);
    bytes = read_device(r, s, d);
    g_assert_cmpmem(bytes, d->size, r->images[i], DRIVE_BYTES);
}

static inline void check_ram(struct rig *r, const struct snapshot *s)
{
    struct snapshot_device *d = snapshot_find_device(s, VMA_VMSTATE_NAME);
    g_autofree uint8_t *bytes = NULL;

    g_assert_true(!d == r->is_ram_left_out);
    if (!d)
        return;
    g_assert_cmpuint(d->size, ==, r->ram_bytes);
    bytes = read_device(r, s, d);
    for (uint64_t at = 0; at < d->size; at++)
        g_assert_cmpuint(bytes[at], ==, ram_byte(at));
}

static inline void rig_check(struct rig *r)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(snapshot) s = snapshot_load(r->path, &error);
    struct snapshot_config *c;

    g_assert_no_error(error);
    g_assert_cmpint(s->instant, ==, 1764490220);
    g_assert_cmpmem(s->uuid, 16, "0123456789abcdef", 16);
    g_assert_cmpuint(s->configs->len, ==, 1);
    c = g_ptr_array_index(s->configs, 0);
    g_assert_cmpmem(g_bytes_get_data(c->bytes, NULL), g_bytes_get_size(c->bytes), "{}", 2);
    for (unsigned i = 0; i < DRIVES; i++)
        check_drive(r, s, i);
    check_ram(r, s);
}
