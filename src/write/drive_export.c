// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One drive of the standalone writer: what its clients write over NBD becomes clusters, and when they have left, the
 * drive has ended, or is waited for.
 */
#include <errno.h>
#include "base/error.h"
#include "write/standalone_inside.h"

#define COMMIT_WAIT_MS 10000 /* for a commit of a drive whose client said goodbye too early */
#define FILL_CLUSTERS  4096  /* in one turn of the loop */

/* --- what is done with it ----------------------------------------------------------------------- */

/* After a failure what still comes is answered and thrown away: a guest may wait for the answer. */
static bool is_nobodys(void *user)
{
    return ((struct drive_export *)user)->s->is_failing;
}

static void on_refused(void *user, uint64_t offset, enum vma_put why)
{
    struct drive_export *o = user;

    if (why == VMA_PUT_TWICE)
        standalone_fail_new(o->s, VMB_ERROR_FAILED,
                            "drive %s: written twice at %" G_GUINT64_FORMAT "; copy an image that nobody writes to "
                            "(blockdev-backup, a snapshot), and begin anew after a failure",
                            o->name, offset);
    else
        standalone_fail_new(o->s, VMB_ERROR_FAILED,
                            "drive %s: more than %u clusters are half written; let the client write 64 KiB at a time",
                            o->name, VMA_MAX_PARTIAL);
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
    struct drive_export *o = user;

    (void)end, (void)len, (void)is_news;
    o->has_data = true;
    o->was_cut = false;
    credit_check(o->s);
}

/* More clients than buffers: one that finds none is dropped, and may come again. */
static const struct intake_policy policy = {
    .is_nobodys = is_nobodys,
    .on_no_buffer = NULL,
    .on_refused = on_refused,
    .on_put = on_put,
};

/* --- requests ----------------------------------------------------------------------------------- */

/* Whoever writes to a drive that is over believes that it will be in the archive. */
static int check_write(struct drive_export *o, const struct nbd_request *rq)
{
    int error = intake_check(rq->offset, rq->len);

    if (error || o->state == OUTLET_OPEN || is_nobodys(o))
        return error;
    standalone_fail_new(o->s, VMB_ERROR_FAILED, "drive %s: written after its end; commit it when its job is done",
                        o->name);
    return is_nobodys(o) ? 0 : EIO;
}

static int on_write_begin(void *user, struct nbd_request *rq)
{
    struct drive_export *o = user;
    int error = check_write(o, rq);

    o->n_arriving += !error;
    return error;
}

static void *on_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    return intake_room(&((struct drive_export *)user)->source, rq->offset, rq->len, done, &rq->user, room);
}

static int on_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    return intake_landed(&((struct drive_export *)user)->source, rq->offset, rq->len, done, &rq->user);
}

/* Its answer may be lost on the way: then a client that comes back says it again. */
static void remember(struct drive_export *o, const struct nbd_request *rq)
{
    o->recent[o->n_recent++ % OUTLET_RECENT] = *rq;
}

static void forgive_recent(struct drive_export *o)
{
    for (unsigned i = 0; i < MIN(o->n_recent, OUTLET_RECENT); i++)
        vma_assemble_forgive(o->intake.clusters, o->recent[i].offset, o->recent[i].len);
}

static void on_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    struct drive_export *o = user;

    o->n_arriving--;
    pool_give(o->s->pool, rq->user);
    if (cut || !error)
        remember(o, rq);
}

static int on_zeroes(void *user, const struct nbd_request *rq)
{
    struct drive_export *o = user;
    int error = check_write(o, rq);

    if (error)
        return error;
    remember(o, rq);
    return intake_zeroes(&o->source, rq->offset, rq->len);
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
    if (!vma_assemble_is_complete(o->intake.clusters))
        return;
    o->s->n_filling -= o->state == OUTLET_FILLING;
    o->state = OUTLET_ENDED;
    o->wait_until_ms = 0;
    writer_flush_lane(o->intake.lane);
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
    for (unsigned i = 0; i < FILL_CLUSTERS && !vma_assemble_is_complete(o->intake.clusters); i++) {
        o->fill_from = vma_assemble_fill(o->intake.clusters, o->fill_from, &data);
        writer_add(o->intake.lane, (uint32_t)o->fill_from, data);
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

static void give_up(struct drive_export *o)
{
    standalone_fail_new(o->s, VMB_ERROR_FAILED,
                        "drive %s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                        " clusters never came; write zeros, too, or say commit or --absent-is-zero",
                        o->name, intake_missing(&o->intake), vma_assemble_clusters(o->intake.clusters));
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
    standalone_say(o->s, STANDALONE_WARNING,
                   "drive %s: its client left %s with %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                   " clusters missing: waiting %u s for it to come back, or for commit",
                   o->name, o->was_cut ? "without goodbye" : "", intake_missing(&o->intake),
                   vma_assemble_clusters(o->intake.clusters), (unsigned)(wait_ms / 1000));
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
    o->intake.pool = s->pool;
    intake_reset(&o->intake, size, false);
    o->source = (struct intake_source){&o->intake, &policy, POOL_FOR_GUEST, o};
    return o;
}

void drive_export_open(struct drive_export *o)
{
    intake_open(&o->intake, o->s->writer, o->dev_id);
    nbd_exports_add(o->s->exports, &(struct nbd_export){.name = o->name,
                                                        .size = o->size,
                                                        .no_structured = true, /* as in port.c */
                                                        .ops = &drive_export_ops,
                                                        .user = o});
}

void drive_export_free(struct drive_export *o)
{
    intake_clear(&o->intake);
    g_free(o->name);
    g_free(o);
}
