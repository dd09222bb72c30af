// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU writes over NBD becomes clusters: two exports a drive, f<n> for the filter, d<n> for the job.
 *
 * Payload lands straight in cluster buffers. A cluster counts the first time it is complete, whichever
 * export brought it; the same instant arriving again is dropped. Every request is answered at once.
 */
#include <errno.h>
#include <string.h>
#include "archive/piece.h"
#include "backup/fate.h"
#include "backup/run.h"

/* --- payload ------------------------------------------------------------------------------------ */

static int on_write_begin(void *user, struct nbd_request *rq)
{
    (void)user;
    rq->user = NULL; /* the buffer of the cluster that is arriving */
    return piece_is_aligned(rq->offset, rq->len) ? 0 : EINVAL;
}

/* The end of the drive's last cluster is not sent, but archived: as zeros. */
static void clear_behind_end(const struct drive *d, uint32_t cluster, uint8_t *buffer)
{
    uint32_t bytes = vma_assemble_cluster_bytes(d->clusters, cluster);

    if (bytes < VMA_CLUSTER_SIZE)
        memset(buffer + bytes, 0, VMA_CLUSTER_SIZE - bytes);
}

/* What still comes of it is answered and thrown away: QEMU never has to wait, and no write of the guest fails. */
static bool is_nobodys(const struct drive *d)
{
    return drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT) || d->b->is_failing;
}

/* Whatever may land there, nobody reads it. */
static void *trash_of(struct backup *b)
{
    if (!b->archive.trash)
        b->archive.trash = g_malloc(VMA_CLUSTER_SIZE);
    return b->archive.trash;
}

/* A buffer for the cluster that begins to arrive; NULL when there is none, or when it is nobody's. */
static uint8_t *take_buffer(struct port *p)
{
    struct backup *b = p->drive->b;
    uint8_t *buffer = is_nobodys(p->drive) ? NULL : pool_take(b->archive.pool, port_purpose(p));

    if (!buffer && port_purpose(p) == POOL_FOR_GUEST)
        fate_no_room(p->drive); /* a guest waits for this write: the drive is given up */
    return buffer;
}

static void *on_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    struct port *p = user;
    uint64_t at = rq->offset + done;
    uint32_t within = at % VMA_CLUSTER_SIZE;

    if (!rq->user && (rq->user = take_buffer(p)))
        clear_behind_end(p->drive, at / VMA_CLUSTER_SIZE, rq->user);
    *room = MIN(rq->len - done, VMA_CLUSTER_SIZE - within);
    return (uint8_t *)(rq->user ? rq->user : trash_of(p->drive->b)) + within;
}

static void count_repeat_as_doubt(struct port *p, enum vma_put put)
{
    if (p->drive->doubt)
        return;
    p->drive->doubt = g_strdup(put == VMA_PUT_TWICE ? "QEMU sent a cluster twice" : "too many incomplete clusters");
}

/* One piece of one cluster is here. Returns an errno. */
static int take_piece(struct port *p, uint64_t offset, uint32_t len, uint8_t **data)
{
    struct drive *d = p->drive;
    uint8_t *brought = *data;
    enum vma_put put;

    if (is_nobodys(d))
        return 0;
    put = vma_assemble_put(d->clusters, offset, len, data);
    budget_count(p, len, brought && (put == VMA_PUT_HELD || put == VMA_PUT_WAITING));
    if (put == VMA_PUT_HELD) {
        writer_add(d->lane, offset / VMA_CLUSTER_SIZE, *data);
        *data = *data == brought ? NULL : brought; /* joined with what had come before: ours is free again */
    } else if (put == VMA_PUT_TWICE || put == VMA_PUT_CROWDED) {
        count_repeat_as_doubt(p, put);
        return EIO;
    }
    return 0;
}

static int on_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    struct port *p = user;
    struct pool *pool = p->drive->b->archive.pool;
    uint8_t *data = rq->user;
    struct piece piece;
    int status;

    if (!piece_landed(rq->offset, rq->len, done, &piece))
        return 0;                         /* this cluster's bytes are still arriving */
    if (!data && !is_nobodys(p->drive)) { /* To end the connection instead would make QEMU wait, and connect again */
        p->drive->job.n_refused++;
        return EIO;
    }
    if (!data)
        return 0;
    rq->user = NULL;
    status = take_piece(p, piece.offset, piece.len, &data);
    if (!p->is_filter)
        job_end_wrote(p->drive, piece.offset + piece.len);
    pool_give(pool, data);
    job_pause_check_credit(p->drive->b);
    return status;
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

    pool_give(p->drive->b->archive.pool, g_steal_pointer(&rq->user));
    job_throttle_took(p);
    if (error || cut)
        distrust_filter(p, cut ? "the filter's connection broke in a write" : "a write of the filter failed");
}

/* --- other requests ----------------------------------------------------------------------------- */

static int on_zeroes(void *user, const struct nbd_request *rq)
{
    struct port *p = user;
    uint64_t at = rq->offset, end = rq->offset + rq->len;
    int status = 0;

    if (!piece_is_aligned(rq->offset, rq->len))
        return EINVAL;
    while (at < end && !status) {
        uint64_t next = piece_end(at, end);
        uint8_t *data = NULL;
        status = take_piece(p, at, next - at, &data);
        pool_give(p->drive->b->archive.pool, data);
        at = next;
    }
    if (status)
        distrust_filter(p, "a write of the filter failed");
    if (!p->is_filter)
        job_end_wrote(p->drive, end);
    job_pause_check_credit(p->drive->b);
    return status;
}

/* QEMU reads back what the filter has sent, only to send it to the job's export: we hold it, so any bytes
 * do. What is not held must not be answered: it would be archived. */
static int on_read(void *user, const struct nbd_request *rq, void *to)
{
    struct port *p = user;

    if (!p->is_filter || !vma_assemble_holds(p->drive->clusters, rq->offset, rq->len))
        return EIO;
    memset(to, 0, rq->len);
    return 0;
}

static void on_replied_error(void *user, const struct nbd_request *rq, int error)
{
    (void)error;
    if (rq->type == 0) /* a READ that was refused says nothing about the image */
        return;
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

    (void)user;
    if (!p)
        return;
    (void)why;
    p->drive->b->end.n_open_handles--;
    if (p->conn != conn)
        return; /* another one stands in its place already, or soon will */
    p->conn = NULL;
    if (p->is_expected_to_close || is_nobodys(p->drive))
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
    p->drive->b->end.n_open_handles++;
    p->conn = conn;
    g_clear_pointer(&p->listener, nbd_listener_close);
}

static const struct nbd_conn_events port_events = {.on_export = on_export, .on_closed = on_closed};

void port_init(struct port *p, struct drive *d, bool is_filter)
{
    g_autofree char *name = g_strdup_printf("%c%u", is_filter ? 'f' : 'd', d->index);
    struct nbd_export export = {
        .name = name,
        .size = d->size,
        .no_structured = true, /* a block status of ours could abort QEMU 10 */
        .ops = &port_ops,
        .user = p,
    };

    p->drive = d;
    p->is_filter = is_filter;
    p->exports = nbd_exports_new();
    p->export = nbd_exports_add(p->exports, &export);
}

void port_clear(struct port *p)
{
    g_clear_pointer(&p->exports, nbd_exports_free);
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
