// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps a frozen image in its iothread.
 *
 * QEMU 10.0 hangs for good when somebody ends a block job, or adds a filter, on a drive of an iothread while our job
 * reads its frozen image. QEMU then tries to move all nodes of the drive to its main loop, and waits for our job while
 * it holds the lock that the job needs. But first it asks every user of these nodes whether it may be moved. An export
 * that is fixed to its iothread refuses, and nothing is waited for. Nobody can connect to it: its socket has no name
 * any more.
 *
 * The export comes after the job and goes after it. One that is there before the job moves to the filter that the job
 * puts above the image, where it makes a migration of the guest fail. And to take it away while the job runs is such a
 * move.
 */
#include <string.h>
#include "backup/pin.h"
#include "backup/run.h"
#include "backup/steps.h"

#define VERSION(major, minor) ((major)*1000 + (minor))

bool pin_is_wanted(const struct backup *b, const struct drive *d)
{
    int version = VERSION(b->facts.version.major, b->facts.version.minor);

    /* 7.2 and 11.1 do not hang. Those in between, from the first with that lock on, are treated as 10.0 is. */
    return d->is_guarded && !d->is_pulled && version >= VERSION(8, 1) && version < VERSION(10, 1) &&
           door_has_descriptors(b);
}

/* One name for all: the export takes it from QEMU's list before the next drive's turn. */
static char *socket_name(const struct backup *b)
{
    return g_strdup_printf("vmb-%s-pin", b->run_id);
}

static void on_refused_socket_closed(void *user, const GError *error)
{
    steps_end(user, qmp_error_is_refusal(error) ? NULL : error);
}

/* The copy goes on, as safe as it can be. */
static void note_not_pinned(const struct steps_op *op, const GError *error)
{
    backup_note(op->b, "drive %s: cannot be fixed to its iothread (%s)", op->d->name, error->message);
}

/* A QEMU may have been built without such exports. */
static void on_pinned(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    if (!qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    if (!strstr(error->message, "already in use")) /* else its answer was lost with the monitor */
        note_not_pinned(op, error);
    qmp_closefd(op->b->qmp, name, on_refused_socket_closed, op);
}

static void on_socket_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    if (error)
        steps_end(op, error);
    else
        qmp_export_fixed(op->b->qmp, op->d->names.pin, op->d->names.snap, name, on_pinned, op);
}

void pin_begin(struct steps_op *op)
{
    g_autofree char *name = socket_name(op->b);
    g_autoptr(GError) error = NULL;
    int fd = door_dead_end(op->b, name, &error);

    if (fd < 0) {
        note_not_pinned(op, error);
        steps_end(op, NULL);
        return;
    }
    op->d->is_pinned = true;
    qmp_getfd(op->b->qmp, name, fd, on_socket_passed, op);
}

static void on_unpinned(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    op->d->is_pinned = g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE); /* then it is done when the monitor is back */
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE)) /* the socket may have come, and the export not */
        qmp_closefd(op->b->qmp, name, on_refused_socket_closed, op);
    else
        steps_end(op, error);
}

/* Not while its job may run, whose end was asked for in vain: cleanup ends both, in this order. */
void pin_undo(struct steps_op *op)
{
    if (op->d->is_pinned && op->d->job.state != JOB_RUNNING)
        qmp_export_del(op->b->qmp, op->d->names.pin, on_unpinned, op);
    else
        steps_end(op, NULL);
}
