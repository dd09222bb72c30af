// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One drive of the standalone writer: what its clients write over NBD becomes clusters, and when they have left, the
 * drive has ended, or is waited for.
 */
#include <errno.h>
#include <string.h>
#include "archive/map.h"
#include "archive/piece.h"
#include "base/error.h"
#include "base/text.h"
#include "write/standalone_inside.h"

#define COMMIT_WAIT_MS 10000 /* for a commit of a drive whose client said goodbye too early */
#define FILL_CLUSTERS  4096  /* in one turn of the loop */

/* --- payload ------------------------------------------------------------------------------------ */

/* After a failure what still comes is answered and thrown away: a guest may wait for the answer. */
static bool is_nobodys(const struct drive_export *o)
{
    return o->s->is_failing;
}

/* Whoever writes to a drive that is over believes that it will be in the archive. */
static bool check_is_open(struct drive_export *o)
{
    if (o->state != OUTLET_OPEN && !is_nobodys(o))
        standalone_fail_new(o->s, VMB_ERROR_FAILED, "drive %s: written after its end; commit it when its job is done",
                            o->name);
    return o->state == OUTLET_OPEN || is_nobodys(o);
}

static int on_write_begin(void *user, struct nbd_request *rq)
{
    struct drive_export *o = user;

    rq->user = NULL; /* the buffer of the cluster that is arriving */
    if (!piece_is_aligned(rq->offset, rq->len))
        return EINVAL;
    if (!check_is_open(o))
        return EIO;
    o->n_arriving++;
    return 0;
}

static void *trash_of(struct standalone *s)
{
    if (!s->trash)
        s->trash = g_malloc(VMA_CLUSTER_SIZE);
    return s->trash;
}

static void *on_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    struct drive_export *o = user;
    uint64_t at = rq->offset + done;
    uint32_t within = at % VMA_CLUSTER_SIZE;

    if (!rq->user && !is_nobodys(o))
        rq->user = pool_take(o->s->pool, POOL_FOR_GUEST);
    if (!rq->user && !is_nobodys(o))
        return NULL; /* more clients than buffers: this one is dropped, and may come again */
    *room = MIN(rq->len - done, VMA_CLUSTER_SIZE - within);
    return (uint8_t *)(rq->user ? rq->user : trash_of(o->s)) + within;
}

static void refuse_put(struct drive_export *o, uint64_t offset, enum vma_put put)
{
    if (put == VMA_PUT_TWICE)
        standalone_fail_new(o->s, VMB_ERROR_FAILED,
                            "drive %s: written twice at %" G_GUINT64_FORMAT "; copy an image that nobody writes to "
                            "(blockdev-backup, a snapshot), and begin anew after a failure",
                            o->name, offset);
    else
        standalone_fail_new(o->s, VMB_ERROR_FAILED,
                            "drive %s: more than %u clusters are half written; let the client write 64 KiB at a time",
                            o->name, VMA_MAX_PARTIAL);
}

/* One piece of one cluster is here. Returns an errno. */
static int take_piece(struct drive_export *o, uint64_t offset, uint32_t len, uint8_t **data)
{
    uint8_t *brought = *data;
    enum vma_put put;

    if (is_nobodys(o))
        return 0;
    o->has_data = true;
    o->was_cut = false;
    put = vma_assemble_put(o->clusters, offset, len, data);
    if (put == VMA_PUT_HELD) {
        writer_add(o->lane, offset / VMA_CLUSTER_SIZE, *data);
        *data = *data == brought ? NULL : brought; /* joined with what had come before: ours is free again */
    } else if (put == VMA_PUT_TWICE || put == VMA_PUT_CROWDED) {
        refuse_put(o, offset, put);
        return EIO;
    }
    return 0;
}

static int on_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    struct drive_export *o = user;
    uint8_t *data = rq->user;
    struct piece piece;
    int status;

    if (!piece_landed(rq->offset, rq->len, done, &piece))
        return 0; /* this cluster's bytes are still arriving */
    rq->user = NULL;
    status = take_piece(o, piece.offset, piece.len, &data);
    pool_give(o->s->pool, data);
    credit_check(o->s);
    return status;
}

/* Its answer may be lost on the way: then a client that comes back says it again. */
static void remember(struct drive_export *o, const struct nbd_request *rq)
{
    o->recent[o->n_recent++ % OUTLET_RECENT] = *rq;
}

static void forgive_recent(struct drive_export *o)
{
    for (unsigned i = 0; i < MIN(o->n_recent, OUTLET_RECENT); i++)
        vma_assemble_forgive(o->clusters, o->recent[i].offset, o->recent[i].len);
}

static void on_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    struct drive_export *o = user;

    o->n_arriving--;
    pool_give(o->s->pool, g_steal_pointer(&rq->user));
    if (cut || !error)
        remember(o, rq);
}

static int on_zeroes(void *user, const struct nbd_request *rq)
{
    struct drive_export *o = user;
    uint64_t at = rq->offset, end = rq->offset + rq->len;
    int status = 0;

    if (!piece_is_aligned(rq->offset, rq->len))
        return EINVAL;
    if (!check_is_open(o))
        return EIO;
    while (at < end && !status) {
        uint64_t next = piece_end(at, end);
        uint8_t *data = NULL;
        status = take_piece(o, at, next - at, &data);
        pool_give(o->s->pool, data);
        at = next;
    }
    remember(o, rq);
    credit_check(o->s);
    return status;
}

