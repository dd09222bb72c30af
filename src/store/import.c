// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/import.h"

#include <string.h>
#include <unistd.h>
#include "archive/archive.h"
#include "archive/intake.h"
#include "base/error.h"
#include "store/snapshot_writer.h"

#define POOL_BUFFERS 768 /* 48 MiB, as a backup has */

/* Of the archive: a drive, or the RAM. */
struct imported {
    struct import *m;
    struct intake intake;
    struct intake_source source;
    struct writer_lane *lane;
    bool is_ram, is_refused;
};

struct import {
    const struct backup_options *options;
    char *guest;
    uv_loop_t loop;
    struct pool *pool;
    struct vma_header *header;
    struct sink *sink;
    struct writer *writer;
    struct imported devices[VMA_MAX_DEVICES];
    uint8_t *ram; /* the cluster of it that fills */
    uint64_t ram_bytes;
    bool is_written, is_finished, is_closed;
    GError *error;
};

/* --- the writer --------------------------------------------------------------------------------- */

static void on_room(void *user)
{
}

/* Nobody's guest waits for this: who asked for it makes room and asks again. */
static void on_full(void *user, bool is_full)
{
    struct import *m = user;

    if (is_full && !m->error)
        m->error = g_error_new(VMB_ERROR, VMB_ERROR_TARGET, "target %s is full; free some room (vmabackup prune)",
                               sink_name(m->sink));
}

static void on_error(void *user, const GError *error)
{
    struct import *m = user;

    if (!m->error)
        m->error = g_error_copy(error);
}

static bool take_error(struct import *m, GError **error)
{
    if (m->error)
        g_propagate_error(error, g_error_copy(m->error));
    return m->error != NULL;
}

static uint8_t *wait_for_buffer(struct import *m, GError **error)
{
    uint8_t *buffer;

    while (!take_error(m, error)) {
        buffer = pool_take(m->pool, POOL_FOR_JOB);
        if (buffer)
            return buffer;
        writer_flush(m->writer);
        uv_run(&m->loop, UV_RUN_ONCE);
    }
    return NULL;
}

/* --- drives ------------------------------------------------------------------------------------- */

static bool is_nobodys(void *user)
{
    return false;
}

static void on_refused(void *user, uint64_t offset, enum vma_put why)
{
    ((struct imported *)user)->is_refused = true;
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
}

static const struct intake_policy policy = {.is_nobodys = is_nobodys, .on_refused = on_refused, .on_put = on_put};

static bool check_put(const struct imported *d, GError **error)
{
    return !d->is_refused || vmb_fail(error, VMB_ERROR_DAMAGED, "its clusters come twice, or in pieces");
}

static bool put_piece(struct imported *d, uint64_t offset, const uint8_t *bytes, uint32_t len, GError **error)
{
    uint8_t *buffer = wait_for_buffer(d->m, error);

    if (!buffer)
        return false;
    memcpy(buffer + offset % VMA_CLUSTER_SIZE, bytes, len);
    if (offset / VMA_CLUSTER_SIZE == (d->intake.size - 1) / VMA_CLUSTER_SIZE) /* behind its end there are zeros */
        memset(buffer + (d->intake.size - 1) % VMA_CLUSTER_SIZE + 1, 0,
               VMA_CLUSTER_SIZE - (d->intake.size - 1) % VMA_CLUSTER_SIZE - 1);
    intake_put(&d->source, offset, len, buffer);
    return check_put(d, error);
}

/* --- the RAM ------------------------------------------------------------------------------------ */

static void give_ram(struct import *m, struct imported *d)
{
    if (m->ram)
        writer_add(d->lane, (uint32_t)((m->ram_bytes - 1) / VMA_CLUSTER_SIZE), g_steal_pointer(&m->ram));
}

/* bytes: NULL = zeros. Its stream has no holes. */
static bool put_ram(struct imported *d, uint64_t offset, const uint8_t *bytes, uint32_t len, GError **error)
{
    struct import *m = d->m;

    if (offset != m->ram_bytes)
        return vmb_fail(error, VMB_ERROR_DAMAGED, "its RAM state does not come in order");
    if (!m->ram && !(m->ram = wait_for_buffer(m, error)))
        return false;
    if (bytes)
        memcpy(m->ram + offset % VMA_CLUSTER_SIZE, bytes, len);
    else
        memset(m->ram + offset % VMA_CLUSTER_SIZE, 0, len);
    m->ram_bytes += len;
    if (m->ram_bytes % VMA_CLUSTER_SIZE == 0)
        give_ram(m, d);
    return true;
}

/* --- what comes --------------------------------------------------------------------------------- */

static bool put(struct imported *d, uint64_t offset, const uint8_t *bytes, uint64_t len, GError **error)
{
    while (len) {
        uint32_t piece = (uint32_t)MIN(len, VMA_CLUSTER_SIZE - offset % VMA_CLUSTER_SIZE);
        if (!(d->is_ram ? put_ram : put_piece)(d, offset, bytes, piece, error))
            return false;
        bytes = bytes ? bytes + piece : NULL;
        offset += piece;
        len -= piece;
    }
    return true;
}

bool import_data(struct import *m, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    return put(&m->devices[dev_id], offset, bytes, len, error);
}

bool import_zeroes(struct import *m, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    struct imported *d = &m->devices[dev_id];

    if (d->is_ram)
        return put(d, offset, NULL, len, error);
    intake_zeroes(&d->source, offset, len);
    uv_run(&m->loop, UV_RUN_NOWAIT);
    return check_put(d, error) && !take_error(m, error);
}

/* --- the beginning ------------------------------------------------------------------------------ */

