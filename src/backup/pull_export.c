// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A frozen image as an export of QEMU's, and our connection to it.
 *
 * QEMU gets a socket that listens, and to which we are connected already: nobody else can come in. It holds our end of
 * the connection, too: it aborts when that ends while it reads (vhost/front_uv.h), so even our death must not end it.
 * The export goes away again only when nothing is in flight: QEMU waits for that in its main loop, and a disk that
 * hangs would hang the guest.
 */
#include <fcntl.h>
#include <unistd.h>
#include "backup/run.h"
#include "backup/steps.h"
#include "vhost/front_uv.h"

#define ASK_MS 500 /* as often as jobs are asked for */

static char *socket_name(const struct drive *d)
{
    return g_strdup_printf("%s-socket", d->names.export);
}

/* cleanup_actions.c knows it too. */
static char *held_name(const struct drive *d)
{
    return g_strdup_printf("%s-held", d->names.export);
}

static struct steps_op *op_of(const struct drive *d, bool is_undo)
{
    const struct steps_op *op = steps_current(d->b->steps);

    return op && op->d == d && op->is_undo == is_undo && op->step->undo == pull_export_undo ? (struct steps_op *)op
                                                                                            : NULL;
}

/* --- the connection ----------------------------------------------------------------------------- */

static void on_ready(void *user, uint64_t capacity)
{
    struct drive *d = user;
    struct steps_op *op = op_of(d, false);
    g_autoptr(GError) error = NULL;

    if (!op)
        return; /* too late: it is being undone, or soon will be */
    if (capacity != d->size) {
        g_set_error(&error, VMB_ERROR, VMB_ERROR_FAILED,
                    "the exported image has %" G_GUINT64_FORMAT " bytes, the drive %" G_GUINT64_FORMAT, capacity,
                    d->size);
    } else {
        pull_reader_start(d);
    }
    steps_end(op, error);
}

static void on_read(void *user, void *tag, int error)
{
    struct drive *d = user;

    d->job.moved_ms = uv_now(d->b->loop);
    pull_read_ended(tag, error);
}

static void on_broken(void *user, const GError *why)
{
    struct drive *d = user;
    struct steps_op *op = op_of(d, false);

    g_free(d->pull.broken);
    d->pull.broken = g_strdup(why->message);
    pull_stop(d->pull.reader);
    if (op)
        steps_end(op, why);
    else
        jobs_poll(d->b); /* which ends it if QEMU lives to answer; else it is QEMU that went */
}

static void on_closed(void *user)
{
    struct drive *d = user;

    d->b->end.n_open[OPEN_PORT]--;
}

static const struct vhost_events events = {
    .on_ready = on_ready, .on_read = on_read, .on_broken = on_broken, .on_closed = on_closed};

static void connect_to(struct steps_op *op)
{
    struct drive *d = op->d;
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&d->pull.broken, g_free);
    d->pull.is_socket_used = true;
    d->pull.front = vhost_open(d->b->loop, d->b->pulls.memory, d->index, d->pull.connected, &events, d, &error);
    d->pull.connected = -1;
    if (d->pull.front) {
        d->b->end.n_open[OPEN_PORT]++;
        d->job.moved_ms = uv_now(d->b->loop);
    } else {
        steps_end(op, error);
    }
}

void pull_export_disconnect(struct drive *d)
{
    if (d->pull.front) {
        pull_stop(d->pull.reader);
        vhost_close(g_steal_pointer(&d->pull.front), pull_taken_back);
    }
    if (d->pull.connected >= 0)
        close(d->pull.connected);
    d->pull.connected = -1;
}

/* --- the export --------------------------------------------------------------------------------- */

static void on_exported(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error) {
        connect_to(op);
        return;
    }
    if (qmp_error_is_refusal(error))
        op->d->pull.may_be_in_qemu = false;
    steps_end(op, error);
}

static void on_end_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct drive *d = op->d;
    g_autofree char *name = socket_name(d);

    if (error) {
        steps_end(op, error);
        return;
    }
    d->pull.may_be_in_qemu = true;
    qmp_export_vhost(op->b->qmp, d->names.export, d->is_guarded ? d->names.snap : d->node, name, on_exported, op);
}

static void on_socket_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = held_name(op->d);

    if (error)
        steps_end(op, error);
    else
        qmp_getfd(op->b->qmp, name, fcntl(op->d->pull.connected, F_DUPFD_CLOEXEC, 0), on_end_passed, op);
}

static void ask_for_export(struct steps_op *op)
{
    struct drive *d = op->d;
    g_autofree char *path = door_path(op->b, d->names.export), *name = socket_name(d);
    g_autoptr(GError) error = NULL;
    int listening;

    pull_export_disconnect(d);
    if (!vhost_socket_pair(path, &listening, &d->pull.connected, &error)) {
        steps_end(op, error);
        return;
    }
    d->pull.are_fds_passed = true;
    d->pull.is_socket_used = false;
    qmp_getfd(op->b->qmp, name, listening, on_socket_passed, op);
}

static bool is_there(const struct drive *d, const struct qmp_export *exports, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (g_strcmp0(exports[i].id, d->names.export) == 0)
            return true;
    return false;
}