static const struct nbd_export_ops drive_export_ops = {
    .write_begin = on_write_begin,
    .write_room = on_write_room,
    .write_landed = on_write_landed,
    .write_end = on_write_end,
    .zeroes = on_zeroes,
};

/* --- its end ------------------------------------------------------------------------------------ */

static void end_if_whole(struct drive_export *o)
{
    if (!vma_assemble_is_complete(o->clusters))
        return;
    o->s->n_filling -= o->state == OUTLET_FILLING;
    o->state = OUTLET_ENDED;
    o->wait_until_ms = 0;
    writer_flush_lane(o->lane);
    standalone_drive_ended(o->s, o);
}

static void fill_rest(struct drive_export *o)
{
    o->state = OUTLET_FILLING;
    o->s->n_filling++;
    o->wait_until_ms = 0;
    standalone_fill(o->s);
}

bool drive_export_fill(struct drive_export *o)
{
    uint8_t *data;

    if (o->state != OUTLET_FILLING)
        return false;
    for (unsigned i = 0; i < FILL_CLUSTERS && !vma_assemble_is_complete(o->clusters); i++) {
        o->fill_from = vma_assemble_fill(o->clusters, o->fill_from, &data);
        writer_add(o->lane, (uint32_t)o->fill_from, data);
    }
    end_if_whole(o);
    return o->state == OUTLET_FILLING;
}

bool drive_export_commit(struct drive_export *o, GError **error)
{
    if (o->state != OUTLET_OPEN || o->n_arriving) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s: %s", o->name,
                    o->n_arriving ? "a write is arriving; commit it when its job is done" : "has ended already");
        return false;
    }
    fill_rest(o);
    return true;
}

static unsigned long long missing(const struct drive_export *o)
{
    return vma_assemble_clusters(o->clusters) - vma_assemble_held(o->clusters);
}

static void give_up(struct drive_export *o)
{
    standalone_fail_new(
        o->s, VMB_ERROR_FAILED,
        "drive %s: %llu of %llu clusters never came; write zeros, too, or say commit or --absent-is-zero", o->name,
        missing(o), (unsigned long long)vma_assemble_clusters(o->clusters));
}

/* It left too early: somebody may come back, or say that this was all. */
static void wait_for_more(struct drive_export *o)
{
    const struct standalone_options *options = o->s->options;
    uint64_t wait_ms = o->was_cut ? options->reconnect_s * UINT64_C(1000) : options->has_commander ? COMMIT_WAIT_MS : 0;

    if (!wait_ms) {
        give_up(o);
        return;
    }
    o->wait_until_ms = uv_now(o->s->loop) + wait_ms;
    standalone_say(
        o->s, STANDALONE_WARNING,
        "drive %s: its client left %s with %llu of %llu clusters missing: waiting %u s for it to come back, or "
        "for commit",
        o->name, o->was_cut ? "without goodbye" : "", missing(o),
        (unsigned long long)vma_assemble_clusters(o->clusters), (unsigned)(wait_ms / 1000));
}

static void all_left(struct drive_export *o)
{
    if (o->state != OUTLET_OPEN || !o->has_data)
        return;
    end_if_whole(o);
    if (o->state == OUTLET_ENDED)
        return;
    if (o->s->options->is_absent_zero && !o->was_cut)
        fill_rest(o);
    else
        wait_for_more(o);
}

void drive_export_on_tick(struct drive_export *o)
{
    if (o->wait_until_ms && uv_now(o->s->loop) >= o->wait_until_ms) {
        o->wait_until_ms = 0;
        give_up(o);
    }
}

/* --- connections -------------------------------------------------------------------------------- */

static void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    struct standalone *s = user;
    struct drive_export *o = export->user;

    nbd_conn_set_tag(conn, o);
    g_ptr_array_add(s->conns, conn);
    s->n_open_handles++;
    o->n_conns++;
    o->wait_until_ms = 0;
    nbd_conn_hold(conn, s->credit == STANDALONE_NONE);
}

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    struct standalone *s = user;
    struct drive_export *o = nbd_conn_tag(conn);

    (void)why;
    if (!o)
        return;
    g_ptr_array_remove_fast(s->conns, conn);
    s->n_open_handles--;
    o->n_conns--;
    if (!clean) {
        o->was_cut = true;
        forgive_recent(o);
    }
    if (!o->n_conns && !s->is_failing && !s->is_ending)
        all_left(o);
    standalone_client_left(s);
}

const struct nbd_conn_events drive_export_events = {.on_export = on_export, .on_closed = on_closed};

/* --- life --------------------------------------------------------------------------------------- */

struct drive_export *drive_export_new(struct standalone *s, const char *name, uint64_t size)
{
    struct drive_export *o = g_new0(struct drive_export, 1);

    o->s = s;
    o->name = g_strdup(name);
    o->size = size;
    o->clusters = vma_assemble_new(size, false);
    return o;
}

void drive_export_open(struct drive_export *o)
{
    o->lane = writer_add_lane(o->s->writer, o->dev_id, false);
    map_init(writer_lane_map(o->lane), vma_assemble_clusters(o->clusters));
    nbd_exports_add(o->s->exports, &(struct nbd_export){.name = o->name,
                                                        .size = o->size,
                                                        .no_structured = true, /* as in port.c */
                                                        .ops = &drive_export_ops,
                                                        .user = o});
}

void drive_export_free(struct drive_export *o)
{
    vma_assemble_free(o->clusters, NULL, NULL); /* its buffers are the pool's */
    g_free(o->name);
    g_free(o);
}
