// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU gets a socket that listens, and to which we are connected already: nobody else can come in. The server stops
 * only when the export is gone: to stop it before, QEMU would wait in its main loop for what is asked of the disk.
 */
#include <stddef.h>
#include <unistd.h>
#include "backup/found.h"
#include "backup/holes.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "nbd/status_uv.h"
#include "store/chunk_index.h"
#include "vhost/front_uv.h"
#include "vma/bitmap.h"
#include "vma/format.h"

#define LIMIT_MS 5000 /* for the zeros of all drives: what is not known by then is read; for each bitmap */

/* What has changed is asked for, not what is zero: of all the rest nobody has to know that. */
static const char *bitmap_of(const struct drive *d)
{
    return d->track.is_incremental ? d->names.changed : NULL;
}

static char *export_id(const struct backup *b)
{
    return g_strdup_printf("vmb-%s-map-%u", b->run_id, b->holes.of->index);
}

/* One for all drives, which have it in turn; cleanup_find.c knows it too. */
static char *socket_name(const struct backup *b)
{
    return g_strdup_printf("vmb-%s-map", b->run_id);
}

/* When a client leaves, QEMU before 10.0 aborts where the node lives in an iothread. Such drives are not pulled, but
 * nobody says that none will be moved there. */
static bool is_safe(const struct backup *b)
{
    bool is_any_in_iothread = false;

    for_each_found (f, b)
        is_any_in_iothread |= f->is_in_iothread;
    return b->facts.version.major >= 10 || !is_any_in_iothread;
}

/* Of a try for this drive that could not be taken away. */
static bool is_anything_left(const struct backup *b, const struct drive *d)
{
    return b->holes.of == d && (b->holes.is_fd_passed || b->holes.may_be_in_qemu || b->holes.did_start_server);
}

bool holes_are_possible(const struct backup *b)
{
    return !b->holes.is_impossible && is_safe(b);
}

bool holes_are_wanted(const struct backup *b, const struct drive *d)
{
    bool has_time = holes_are_possible(b) && b->holes.took_ms < LIMIT_MS;

    return d->is_pulled && d->size && (has_time || d->track.is_incremental || is_anything_left(b, d));
}

/* QEMU did not show what has changed: push the drive by the same bitmap, unless an export of ours may still hold that.
 * From within a step. */
static void not_searched(struct steps_op *op, bool is_export_left)
{
    struct drive *d = op->d;
    g_autoptr(GArray) ops = NULL;

    if (d->b->is_failing || drive_is(d, DRIVE_IS_OUT))
        return;
    if (is_export_left) { /* a job would be refused the bitmap */
        track_disbelieve(d, "QEMU does not show what has changed");
        return;
    }
    backup_log(d->b, MODEL_INFO, NULL, "drive %s is pushed, not pulled: QEMU does not show what has changed", d->name);
    recipe_push_instead(d);
    ops = recipe_restart_job(d);
    steps_insert(d->b->steps, ops);
}

static void begin_over(struct steps_op *op)
{
    if (op->d->track.is_incremental && !op->d->track.unchanged)
        not_searched(op, is_anything_left(op->b, op->d));
    steps_end(op, NULL);
}

/* --- taking it away ----------------------------------------------------------------------------- */

static void close_connection(struct backup *b)
{
    if (b->holes.connected >= 0)
        close(b->holes.connected);
    b->holes.connected = -1;
}

void holes_interrupt(struct backup *b)
{
    if (b->holes.status)
        nbd_status_end(b->holes.status);
}

void holes_disconnect(struct backup *b)
{
    holes_interrupt(b);
    close_connection(b);
}

/* Of a begin an error says no more than that the undo has to try again; a lost monitor makes it begin again. */
static void taken_away(struct steps_op *op, const GError *error)
{
    bool is_told = op->is_undo || g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);

    if (op->is_undo && error && !g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        op->b->end.has_undo_failed = true;
    if (op->is_undo || (error && is_told))
        steps_end(op, error);
    else
        begin_over(op);
}

static void on_server_stopped(void *user, const GError *error)
{
    struct steps_op *op = user;

    bool is_none = op->is_undo && qmp_error_is_refusal(error); /* a begin leaves it to the undo to be sure */

    if (error && !is_none) {
        taken_away(op, error);
        return;
    }
    op->b->holes.did_start_server = false;
    run_journal_write(op->b, NULL);
    taken_away(op, NULL);
}

static void stop_server(struct steps_op *op)
{
    if (op->b->holes.did_start_server)
        qmp_nbd_server_stop(op->b->qmp, on_server_stopped, op);
    else
        taken_away(op, NULL);
}

