// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lid: a node that passes everything on, between a device of an iothread and its filter.
 *
 *        cap ─▶╮
 *     device ─▶ lid ─▶ filter ─▶ the drive's node
 *                         ▲
 *                    frozen image ◀─ the filter of our job
 *
 * QEMU 10.0 tries to move all nodes of a drive to its main loop when somebody begins or ends a block job on it. It
 * walks over them, and ends the walk when it gets to the device, which refuses. But on the way it waits for each node
 * that it is through with, under the lock that our job needs: it hangs for good when it gets to the job first. Of the
 * users of a node it takes the youngest first. The frozen image is younger than the device, and leads to the job; the
 * lid is put on last, and leads to the device.
 *
 * What others put over the device's node goes over the lid, and does not take the frozen image along. The cap is there
 * for QEMU to see that the device is not the lid's only user: it refuses mirrors and commits then, as it does without
 * lids. One that went on would leave the lid without its device in the end, and QEMU would hang.
 *
 * An export that is
 * fixed to the iothread refuses, too. But a QEMU that ends removes exports while our job runs, and hangs by that.
 */
#include "backup/filter.h"
#include "backup/lid.h"
#include "backup/run.h"

#define VERSION(major, minor) ((major)*1000 + (minor))

bool lid_may_be_wanted(const struct backup *b)
{
    int version = VERSION(b->facts.version.major, b->facts.version.minor);

    /* 7.2 and 11.1 do not hang. Those in between, from the first with that lock on, are treated as 10.0 is. */
    return version >= VERSION(8, 1) && version < VERSION(10, 1);
}

bool lid_is_wanted(const struct backup *b, const struct drive *d)
{
    return d->is_guarded && d->is_in_iothread && lid_may_be_wanted(b);
}

/* The drive is saved as well without it. */
static void go_without(struct steps_op *op, const GError *error)
{
    backup_note(op->b, "drive %s: begin no block job on it meanwhile, QEMU may hang (%s)", op->d->name, error->message);
    op->d->begun &= ~(1u << op->row);
    steps_end(op, NULL);
}

static void on_refused_lid_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autoptr(GError) why = g_steal_pointer(&op->d->refusal);

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end(op, error);
    else
        go_without(op, why);
}

static void on_put_on(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    g_clear_error(&op->d->refusal);
    op->d->refusal = g_error_copy(error);
    qmp_del_node(op->b->qmp, op->d->names.cap, on_refused_lid_deleted, op);
}

static void on_added(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (qmp_error_is_refusal(error)) /* it may have been built without such nodes */
        go_without(op, error);
    else if (error)
        steps_end(op, error);
    else
        filter_set_drive(op, op->d->names.lid, on_put_on);
}

void lid_begin(struct steps_op *op)
{
    qmp_add_passing(op->b->qmp, op->d->names.cap, op->d->names.lid, op->d->names.cbw, on_added, op);
}

static void on_taken_off(struct steps_op *op)
{
    qmp_del_node(op->b->qmp, op->d->names.cap, steps_reply, op);
}

void lid_undo(struct steps_op *op)
{
    filter_take_out(op, op->d->names.lid, on_taken_off);
}