/* The archive's own: its devices keep their numbers. */
static bool copy_header(struct import *m, const struct vma_header *h, GError **error)
{
    g_autoptr(GBytes) bytes = vma_header_encode((struct vma_header *)(uintptr_t)h, error);

    m->header = bytes ? vma_header_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error) : NULL;
    for (unsigned i = 1; m->header && i < VMA_MAX_DEVICES; i++)
        if (h->devices[i].name && !vma_name_is_safe(h->devices[i].name))
            return vmb_fail(error, VMB_ERROR_DAMAGED, "the name of its device %u is no safe file name", i);
    return m->header;
}

static void open_lane(struct import *m, unsigned dev_id, const struct vma_device *device)
{
    struct imported *d = &m->devices[dev_id];

    d->m = m;
    d->is_ram = strcmp(device->name, VMA_VMSTATE_NAME) == 0;
    if (d->is_ram) {
        d->lane = writer_add_lane(m->writer, (uint8_t)dev_id, true);
        return;
    }
    d->intake.pool = m->pool;
    d->source = (struct intake_source){&d->intake, &policy, POOL_FOR_JOB, d};
    intake_reset(&d->intake, device->size, false);
    intake_open(&d->intake, m->writer, (uint8_t)dev_id);
    d->lane = d->intake.lane;
}

static bool open_writer(struct import *m, GError **error)
{
    static const struct writer_events events = {.on_room = on_room, .on_full = on_full, .on_error = on_error};
    const struct backup_options *o = m->options;
    uint64_t spool_bytes = archive_spool_bytes(o, UINT64_MAX, NULL);
    g_autofree char *run = g_strdup_printf("import%d", (int)getpid());
    struct overflow *spool;

    m->sink = snapshot_target_open(&m->loop, o->target, m->guest, run, backup_options_level(o), error);
    if (!m->sink)
        return false;
    m->writer = snapshot_writer_new(&m->loop, m->sink, m->pool, backup_options_threads(o), &events, m);
    spool = spool_bytes ? overflow_open(o->spool_dir, spool_bytes, NULL) : NULL;
    if (spool)
        snapshot_writer_set_spool(m->writer, spool, archive_guest_reserve(spool_bytes));
    return true;
}

bool import_begin(struct import *m, const struct vma_header *header, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    if (!copy_header(m, header, error) || !open_writer(m, error))
        return false;
    for (unsigned i = 1; i < VMA_MAX_DEVICES; i++)
        if (m->header->devices[i].name)
            open_lane(m, i, &m->header->devices[i]);
    bytes = vma_header_encode(m->header, error);
    if (bytes)
        writer_put_header(m->writer, bytes);
    return bytes;
}

/* --- the end ------------------------------------------------------------------------------------ */

void import_drop(struct import *m, int dev_id)
{
    struct imported *d = &m->devices[dev_id];

    if (d->is_ram)
        pool_give(m->pool, g_steal_pointer(&m->ram));
    else
        intake_clear(&d->intake);
    d->intake.clusters = NULL;
    writer_drop_lane(d->lane);
    vma_header_drop_device(m->header, dev_id);
}

static void on_written(void *user)
{
    ((struct import *)user)->is_written = true;
}

static void on_finished(void *user, const GError *error)
{
    struct import *m = user;

    m->is_finished = true;
    if (error)
        on_error(m, error);
}

static void give_last_ram(struct import *m)
{
    for (unsigned i = 1; i < VMA_MAX_DEVICES; i++)
        if (m->devices[i].is_ram && m->ram) {
            memset(m->ram + m->ram_bytes % VMA_CLUSTER_SIZE, 0, VMA_CLUSTER_SIZE - m->ram_bytes % VMA_CLUSTER_SIZE);
            give_ram(m, &m->devices[i]);
        }
}

bool import_finish(struct import *m, uint64_t ram_bytes, GError **error)
{
    g_autoptr(GBytes) bytes = vma_header_encode(m->header, error);

    if (!bytes)
        return false;
    give_last_ram(m);
    writer_finish(m->writer, 0, MIN(ram_bytes, m->ram_bytes), bytes, on_written, m);
    while (!m->is_written && !m->error)
        uv_run(&m->loop, UV_RUN_ONCE);
    if (!m->error)
        sink_finish(m->sink, on_finished, m);
    while (!m->is_finished && !m->error)
        uv_run(&m->loop, UV_RUN_ONCE);
    return !take_error(m, error);
}

const char *import_name(const struct import *m)
{
    return sink_name(m->sink);
}

uint64_t import_size(const struct import *m)
{
    return snapshot_target_size(m->sink);
}

uint64_t import_new_bytes(const struct import *m)
{
    return snapshot_target_new_bytes(m->sink);
}

/* --- life --------------------------------------------------------------------------------------- */

struct import *import_new(const struct backup_options *options, const char *guest)
{
    struct import *m = g_new0(struct import, 1);

    m->options = options;
    m->guest = g_strdup(guest);
    m->pool = pool_new(POOL_BUFFERS, NULL);
    uv_loop_init(&m->loop);
    return m;
}

static void on_closed(void *user)
{
    struct import *m = user;

    sink_free(m->sink);
}

void import_free(struct import *m)
{
    if (!m)
        return;
    for (unsigned i = 1; i < VMA_MAX_DEVICES; i++)
        if (m->devices[i].intake.clusters)
            intake_clear(&m->devices[i].intake);
    if (m->sink)
        sink_abort(m->sink, false);
    if (m->writer)
        writer_close(m->writer, on_closed, m);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_loop_close(&m->loop);
    pool_free(m->pool);
    vma_header_free(m->header);
    g_clear_error(&m->error);
    g_free(m->guest);
    g_free(m);
}