/* One that was still there was never used: the server that runs, if any, is somebody else's. */
static void on_socket_closed(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error && !qmp_error_is_refusal(error)) {
        taken_away(op, error);
        return;
    }
    op->b->holes.is_fd_passed = false;
    if (!error && op->b->holes.did_start_server) {
        op->b->holes.did_start_server = false;
        run_journal_write(op->b, NULL);
    }
    stop_server(op);
}

static void close_socket(struct steps_op *op)
{
    g_autofree char *name = socket_name(op->b);

    if (op->b->holes.is_fd_passed)
        qmp_closefd(op->b->qmp, name, on_socket_closed, op);
    else
        stop_server(op);
}

static void delete_export(void *op);
static void look_if_gone(void *op);

static bool is_there(const char *id, const struct qmp_export *exports, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (g_strcmp0(exports[i].id, id) == 0)
            return true;
    return false;
}

static void on_exports(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *id = export_id(op->b);
    g_autoptr(GError) hangs = NULL;

    if (!error && is_there(id, exports, n)) {
        if (qmp_again(op->b->qmp, &op->b->holes.again, look_if_gone, op))
            return;
        g_set_error(&hangs, VMB_ERROR, VMB_ERROR_FAILED, "export %s does not end", id);
    }
    if (error || hangs) {
        taken_away(op, error ? error : hangs);
        return;
    }
    op->b->holes.may_be_in_qemu = false;
    close_socket(op);
}

static void look_if_gone(void *user)
{
    qmp_query_exports(((struct steps_op *)user)->b->qmp, on_exports, user);
}

/* Refused as long as QEMU has not heard that we are gone. */
static void on_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;
    bool is_gone = g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE);

    if (!is_gone && qmp_error_is_refusal(error) && qmp_again(op->b->qmp, &op->b->holes.again, delete_export, op))
        return;
    op->b->holes.again = (struct qmp_again){0};
    if (error && !is_gone)
        taken_away(op, error);
    else
        look_if_gone(op);
}

static void delete_export(void *user)
{
    struct steps_op *op = user;
    g_autofree char *id = export_id(op->b);

    qmp_export_del(op->b->qmp, id, on_deleted, op);
}

/* Nothing of ours is connected any more. */
static void take_away(struct steps_op *op)
{
    close_connection(op->b);
    op->b->holes.again = (struct qmp_again){0};
    if (op->b->holes.may_be_in_qemu)
        delete_export(op);
    else
        close_socket(op);
}

/* What is known holds for the instant that goes with it. */
void holes_undo(struct steps_op *op)
{
    g_clear_pointer(&op->d->zeroes, vma_bitmap_free);
    g_clear_pointer(&op->d->track.unchanged, vma_bitmap_free);
    if (op->b->holes.status && op->b->holes.of == op->d)
        holes_interrupt(op->b); /* and on_status_over() goes on */
    else if (is_anything_left(op->b, op->d))
        take_away(op);
    else
        steps_end(op, NULL);
}

/* --- asking ------------------------------------------------------------------------------------- */

static void note_unknown(const struct steps_op *op, const GError *error)
{
    const char *what = op->d->track.is_incremental ? "what has changed cannot be seen" : "what is zero is read, too";

    backup_note(op->b, "drive %s: %s (%s)", op->d->name, what, error->message);
}

static struct steps_op *op_under_way(const struct backup *b)
{
    const struct steps_op *op = steps_current(b->steps);

    return op && op->step->undo == holes_undo ? (struct steps_op *)op : NULL;
}

/* In the thread, range by range. Parts of a unit do not help, unless ranges meet in it. */
static void on_range(void *user, uint64_t offset, uint64_t len)
{
    struct hole_search *s = user;
    uint64_t first, end, per_unit = s->unit / VMA_CLUSTER_SIZE;

    s->from = offset == s->to ? s->from : offset;
    s->to = offset + len;
    first = MAX((s->from + s->unit - 1) / s->unit, s->next);
    end = s->to == s->size ? s->n_units : s->to / s->unit;
    if (end <= first)
        return;
    s->n_found += end - first;
    s->next = end;
    end = MIN(end * per_unit, vma_clusters_of(s->size));
    vma_bitmap_set_clear(s->found, first * per_unit, end - first * per_unit);
}

/* Takes it. Not believed if it is not what was measured. */
static void take_unchanged(struct drive *d, struct vma_bitmap *unchanged, uint64_t n_chunks)
{
    uint64_t chunk = d->track.index->chunk_bytes, n_changed = (d->track.changed + chunk - 1) / chunk;

    if (n_chunks + n_changed == d->track.index->n) {
        d->track.unchanged = unchanged;
        return;
    }
    vma_bitmap_free(unchanged);
    track_disbelieve(d, "QEMU shows something else than it has counted");
}