/* The answer was lost with the monitor. */
static void on_exports_again(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct steps_op *op = user;

    if (error)
        steps_end(op, error);
    else if (is_there(op->d, exports, n))
        connect_to(op);
    else
        ask_for_export(op);
}

void pull_export_begin(struct steps_op *op)
{
    if (op->d->pull.may_be_in_qemu && op->d->pull.connected >= 0)
        qmp_query_exports(op->b->qmp, on_exports_again, op);
    else
        ask_for_export(op);
}

/* --- its end ------------------------------------------------------------------------------------ */

enum undo_sub { UNDO_QUIETS, UNDO_DELETES, UNDO_WAITS, UNDO_CLOSES };

/* What is looked at in the end does not tell of descriptors. */
static void undo_ends(struct steps_op *op, const GError *error)
{
    if (error && !g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        op->b->end.has_undo_failed = true;
    steps_end(op, error);
}

static void on_end_closed(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct drive *d = op->d;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE)) /* it never came, or by another monitor */
        error = NULL;
    if (!error) {
        d->pull.may_be_in_qemu = d->pull.are_fds_passed = false;
        d->job.state = JOB_NONE;
    }
    undo_ends(op, error);
}

static void close_end(struct steps_op *op)
{
    g_autofree char *name = held_name(op->d);

    qmp_closefd(op->b->qmp, name, on_end_closed, op);
}

static void on_socket_closed(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error && !g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE))
        on_end_closed(op, error);
    else
        close_end(op);
}

/* The export is; now our ends of it. */
static void gone(struct steps_op *op)
{
    struct drive *d = op->d;
    g_autofree char *name = socket_name(d);

    op->sub = UNDO_CLOSES;
    pull_export_disconnect(d);
    if (!d->pull.are_fds_passed)
        on_end_closed(op, NULL);
    else if (d->pull.is_socket_used)
        close_end(op);
    else
        qmp_closefd(op->b->qmp, name, on_socket_closed, op);
}

static void on_exports_after(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct drive *d = user;
    struct steps_op *op = op_of(d, true);

    if (op && op->sub == UNDO_WAITS && !error && !is_there(d, exports, n))
        gone(op);
}

/* Until an answer or the event says so: either may get lost. */
static void ask_if_gone(struct drive *d)
{
    d->pull.asked_ms = uv_now(d->b->loop);
    qmp_query_exports(d->b->qmp, on_exports_after, d);
}

static void on_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE)) {
        gone(op);
    } else if (error) {
        undo_ends(op, error);
    } else {
        op->d->pull.is_socket_used = true;
        op->sub = UNDO_WAITS;
        op->d->job.moved_ms = uv_now(op->b->loop);
        ask_if_gone(op->d);
    }
}

bool pull_export_is_at_rest(const struct drive *d)
{
    return !d->pull.reader || !pull_in_flight(d->pull.reader) || d->pull.broken;
}

static void delete_when_quiet(struct steps_op *op)
{
    struct drive *d = op->d;

    if (op->sub != UNDO_QUIETS || !pull_export_is_at_rest(d))
        return;
    op->sub = UNDO_DELETES;
    qmp_export_del(op->b->qmp, d->names.export, on_deleted, op);
}

void pull_export_undo(struct steps_op *op)
{
    struct drive *d = op->d;

    pull_stop(d->pull.reader);
    if (d->job.state == JOB_RUNNING)
        d->job.state = JOB_ENDED;
    d->job.moved_ms = uv_now(op->b->loop);
    if (d->pull.may_be_in_qemu)
        delete_when_quiet(op);
    else
        gone(op);
}

void pull_export_on_event(struct backup *b, const struct qmp_event *event)
{
    const struct steps_op *op = steps_current(b->steps);

    if (event->type == QMP_EVENT_BLOCK_EXPORT_DELETED && op && op->d && op_of(op->d, true) && op->sub == UNDO_WAITS &&
        g_strcmp0(event->id, op->d->names.export) == 0)
        gone((struct steps_op *)op);
}

/* --- what takes too long ------------------------------------------------------------------------ */

static void give_up_waiting(struct steps_op *op)
{
    g_autoptr(GError) error = NULL;

    if (op->is_undo) {
        jobs_leave_hanging(op);
        return;
    }
    g_set_error(&error, VMB_ERROR, VMB_ERROR_FAILED, "QEMU does not answer on its export");
    steps_end(op, error);
}

/* An op that has sent a command waits for its answer, which comes, or says that it does not. */
static bool is_waiting(const struct steps_op *op)
{
    return op->is_undo ? op->sub == UNDO_QUIETS || op->sub == UNDO_WAITS : op->d->pull.front && !op->d->pull.broken;
}

void pull_export_on_tick(struct backup *b)
{
    const struct steps_op *current = steps_current(b->steps);
    struct steps_op *op = current && current->d ? op_of(current->d, current->is_undo) : NULL;
    uint64_t now = uv_now(b->loop);

    puller_on_tick(b->pulls.readers);
    if (!op || !is_waiting(op) || !monitor_is_up(b))
        return;
    if (now - op->d->job.moved_ms > (uint64_t)b->options.timeout_s * 1000)
        give_up_waiting(op);
    else if (op->is_undo && op->sub == UNDO_QUIETS)
        delete_when_quiet(op);
    else if (op->is_undo && now - op->d->pull.asked_ms >= ASK_MS)
        ask_if_gone(op->d);
}
