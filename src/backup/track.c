// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of the recipe that keep account of what changes, and find out what has. Nothing here fails a backup. */
#include "backup/run.h"
#include "backup/steps.h"
#include "qemu/end_mark.h"
#include "qemu/tracking.h"
#include "store/chunk_index.h"
#include "store/snapshot.h"
#include "store/snapshot_writer.h"

bool track_has_base(const struct backup *b, const struct drive *d)
{
    (void)d;
    for_each_drive (other, b)
        if (other->track.is_believed && !drive_is(other, DRIVE_IS_OUT))
            return true;
    return false;
}

bool track_freezes(const struct backup *b, const struct drive *d)
{
    (void)b;
    return d->track.is_believed && d->is_guarded;
}

bool track_counts(const struct backup *b, const struct drive *d)
{
    return backup_options_track(&b->options) && d->is_guarded && !d->track.is_shared &&
           tracking_is_possible(b->model.drives[d->row].format);
}

void track_disbelieve(struct drive *d, const char *why)
{
    if (!d->track.is_believed)
        return;
    d->track.is_believed = d->track.is_incremental = false;
    model_set(backup_row(d)->track.plan, "reads everything: %s", why);
    backup_row(d)->track.is_incremental = false;
    backup_log(d->b, MODEL_INFO, NULL, "drive %s: reads everything: %s", d->name, why);
}

/* --- the snapshots that bitmaps count from -------------------------------------------------------- */

struct look_back {
    uv_work_t work;
    struct steps_op *op;
};

/* The chunks are those that will not be read: they must be there. */
static void look_at_snapshot(struct drive *d)
{
    struct sink *sink = d->b->archive.sink;
    g_autoptr(snapshot) s = snapshot_load(d->track.snapshot, NULL);
    struct snapshot_device *device = s ? snapshot_find_device(s, d->name) : NULL;
    bool is_it = device && !s->is_damaged && g_strcmp0(device->bitmap, d->track.base) == 0;
    g_autoptr(chunk_index) x = is_it ? snapshot_load_index(s, device, NULL) : NULL;

    if (x && x->chunk_bytes == snapshot_target_chunk_bytes(sink) && snapshot_target_has_all(sink, x))
        d->track.index = g_steal_pointer(&x);
}

static void look_back_in_worker(uv_work_t *work)
{
    struct look_back *l = work->data;

    for_each_drive (d, l->op->b)
        if (d->track.is_believed && !d->track.index)
            look_at_snapshot(d);
}

void track_open_lane(struct drive *d)
{
    if (d->track.index)
        snapshot_writer_set_base(d->intake.lane, d->track.index);
}

static void on_looked_back(uv_work_t *work, int status)
{
    struct look_back *l = work->data;
    struct steps_op *op = l->op;

    g_free(l);
    for_each_drive (d, op->b) {
        if (d->track.index)
            track_open_lane(d);
        else
            track_disbelieve(d, "the backup that its bitmap counts from is gone, or damaged");
    }
    steps_end(op, NULL);
}

void track_begin_look_back(struct steps_op *op)
{
    struct look_back *l = g_new0(struct look_back, 1);

    l->op = op;
    l->work.data = l;
    uv_queue_work(op->b->loop, &l->work, look_back_in_worker, on_looked_back);
}

/* --- the bitmaps ---------------------------------------------------------------------------------- */

static const struct qmp_bitmap *find(const struct backup *b, const char *node, const char *name)
{
    for (unsigned i = 0; i < b->tracks.bitmaps->len; i++) {
        const struct qmp_bitmap *m = &g_array_index(b->tracks.bitmaps, struct qmp_bitmap, i);
        if (g_strcmp0(m->node_name, node) == 0 && g_strcmp0(m->name, name) == 0)
            return m;
    }
    return NULL;
}

/* The plan may be old. */
static void judge_again(struct drive *d)
{
    struct tracking_mark mark = {d->track.base, d->track.index->size, d->track.since, false};
    struct tracking_facts facts = {
        .drive = d->name,
        .format = backup_row(d)->format,
        .node = d->node,
        .size = d->size,
        .is_shared = d->track.is_shared,
        .bitmaps = (const struct qmp_bitmap *)(void *)d->b->tracks.bitmaps->data,
        .n_bitmaps = d->b->tracks.bitmaps->len,
        .marks = &mark,
        .n_marks = 1,
    };
    struct tracking t = tracking_judge(&facts);

    g_free(d->track.node);
    d->track.node = g_strdup(d->node);
    if (!t.mark)
        track_disbelieve(d, t.obstacle);
    tracking_clear(&t);
}

