// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows that freeze a drive: a copy-before-write filter, put between the device and its node while the guest is
 * stopped, and the frozen image behind it. Which drives get one is decided in plan.c; here, which do not take it.
 */
#include <string.h>
#include "backup/fate.h"
#include "backup/filter.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

static bool is_before_9_1(const struct qmp_version *v)
{
    return v->major < 9 || (v->major == 9 && v->minor < 1);
}

/* Longest a guest write may wait for us before QEMU breaks the snapshot: at most about 10 s over all drives. Before 9.1
 * it counts nanoseconds in 32 bits: 10 s would be 1.4 s, and 5 s 0.7 s. */
static unsigned cbw_timeout_s(const struct backup *b)
{
    unsigned longest = is_before_9_1(&b->facts.version) ? 4 : 10;

    return CLAMP(10 / b->drives->len, 2, longest);
}

/* Since look.c saw it, a moment ago: its filter is taken away again, and the others go on. */
static void refuse_changed(struct steps_op *op)
{
    g_autofree char *why = g_strdup_printf("its node is no longer %s, or was resized; back up again", op->d->node);

    fate_refuse(op->d, why);
    steps_end(op, NULL);
}

/* Its image changes as the guest writes: only a job of QEMU's can copy it. */
static void push_instead(struct steps_op *op)
{
    g_autoptr(GArray) ops = recipe_add_jobs_target(op->d);

    recipe_push_instead(op->d);
    steps_insert(op->b->steps, ops);
}

/* The drive refuses the filter: take it as well as it can be had, and say what that risks. */
static void fall_back_to_direct(struct steps_op *op, const GError *error)
{
    struct drive *d = op->d;

    if (op->b->options.guard == BACKUP_GUARD_FILTER) {
        steps_end(op, error);
        return;
    }
    d->is_guarded = false;
    d->target.source.purpose = POOL_FOR_GUEST; /* it waits for the job's writes from now on */
    if (d->is_pulled)
        push_instead(op);
    fate_forget_clusters(d); /* none has come; and now none may come twice */
    backup_row(d)->is_guarded = false;
    model_set(backup_row(d)->note, "unguarded");
    backup_log(
        op->b, MODEL_WARNING, "keep the target fast, or exclude this drive",
        "drive %s takes no filter (%s): a slow target slows the guest's writes, and if this program dies they fail",
        d->name, error->message);
    steps_end(op, NULL);
}

/* Until 9.1 a filter keeps a bitmap on the node below it, and QEMU aborts when that node goes: as a drive's
 * old image does once somebody has taken a snapshot and streamed the image into it. */
static bool leaves_bitmap_below(const struct qmp_version *v)
{
    return is_before_9_1(v);
}

static void on_filter_added(void *user, const GError *error);

static void add_filter(struct steps_op *op, bool is_apart)
{
    qmp_add_filter(op->b->qmp, op->d->names.cbw, op->d->node, is_apart, op->d->names.filter, cbw_timeout_s(op->b),
                   on_filter_added, op);
}

static void on_filter_added(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error || error->domain != QMP_ERROR || error->code != QMP_ERROR_COMMAND) {
        steps_end(op, error);
    } else if (op->sub == 0 && leaves_bitmap_below(&op->b->facts.version)) {
        op->sub = 1; /* it may have been built without the node that keeps it apart */
        add_filter(op, false);
    } else {
        op->d->begun &= ~(1u << op->row);
        if (g_str_has_prefix(error->message, "Cannot find device"))
            refuse_changed(op);
        else
            fall_back_to_direct(op, error);
    }
}

void filter_begin_add(struct steps_op *op)
{
    add_filter(op, leaves_bitmap_below(&op->b->facts.version));
}

void filter_leave(struct steps_op *op)
{
    op->d->left |= 1u << op->row;
    steps_end(op, NULL);
}

void filter_undo_add(struct steps_op *op)
{
    if (op->d->left)
        filter_leave(op);
    else
        qmp_del_node(op->b->qmp, op->d->names.cbw, steps_reply, op);
}

/* The drive as query-block shows it now; NULL when it is gone. */
static const struct qmp_drive *drive_now(const struct drive *d, const struct qmp_drive *drives, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (g_strcmp0(drives[i].qdev, d->qdev) == 0)
            return &drives[i];
    return NULL;
}

