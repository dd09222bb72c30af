// SPDX-License-Identifier: GPL-2.0-or-later
/* Waking the drives after a plain migration: it leaves them inactive, and nothing can be added on top of such a node.
 */
#include "backup/fate.h"
#include "backup/run.h"
#include "backup/steps.h"

static char *socket_name(const struct steps_op *op)
{
    return g_strdup_printf("vmb-%s-act", op->b->run_id);
}

/* One that was passed and not used stays in QEMU. */
static void close_socket(struct steps_op *op, qmp_done done)
{
    g_autofree char *name = socket_name(op);

    qmp_closefd(op->b->qmp, name, done, op);
}

static void activate_next(struct steps_op *op);

static void on_server_stopped(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error) {
        op->b->ram.did_start_nbd_server = false;
        run_journal_write(op->b, NULL);
    }
    op->b->ram.is_activated = !error;
    steps_end(op, op->is_undo || g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE) ? error
                                                                                   : NULL); /* the undo tries again */
}

static void on_export_gone(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error) {
        steps_end(op, error);
        return;
    }
    op->sub++;
    activate_next(op);
}

static char *activation_id(struct steps_op *op)
{
    return g_strdup_printf("vmb-%s-act-%u", op->b->run_id, op->sub);
}

static void on_export_added(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *id = activation_id(op);

    if (!error) {
        qmp_export_del(op->b->qmp, id, on_export_gone, op);
    } else if (error->domain == QMP_ERROR && error->code <= QMP_ERROR_NO_COMMAND) {
        /* unplugged a moment ago, say: the others can be woken */
        g_autofree char *why = g_strdup_printf("cannot be woken: %s", error->message);
        fate_refuse(g_ptr_array_index(op->b->drives, op->sub), why);
        on_export_gone(op, NULL);
    } else {
        steps_end(op, error);
    }
}

static void activate_next(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autofree char *id = NULL;

    while (op->sub < b->drives->len && drive_is(g_ptr_array_index(b->drives, op->sub), DRIVE_IS_OUT))
        op->sub++;
    id = activation_id(op);
    if (op->sub < b->drives->len) {
        struct drive *d = g_ptr_array_index(b->drives, op->sub);
        qmp_export_add(b->qmp, id, d->node, NULL, on_export_added, op);
    } else if (b->ram.did_start_nbd_server) {
        qmp_nbd_server_stop(b->qmp, on_server_stopped, op);
    } else {
        b->ram.is_activated = true;
        steps_end(op, NULL);
    }
}

static void begin_activating(void *user, const GError *error)
{
    struct steps_op *op = user;

    op->sub = 0;
    activate_next(op);
}

static void on_server_started(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error && !qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    op->b->ram.did_start_nbd_server = !error;
    run_journal_write(op->b, NULL);
    if (error && door_has_descriptors(op->b)) /* it runs already, for somebody else, and stays */
        close_socket(op, begin_activating);
    else
        begin_activating(op, NULL);
}

/* By a socket that was passed, or by one that QEMU makes at `path`. */
static void start_server(struct steps_op *op, const char *name, const char *path)
{
    op->b->ram.did_start_nbd_server = true; /* until it is refused */
    run_journal_write(op->b, NULL);
    qmp_nbd_server_start(op->b->qmp, name, path, on_server_started, op);
}

static void on_socket_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op);

    if (error)
        steps_end(op, error);
    else
        start_server(op, name, NULL);
}

/* Old versions have no command for it: exporting a node read-only wakes it, and the guest stays paused. */
static void activate(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autofree char *name = socket_name(op);
    g_autoptr(GError) error = NULL;
    g_autofree char *path = door_path(b, name);
    int fd = -1;

    if (b->facts.has_set_active)
        qmp_set_active(b->qmp, steps_reply, op);
    else if (!door_has_descriptors(b))
        start_server(op, NULL, path);
    else if ((fd = door_dead_end(b, name, &error)) >= 0)
        qmp_getfd(b->qmp, name, fd, on_socket_passed, op);
    else
        steps_end(op, error);
}

/* The migration has stopped the guest; the event that said so may have been lost with the monitor. */
static void on_status(void *user, const struct qmp_status *status, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;
    g_autoptr(GError) wrong = NULL;

    if (!error && status->is_running)
        g_set_error(&wrong, VMB_ERROR, VMB_ERROR_FAILED, "guest was resumed by somebody else; back up again");
    if (error || wrong) {
        steps_end(op, error ? error : wrong);
        return;
    }
    b->guest.is_stopped = true;
    if (b->guest.was_running && !b->guest.did_we_stop) {
        b->guest.did_we_stop = true;
        b->guest.stopped_at_us = g_get_monotonic_time();
    }
    run_journal_write(b, NULL); /* that it stands still because of us */
    activate(op);
}

void ram_begin_activate(struct steps_op *op)
{
    backup_set_phase(op->b, MODEL_FREEZE);
    qmp_query_status(op->b->qmp, on_status, op);
}

/* --- undoing it --------------------------------------------------------------------------------- */

static void undo_export(struct steps_op *op);

/* is_used: our socket, by a server. Else the one that runs, if any, is somebody else's. */
static void stop_own_server(struct steps_op *op, bool is_used)
{
    if (is_used && op->b->ram.did_start_nbd_server)
        qmp_nbd_server_stop(op->b->qmp, on_server_stopped, op);
    else
        steps_end(op, NULL);
}

/* A descriptor that was still there was never used. */
static void on_socket_closed(void *user, const GError *error)
{
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end(user, error);
    else
        stop_own_server(user, error != NULL);
}

/* Where QEMU makes the socket, its file tells. */
static void look_for_socket(struct steps_op *op)
{
    g_autofree char *name = socket_name(op), *path = door_path(op->b, name);

    stop_own_server(op, g_file_test(path, G_FILE_TEST_EXISTS));
}

static void on_export_undone(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) {
        steps_end(op, error);
        return;
    }
    op->sub++;
    undo_export(op);
}

static void undo_export(struct steps_op *op)
{
    g_autofree char *id = activation_id(op);

    if (op->sub < op->b->drives->len)
        qmp_export_del(op->b->qmp, id, on_export_undone, op);
    else if (door_has_descriptors(op->b))
        close_socket(op, on_socket_closed);
    else
        look_for_socket(op);
}

/* Of what was done only in passing, something may be left when it was interrupted. */
void ram_undo_activate(struct steps_op *op)
{
    if (op->b->facts.has_set_active || op->b->ram.is_activated)
        steps_end(op, NULL);
    else
        undo_export(op);
}