static void take_answer(struct steps_op *op, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error,
                        void (*take)(struct drive *d))
{
    if (error && !qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    track_take_bitmaps(op->b, bitmaps, error ? 0 : n);
    for_each_drive (d, op->b) {
        if (!d->track.is_believed || d->track.is_incremental) /* others are taken again now, this one is being read */
            continue;
        if (error)
            track_disbelieve(d, error->message);
        else
            take(d);
    }
    steps_end(op, NULL);
}

static void on_bitmaps(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    take_answer(user, bitmaps, n, error, judge_again);
}

void track_begin_look(struct steps_op *op)
{
    qmp_query_bitmaps(op->b->qmp, on_bitmaps, op);
}

/* --- right before the instant, and right after -------------------------------------------------- */

static void end_softly(struct steps_op *op, const GError *error)
{
    if (qmp_error_is_refusal(error)) {
        g_autofree char *why = g_strdup_printf("QEMU refuses a bitmap (%s)", error->message);
        track_disbelieve(op->d, why);
        error = NULL;
    }
    steps_end(op, error);
}

static void on_merged(void *user, const GError *error)
{
    struct steps_op *op = user;

    op->d->track.is_frozen = !error;
    end_softly(op, error);
}

static void on_changed_added(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct drive *d = op->d;

    if (error)
        end_softly(op, error);
    else
        qmp_bitmap_merge(op->b->qmp, d->names.snap, d->names.changed, d->track.node, d->track.base, on_merged, op);
}

void track_begin_freeze(struct steps_op *op)
{
    struct drive *d = op->d;
    struct qmp_new_bitmap changed = {.node = d->names.snap,
                                     .name = d->names.changed,
                                     .granularity = snapshot_target_chunk_bytes(op->b->archive.sink),
                                     .is_disabled = true};

    qmp_bitmap_add(op->b->qmp, &changed, on_changed_added, op);
}

/* --- its last bit, see end_mark.h ---------------------------------------------------------------- */

/* Refused, what is counted will not be believed. */
static void on_end_set(void *user, bool is_marked, const char *refusal, const GError *error)
{
    struct steps_op *op = user;

    op->d->track.has_null_node = error != NULL;
    if (refusal)
        backup_log(op->b, MODEL_INFO, NULL, "drive %s: the next backup reads everything: QEMU refuses a bitmap (%s)",
                   op->d->name, refusal);
    steps_end(op, error);
}

static void set_end(struct steps_op *op)
{
    struct drive *d = op->d;
    struct end_mark_spec spec = {
        .node = d->track.node,
        .bitmap = d->names.bitmap,
        .witness = d->names.witness,
        .is_persistent = op->sub == 0,
        .null_node = d->names.end,
        .size = d->size,
        .granularity = snapshot_target_chunk_bytes(d->b->archive.sink),
    };

    d->track.has_null_node = true;
    end_mark_set(op->b->qmp, &spec, on_end_set, op);
}

/* --- the bitmap that counts from now on ---------------------------------------------------------- */

static void add(struct steps_op *op);

static void on_added(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct drive *d = op->d;

    if (qmp_error_is_refusal(error) && op->sub == 0) { /* not every image can keep one */
        op->sub = 1;
        add(op);
        return;
    }
    d->track.is_counting = !error;
    if (d->track.is_counting) {
        set_end(op);
        return;
    }
    if (qmp_error_is_refusal(error)) {
        backup_log(op->b, MODEL_INFO, NULL, "drive %s: its changes are not counted: %s", d->name, error->message);
        error = NULL;
    }
    steps_end(op, error);
}

/* A chunk is what is read and kept as a whole: finer accounts are of no use. */
static void add(struct steps_op *op)
{
    struct drive *d = op->d;
    struct qmp_new_bitmap bitmap = {.node = d->node,
                                    .name = d->names.bitmap,
                                    .granularity = snapshot_target_chunk_bytes(op->b->archive.sink),
                                    .is_persistent = op->sub == 0};

    d->track.may_count = true;
    qmp_bitmap_add(op->b->qmp, &bitmap, on_added, op);
}

/* Not every qcow2 keeps one: a data file is there for others to write while the guest is off, and of an image with a
 * bitmap `qemu-img check -r` (7.2, 10.0, 11.1) takes all internal snapshots away. */
void track_begin(struct steps_op *op)
{
    struct drive *d = op->d;

    g_free(d->track.node);
    d->track.node = g_strdup(d->node);
    op->sub = !d->track.may_persist;
    add(op);
}

/* Before anything was begun there is nothing to follow: the bitmaps are looked at after this. */
void track_follow(struct drive *d)
{
    bool is_its_node = g_strcmp0(d->track.node, d->node) == 0;

    if (!d->track.node)
        return;
    if (!is_its_node)
        d->track.is_counting = false; /* the bitmap begun there goes with its row */
    if (d->track.is_believed && !(is_its_node && d->track.index->size == d->size))
        track_disbelieve(d, "its node or size has changed");
}

static void on_witness_removed(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error || qmp_error_is_refusal(error))
        op->d->track.may_count = op->d->track.is_counting = false;
    steps_end(op, qmp_error_is_refusal(error) ? NULL : error);
}