static void on_refused_filter_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autoptr(GError) why = g_steal_pointer(&op->d->refusal);

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) {
        steps_end(op, error);
        return;
    }
    op->d->begun &= ~(1u << op->row);
    for (unsigned row = 0; row < op->row; row++)
        if (recipe_table[row].begin == filter_begin_add)
            op->d->begun &= ~(1u << row);
    fall_back_to_direct(op, why);
}

static void try_insert(struct steps_op *op);

static void on_inserted(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!qmp_error_is_refusal(error)) {
        steps_end(op, error);
    } else if (op->sub == 0 && !strchr(op->d->qdev, '/')) {
        op->sub = 1; /* nvme shows a bare id here that qom-set does not resolve */
        try_insert(op);
    } else {
        g_clear_error(&op->d->refusal);
        op->d->refusal = g_error_copy(error);
        qmp_del_node(op->b->qmp, op->d->names.cbw, on_refused_filter_deleted, op);
    }
}

void filter_set_drive(struct steps_op *op, const char *node, qmp_done done)
{
    g_autofree char *path =
        op->d->is_bare_path_wrong ? g_strdup_printf("/machine/peripheral/%s", op->d->qdev) : g_strdup(op->d->qdev);

    qmp_set_drive(op->b->qmp, path, node, done, op);
}

/* Setting the node that a device has already aborts QEMU, and so does a write behind the end of a filter's target: look
 * right before. */
static void on_drives_before_insert(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct steps_op *op = user;
    const struct qmp_drive *now = drive_now(op->d, drives, n);
    g_autoptr(GError) wrong = NULL;

    if (!error && (!now || g_strcmp0(now->node_name, op->d->node) != 0 || now->virtual_size != op->d->size)) {
        refuse_changed(op);
        return;
    }
    if (!error && !op->b->guest.is_stopped)
        g_set_error(&wrong, VMB_ERROR, VMB_ERROR_FAILED, "guest was resumed by somebody else; back up again");
    if (error || wrong) {
        steps_end(op, error ? error : wrong);
        return;
    }
    op->d->is_bare_path_wrong = op->sub == 1;
    filter_set_drive(op, op->d->names.cbw, on_inserted);
}

static void try_insert(struct steps_op *op)
{
    qmp_query_block(op->b->qmp, on_drives_before_insert, op);
}

void filter_begin_insert(struct steps_op *op)
{
    drive_take_instant(op->d);
    try_insert(op);
}

/* A manager that unplugs a drive cannot delete its node while our filter is over it, and may not try again. */
static void tell_of_orphan(struct drive *d, const struct survey *s)
{
    const char *below = graph_below(s->graph, d->names.cbw);
    g_autofree char *hint = g_strdup_printf("if its node is still there: blockdev-del %s", below);

    if (below && *below != '#' && !survey_find(s, d->qdev))
        backup_log(d->b, MODEL_INFO, hint, "drive %s was unplugged meanwhile", d->name);
}

static void on_out(void *user, const struct takeout *t, const GError *error)
{
    struct steps_op *op = user;
    struct drive *d = op->d;

    if (error) {
        steps_end(op, error);
        return;
    }
    if (!t->stays) {
        op->then(op);
        return;
    }
    if (!d->is_left_told)
        backup_log(op->b, MODEL_WARNING, NULL,
                   "drive %s: filter %s stays in QEMU, where it does no harm, because of %s", d->name, t->filter,
                   t->stays);
    d->is_left_told = true;
    filter_leave(op);
}

void filter_take_out(struct steps_op *op, const char *node, void (*out)(struct steps_op *op))
{
    op->then = out;
    takeout_begin(&op->b->takeout, op->b->qmp, node, on_out, op);
}

static void on_filter_out(struct steps_op *op)
{
    tell_of_orphan(op->d, &op->b->takeout.survey);
    steps_end(op, NULL);
}

void filter_undo_insert(struct steps_op *op)
{
    if (op->d->left) /* its lid */
        filter_leave(op);
    else
        filter_take_out(op, op->d->names.cbw, on_filter_out);
}

void filter_begin_snapshot(struct steps_op *op)
{
    qmp_add_snapshot_access(op->b->qmp, op->d->names.snap, op->d->names.cbw, steps_reply, op);
}

void filter_undo_snapshot(struct steps_op *op)
{
    qmp_del_node(op->b->qmp, op->d->names.snap, steps_reply, op);
}
