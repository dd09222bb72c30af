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
    struct drive_export *e = user;

    if (why == VMA_PUT_TWICE)
        standalone_fail_new(e->s, VMB_ERROR_FAILED,
                            "drive %s: written twice at %" G_GUINT64_FORMAT "; copy an image that nobody writes to "
                            "(blockdev-backup, a snapshot), and begin anew after a failure",
                            e->name, offset);
    else
        standalone_fail_new(e->s, VMB_ERROR_FAILED,
                            "drive %s: more than %u clusters are half written; let the client write 64 KiB at a time",
                            e->name, VMA_MAX_PARTIAL);
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
    struct drive_export *e = user;

    e->has_data = true;
    e->was_cut = false;
    credit_check(e->s);
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
static int check_write(struct drive_export *e, const struct nbd_request *rq)
{
    int error = intake_check(rq->offset, rq->len);

    if (error || e->state == EXPORT_OPEN || is_nobodys(e))
        return error;
    standalone_fail_new(e->s, VMB_ERROR_FAILED, "drive %s: written after its end; commit it when its job is done",
                        e->name);
    return is_nobodys(e) ? 0 : EIO;
}

static int on_write_begin(void *user, struct nbd_request *rq)
{
    struct drive_export *e = user;
    int error = check_write(e, rq);

    e->n_arriving += !error;
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
static void remember(struct drive_export *e, const struct nbd_request *rq)
{
    e->recent[e->n_recent++ % EXPORT_RECENT] = *rq;
}

static void forgive_recent(struct drive_export *e)
{
    for (unsigned i = 0; i < MIN(e->n_recent, EXPORT_RECENT); i++)
        vma_assemble_forgive(e->intake.clusters, e->recent[i].offset, e->recent[i].len);
}

static void on_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    struct drive_export *e = user;

    e->n_arriving--;
    pool_give(e->s->pool, rq->user);
    if (cut || !error)
        remember(e, rq);
}

static int on_zeroes(void *user, const struct nbd_request *rq)
{
    struct drive_export *e = user;
    int error = check_write(e, rq);

    if (error)
        return error;
    remember(e, rq);
    return intake_zeroes(&e->source, rq->offset, rq->len);
}

static const struct nbd_export_ops drive_export_ops = {
    .write_begin = on_write_begin,
    .write_room = on_write_room,
    .write_landed = on_write_landed,
    .write_end = on_write_end,
    .zeroes = on_zeroes,
};

/* --- its end ------------------------------------------------------------------------------------ */

static void end_if_whole(struct drive_export *e)
{
    if (!vma_assemble_is_complete(e->intake.clusters))
        return;
    e->s->n_filling -= e->state == EXPORT_FILLING;
    e->state = EXPORT_ENDED;
    e->wait_until_ms = 0;
    writer_flush_lane(e->intake.lane);
    standalone_drive_ended(e->s, e);
}

static void fill_rest(struct drive_export *e)
{
    e->state = EXPORT_FILLING;
    e->s->n_filling++;
    e->wait_until_ms = 0;
    standalone_fill(e->s);
}

bool drive_export_fill(struct drive_export *e)
{
    uint8_t *data;

    if (e->state != EXPORT_FILLING)
        return false;
    for (unsigned i = 0; i < FILL_CLUSTERS && !vma_assemble_is_complete(e->intake.clusters); i++) {
        e->fill_from = vma_assemble_fill(e->intake.clusters, e->fill_from, &data);
        writer_add(e->intake.lane, (uint32_t)e->fill_from, data);
    }
    end_if_whole(e);
    return e->state == EXPORT_FILLING;
}

bool drive_export_commit(struct drive_export *e, GError **error)
{
    if (e->state != EXPORT_OPEN || e->n_arriving)
        return vmb_fail(error, VMB_ERROR_USAGE, "drive %s: %s", e->name,
                        e->n_arriving ? "a write is arriving; commit it when its job is done" : "has ended already");
    fill_rest(e);
    return true;
}

static void give_up(struct drive_export *e)
{
    standalone_fail_new(e->s, VMB_ERROR_FAILED,
                        "drive %s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                        " clusters never came; write zeros, too, or say commit or --absent-is-zero",
                        e->name, intake_missing(&e->intake), vma_assemble_clusters(e->intake.clusters));
}

/* It left too early: somebody may come back, or say that this was all. */
static void wait_for_more(struct drive_export *e)
{
    const struct standalone_options *options = e->s->options;
    uint64_t wait_ms = e->was_cut ? options->reconnect_s * UINT64_C(1000) : options->has_commander ? COMMIT_WAIT_MS : 0;

    if (!wait_ms) {
        give_up(e);
        return;
    }
    e->wait_until_ms = uv_now(e->s->loop) + wait_ms;
    standalone_say(e->s, STANDALONE_WARNING,
                   "drive %s: its client left %s with %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                   " clusters missing: waiting %u s for it to come back, or for commit",
                   e->name, e->was_cut ? "without goodbye" : "", intake_missing(&e->intake),
                   vma_assemble_clusters(e->intake.clusters), (unsigned)(wait_ms / 1000));
}

static void all_left(struct drive_export *e)
{
    if (e->state != EXPORT_OPEN || !e->has_data)
        return;
    end_if_whole(e);
    if (e->state == EXPORT_ENDED)
        return;
    if (e->s->options->is_absent_zero && !e->was_cut)
        fill_rest(e);
    else
        wait_for_more(e);
}

void drive_export_on_tick(struct drive_export *e)
{
    if (e->wait_until_ms && uv_now(e->s->loop) >= e->wait_until_ms) {
        e->wait_until_ms = 0;
        give_up(e);
    }
}

/* --- connections -------------------------------------------------------------------------------- */

static void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    struct standalone *s = user;
    struct drive_export *e = export->user;

    nbd_conn_set_tag(conn, e);
    g_ptr_array_add(s->conns, conn);
    s->n_open_handles++;
    e->n_conns++;
    e->wait_until_ms = 0;
    nbd_conn_hold(conn, s->credit == STANDALONE_NONE);
}

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    struct standalone *s = user;
    struct drive_export *e = nbd_conn_tag(conn);

    if (!e)
        return;
    g_ptr_array_remove_fast(s->conns, conn);
    s->n_open_handles--;
    e->n_conns--;
    if (!clean) {
        e->was_cut = true;
        forgive_recent(e);
    }
    if (!e->n_conns && !s->is_failing && !s->is_ending)
        all_left(e);
    standalone_client_left(s);
}

const struct nbd_conn_events drive_export_events = {.on_export = on_export, .on_closed = on_closed};

/* --- life --------------------------------------------------------------------------------------- */

struct drive_export *drive_export_new(struct standalone *s, const char *name, uint64_t size)
{
    struct drive_export *e = g_new0(struct drive_export, 1);

    e->s = s;
    e->name = g_strdup(name);
    e->size = size;
    e->intake.pool = s->pool;
    intake_reset(&e->intake, size, false);
    e->source = (struct intake_source){&e->intake, &policy, POOL_FOR_GUEST, e};
    return e;
}

void drive_export_open(struct drive_export *e)
{
    intake_open(&e->intake, e->s->writer, e->dev_id);
    nbd_exports_add(e->s->exports, &(struct nbd_export){.name = e->name,
                                                        .size = e->size,
                                                        .no_structured = true, /* as in port.c */
                                                        .ops = &drive_export_ops,
                                                        .user = e});
}

void drive_export_free(struct drive_export *e)
{
    intake_clear(&e->intake);
    g_free(e->name);
    g_free(e);
}