static void on_counter_removed(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error && !qmp_error_is_refusal(error))
        steps_end(op, error);
    else
        qmp_bitmap_remove(op->b->qmp, op->d->track.node, op->d->names.witness, on_witness_removed, op);
}

/* Of a drive that is saved it stays: what becomes of it, the end of the run decides. */
static void remove_counter(struct steps_op *op)
{
    struct drive *d = op->d;
    bool is_wanted = d->track.is_counting && drive_is(d, DRIVE_IS_SAVED) && !op->b->is_failing;

    if (is_wanted)
        steps_end(op, NULL);
    else
        qmp_bitmap_remove(op->b->qmp, d->track.node, d->names.bitmap, on_counter_removed, op);
}

static void on_null_node_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;

    op->d->track.has_null_node = g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);
    if (op->d->track.has_null_node)
        steps_end(op, error);
    else
        remove_counter(op);
}

void track_undo(struct steps_op *op)
{
    if (op->d->track.has_null_node) /* the monitor was lost meanwhile */
        qmp_del_node(op->b->qmp, op->d->names.end, on_null_node_deleted, op);
    else
        remove_counter(op);
}

static void on_changed_removed(void *user, const GError *error)
{
    struct steps_op *op = user;

    op->d->track.is_frozen = false;
    if (!drive_is(op->d, DRIVE_IS_SAVED))
        op->d->track.is_incremental = false;
    steps_end(op, qmp_error_is_refusal(error) ? NULL : error);
}

void track_undo_freeze(struct steps_op *op)
{
    qmp_bitmap_remove(op->b->qmp, op->d->names.snap, op->d->names.changed, on_changed_removed, op);
}

/* --- how much ------------------------------------------------------------------------------------- */

static void measure(struct drive *d)
{
    const struct qmp_bitmap *m = d->track.is_frozen ? find(d->b, d->names.snap, d->names.changed) : NULL;
    const struct qmp_bitmap *base = m ? find(d->b, d->track.node, d->track.base) : NULL;

    if (!d->track.is_frozen) /* this one is not taken again now */
        return;
    if (!m || m->granularity != d->track.index->chunk_bytes) {
        track_disbelieve(d, "QEMU does not show what has changed");
        return;
    }
    if (!base || !tracking_is_of_image(base, d->name)) {
        track_disbelieve(d, "its image has changed since the plan");
        return;
    }
    judge_again(d); /* its witness has seen all up to the instant */
    if (!d->track.is_believed)
        return;
    d->track.changed = m->count;
    d->track.is_incremental = true;
    backup_row(d)->track.changed = tracking_changed(m, d->size);
}

static void on_measured(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    take_answer(user, bitmaps, n, error, measure);
}

void track_begin_measure(struct steps_op *op)
{
    qmp_query_bitmaps(op->b->qmp, on_measured, op);
}