/* Of the zeros each that is known helps. */
static void take_found(struct drive *d, bool is_all)
{
    struct hole_search *s = &d->b->holes;

    if (d->track.is_incremental && is_all)
        take_unchanged(d, g_steal_pointer(&s->found), s->n_found);
    else if (!d->track.is_incremental && s->n_found)
        d->zeroes = g_steal_pointer(&s->found);
}

static void on_status_over(void *user, const GError *error)
{
    struct backup *b = (struct backup *)((char *)user - offsetof(struct backup, holes));
    struct steps_op *op = op_under_way(b);

    b->end.n_open[OPEN_PORT]--;
    if (!op || !op->d->track.is_incremental) /* that costs no look at a disk */
        b->holes.took_ms += uv_now(b->loop) - b->holes.since_ms;
    b->holes.status = NULL;
    if (op && !op->is_undo)
        take_found(op->d, !error);
    g_clear_pointer(&b->holes.found, vma_bitmap_free);
    if (op && !op->is_undo && error && !b->is_failing)
        note_unknown(op, error);
    if (op)
        take_away(op);
}

static const struct nbd_status_events events = {.on_range = on_range, .on_over = on_status_over};

static void ask(struct steps_op *op)
{
    struct hole_search *s = &op->b->holes;
    g_autofree char *id = export_id(op->b);
    struct nbd_status_spec spec = {.export = id, .bitmap = bitmap_of(op->d), .size = op->d->size, .limit_ms = LIMIT_MS};

    if (!spec.bitmap)
        spec.limit_ms -= s->took_ms;
    s->size = op->d->size;
    s->unit = spec.bitmap ? op->d->track.index->chunk_bytes : VMA_CLUSTER_SIZE;
    s->n_units = (s->size + s->unit - 1) / s->unit;
    s->from = s->to = s->next = s->n_found = 0;
    s->found = vma_bitmap_new(vma_clusters_of(s->size));
    op->b->end.n_open[OPEN_PORT]++;
    s->since_ms = uv_now(op->b->loop);
    s->status = nbd_status_open(op->b->loop, s->connected, &spec, &events, s);
    s->connected = -1;
}

/* A command was refused, or had no answer. */
static void give_up(struct steps_op *op, const GError *error)
{
    note_unknown(op, error);
    op->b->holes.is_impossible = !g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);
    if (qmp_error_is_refusal(error))
        take_away(op);
    else
        taken_away(op, error);
}

static void on_exported(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error) {
        ask(op);
        return;
    }
    op->b->holes.may_be_in_qemu = !qmp_error_is_refusal(error);
    give_up(op, error);
}

static void on_server_started(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *id = export_id(op->b);

    if (error) {
        if (qmp_error_is_refusal(error)) { /* one runs already, for somebody else, and stays */
            op->b->holes.did_start_server = false;
            run_journal_write(op->b, NULL);
        }
        give_up(op, error);
        return;
    }
    op->b->holes.may_be_in_qemu = true;
    qmp_export_add(op->b->qmp, id, op->d->is_guarded ? op->d->names.snap : op->d->node, bitmap_of(op->d), on_exported,
                   op);
}

static void on_socket_passed(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = socket_name(op->b);

    if (error) {
        give_up(op, error);
        return;
    }
    op->b->holes.did_start_server = true; /* until it is refused */
    run_journal_write(op->b, NULL);
    qmp_nbd_server_start(op->b->qmp, name, NULL, on_server_started, op);
}

static void begin_asking(struct steps_op *op)
{
    g_autofree char *name = socket_name(op->b), *path = door_path(op->b, name);
    g_autoptr(GError) error = NULL;
    int listening;

    op->b->holes.of = op->d;
    if (!vhost_socket_pair(path, &listening, &op->b->holes.connected, &error)) {
        note_unknown(op, error);
        begin_over(op);
        return;
    }
    op->b->holes.is_fd_passed = true;
    qmp_getfd(op->b->qmp, name, listening, on_socket_passed, op);
}

void holes_begin(struct steps_op *op)
{
    const struct drive *before = op->b->holes.of;

    if (is_anything_left(op->b, op->d)) /* the monitor was lost in the midst of it */
        take_away(op);
    else if ((before && is_anything_left(op->b, before)) || !holes_are_possible(op->b)) /* its disk hangs, say */
        begin_over(op);
    else
        begin_asking(op);
}
