// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU writes over NBD becomes clusters: two exports a drive, f<n> for the filter, d<n> for the job.
 *
 * Both are sources of the drive's intake: a cluster counts the first time it is complete, whichever export brought it;
 * the same instant arriving again is dropped. Every request is answered at once.
 */
#include <errno.h>
#include <string.h>
#include "backup/fate.h"
#include "backup/run.h"

/* --- policy ------------------------------------------------------------------------------------- */

/* What still comes of it is answered and thrown away: QEMU never has to wait, and no write of the guest fails. */
static bool is_nobodys(void *user)
{
    const struct drive *d = ((struct port *)user)->drive;

    return drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT) || d->b->is_failing;
}

/* Where a guest waits for it the drive is given up. A job's write is refused: to end the connection instead would make
 * QEMU wait, and connect again. */
static void on_no_buffer(void *user)
{
    struct port *p = user;

    if (p->source.purpose == POOL_FOR_GUEST)
        fate_no_room(p->drive);
    else
        p->drive->job.n_refused++;
}

static void on_refused(void *user, uint64_t offset, enum vma_put why)
{
    struct drive *d = ((struct port *)user)->drive;

    (void)offset;
    if (!d->doubt)
        d->doubt = g_strdup(why == VMA_PUT_TWICE ? "QEMU sent a cluster twice" : "too many incomplete clusters");
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
    struct port *p = user;

    budget_count(p, len, is_news);
    if (!p->is_filter && !p->drive->is_pulled)
        job_end_wrote(p->drive, end);
    job_pause_check_credit(p->drive->b);
}

static const struct intake_policy policy = {
    .is_nobodys = is_nobodys,
    .on_no_buffer = on_no_buffer,
    .on_refused = on_refused,
    .on_put = on_put,
};

/* --- requests ----------------------------------------------------------------------------------- */

static int on_write_begin(void *user, struct nbd_request *rq)
{
    (void)user;
    return intake_check(rq->offset, rq->len);
}

static void *on_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    return intake_room(&((struct port *)user)->source, rq->offset, rq->len, done, &rq->user, room);
}

static int on_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    return intake_landed(&((struct port *)user)->source, rq->offset, rq->len, done, &rq->user);
}

static void distrust_filter(struct port *p, const char *why)
{
    struct drive *d = p->drive;

    if (p->is_filter && !d->doubt && !drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT) && !p->is_expected_to_close)
        d->doubt = g_strdup(why);
}

static void on_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    struct port *p = user;

    pool_give(p->drive->b->archive.pool, rq->user);
    job_throttle_took(p);
    if (error || cut)
        distrust_filter(p, cut ? "the filter's connection broke in a write" : "a write of the filter failed");
}

static int on_zeroes(void *user, const struct nbd_request *rq)
{
    return intake_zeroes(&((struct port *)user)->source, rq->offset, rq->len);
}

/* QEMU reads back what the filter has sent, only to send it to the job's export: we hold it, so any bytes
 * do. What is not held must not be answered: it would be archived. */
static int on_read(void *user, const struct nbd_request *rq, void *to)
{
    struct port *p = user;

    if (!p->is_filter || !vma_assemble_holds(p->drive->intake.clusters, rq->offset, rq->len))
        return EIO;
    memset(to, 0, rq->len);
    return 0;
}

static void on_replied_error(void *user, const struct nbd_request *rq, int error)
{
    (void)error;
    if (rq->type != 0) /* a READ that was refused says nothing about the image */
        distrust_filter(user, "a request of the filter failed");
}

static const struct nbd_export_ops port_ops = {
    .write_begin = on_write_begin,
    .write_room = on_write_room,
    .write_landed = on_write_landed,
    .write_end = on_write_end,
    .zeroes = on_zeroes,
    .read = on_read,
    .replied_error = on_replied_error,
};

/* --- connections -------------------------------------------------------------------------------- */

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    struct port *p = nbd_conn_tag(conn);

    (void)user, (void)why;
    if (!p)
        return;
    p->drive->b->end.n_open[OPEN_PORT]--;
    if (p->conn != conn)
        return; /* another one stands in its place already, or soon will */
    p->conn = NULL;
    if (p->is_expected_to_close || is_nobodys(p))
        return;
    distrust_filter(p, "the filter's connection ended");
    if (!clean)
        jobs_connection_lost(p);
}

/* QEMU is connected, so the listener closes: a reconnect finds nothing. */
static void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    struct port *p = export->user;

    (void)user;
    nbd_conn_set_tag(conn, p);
    p->drive->b->end.n_open[OPEN_PORT]++;
    p->conn = conn;
    g_clear_pointer(&p->listener, nbd_listener_close);
}

static const struct nbd_conn_events port_events = {.on_export = on_export, .on_closed = on_closed};

void port_init(struct port *p, struct drive *d, bool is_filter)
{
    /* For the filter's writes, and for a direct job's: its copy-before-write is the same job. */
    bool does_guest_wait = is_filter || (!d->is_guarded && !d->is_read_only);
    g_autofree char *name = g_strdup_printf("%c%u", is_filter ? 'f' : 'd', d->index);
    struct nbd_export export = {
        .name = name,
        .size = d->size,
        .no_flush = true,      /* the guest's "stop" and its flushes must not wait for us, who have nothing to flush */
        .no_structured = true, /* a block status of ours could abort QEMU 10 */
        .ops = &port_ops,
        .user = p,
    };

    p->drive = d;
    p->is_filter = is_filter;
    p->source = (struct intake_source){&d->intake, &policy, does_guest_wait ? POOL_FOR_GUEST : POOL_FOR_JOB, p};
    p->exports = nbd_exports_new();
    p->export = nbd_exports_add(p->exports, &export);
}

struct listening *port_open(struct port *p, GError **error)
{
    struct backup *b = p->drive->b;
    g_autofree char *path = door_path(b, p->is_filter ? p->drive->names.filter : p->drive->names.target);

    g_clear_pointer(&p->listener, nbd_listener_close);
    p->is_expected_to_close = false;
    p->conn = NULL; /* an older one may still be closing */
    p->listener = nbd_listener_open(b->loop, path, p->exports, &port_events, b, error);
    return p->listener ? nbd_listener_socket(p->listener) : NULL;
}

void port_close(struct port *p)
{
    p->is_expected_to_close = true;
    g_clear_pointer(&p->listener, nbd_listener_close);
    if (p->conn)
        nbd_conn_shutdown(p->conn);
}
