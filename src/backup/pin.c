// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU 9 and 10.0 hang for good when somebody ends a block job, or adds a filter, on a drive of an iothread whose
 * frozen image a job of ours is reading: QEMU tries then to move all that is connected to the drive to its main loop,
 * and waits for our job while it holds the lock that the job needs. It asks before whether everybody allows to be
 * moved. So an export of the frozen image, fixed to its iothread, says no. Nobody can connect to it: its socket has no
 * name any more. It comes after the job and goes after it: what comes before moves to the filter that the job puts
 * above the image, where it would make a migration of the guest fail; and taking it away while the job runs would be
 * such a move.
 */
#include <string.h>
#include "backup/run.h"

#define VERSION(major, minor) ((major)*1000 + (minor))

bool pin_is_wanted(const struct backup *b, const struct drive *d)
{
    int version = VERSION(b->version.major, b->version.minor);

    return d->is_guarded && version >= VERSION(8, 1) && version < VERSION(10, 1) && door_has_descriptors(b);
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

/* A QEMU that was built without such exports: the copy goes on, as safe as it can be. */
static void on_pinned(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    if (!qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    if (!strstr(error->message, "already in use")) /* else its answer was lost with the monitor */
        backup_note(op->b, "drive %s: cannot be fixed to its iothread (%s)", op->d->name, error->message);
    qmp_closefd(op->b->qmp, name, on_refused_socket_closed, op);
}

static void on_socket_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    if (error)
        steps_end(op, error);
    else
        qmp_export_fixed(op->b->qmp, op->d->pin_id, op->d->snap_node, name, on_pinned, op);
}

void pin_begin(struct steps_op *op)
{
    g_autofree char *name = socket_name(op->b);
    g_autoptr(GError) error = NULL;
    int fd = door_dead_end(op->b, name, &error);

    if (fd < 0) {
        steps_end(op, error);
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
    if (op->d->is_pinned && op->d->job != JOB_RUNNING)
        qmp_export_del(op->b->qmp, op->d->pin_id, on_unpinned, op);
    else
        steps_end(op, NULL);
}
