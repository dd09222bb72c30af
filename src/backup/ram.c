// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows of the table that take the RAM at the drives' instant.
 *
 * Background snapshot (QEMU 9.0 and later, where it may): the guest stops for milliseconds, the drives are frozen, the
 * migration starts, the guest goes on while its RAM of that instant is written. Older versions hang a guest
 * whose background snapshot is cancelled, so there it is never used.
 * Plain migration (any version): the RAM moves while the guest runs; QEMU stops it for the rest, the drives
 * are activated and frozen, and the guest goes on.
 */
#include "backup/journal.h"
#include "backup/run.h"
#include "backup/vmstate.h"

#define FAST_BANDWIDTH    (INT64_C(4) << 30) /* bytes/s: a local socket; the spool takes what the target cannot */
#define FIRST_DOWNTIME_MS 300                /* QEMU's own default */
#define PASSES_RELAXED    4                  /* passes over dirty RAM before --max-pause is used up */
#define PASSES_GIVEN_UP   12                 /* and before the RAM is left out */
#define RESUME_AFTER      65536              /* bytes of a background snapshot: then its stop is behind it */
#define MAX_LOOKS         5000               /* at a migration that was cancelled */
#define BLOCKED_LIMIT_MS  8000               /* longest the stream may wait for us: QEMU's monitor may wait with it */

static void on_reply(void *user, const GError *error)
{
    steps_end(user, error);
}

static void end_waiting(struct backup *b, const GError *error)
{
    struct steps_op *op = g_steal_pointer(&b->ram_state.waiting);

    if (op)
        steps_end(op, error);
}

/* --- parameters and capabilities ---------------------------------------------------------------- */

static bool was_on(const struct backup *b, const char *capability)
{
    for (unsigned i = 0; i < b->capabilities->len; i++)
        if (g_str_equal(g_ptr_array_index(b->capabilities, i), capability))
            return true;
    return false;
}

/* Sets what saving the RAM needs (on), or what was before. */
static void set_capabilities(struct steps_op *op, bool on, qmp_done done)
{
    struct backup *b = op->b;
    struct qmp_capability wanted[] = {
        {"events", on || was_on(b, "events")},
        {"background-snapshot", b->ram == RAM_BACKGROUND ? on || was_on(b, "background-snapshot")
                                                         : was_on(b, "background-snapshot")},
    };
    /* Old versions do not know the second; where it is not used it is not touched. */
    qmp_set_capabilities(b->qmp, wanted, b->ram == RAM_BACKGROUND ? 2 : 1, done, op);
}

static int64_t bandwidth(const struct backup *b)
{
    return b->ram_state.limit ? (int64_t)b->ram_state.limit : FAST_BANDWIDTH;
}

static void on_events_set(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct qmp_migration_params params = {bandwidth(op->b), FIRST_DOWNTIME_MS};

    op->b->ram_state.limit_sent = op->b->ram_state.limit;

    if (error || !op->b->have_old_params) /* what could not be put back is not changed */
        steps_end(op, error);
    else
        qmp_set_migration_params(op->b->qmp, &params, on_reply, op);
}

void ram_begin_params(struct steps_op *op)
{
    backup_set_phase(op->b, MODEL_RAM);
    set_capabilities(op, true, on_events_set);
}

static void on_params_restored(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (error)
        steps_end(op, error);
    else
        set_capabilities(op, false, on_reply);
}

void ram_undo_params(struct steps_op *op)
{
    if (op->b->have_old_params)
        qmp_set_migration_params(op->b->qmp, &op->b->old_params, on_params_restored, op);
    else
        on_params_restored(op, NULL);
}

static void on_limit_set(void *user, const GError *error)
{
    struct backup *b = user;

    b->ram_state.is_limit_busy = false;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        b->ram_state.limit_sent = MODEL_UNKNOWN; /* once more, when the monitor is back */
    else if (error)
        backup_log(b, MODEL_WARNING, NULL, "RAM: QEMU refuses the limit: %s", error->message);
}

static void send_limit(struct backup *b)
{
    struct qmp_migration_params params = {bandwidth(b), -1};

    if (b->ram_state.limit == b->ram_state.limit_sent || b->ram_state.is_limit_busy || b->is_failing ||
        !monitor_is_up(b))
        return;
    b->ram_state.is_limit_busy = true;
    b->ram_state.limit_sent = b->ram_state.limit;
    qmp_set_migration_params(b->qmp, &params, on_limit_set, b);
}

bool ram_limit(struct backup *b, uint64_t rate, GError **error)
{
    const char *why = b->ram == RAM_BACKGROUND
                          ? "a background snapshot cannot be slowed: QEMU ignores its bandwidth, and who reads it slowly stops the guest"
                      : b->ram == RAM_NONE    ? "it is left out"
                      : b->ram_state.is_done  ? "it is saved already"
                      : !b->have_old_params   ? "QEMU does not tell its present bandwidth, so that it could not be put back"
                                              : NULL;

    if (why)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "limit of the RAM: %s", why);
    else
        b->ram_state.limit = rate; /* ram_on_tick() sends it */
    return !why;
}

/* Whether QEMU may use userfaultfd shows only when it is asked to: where not, the rows of the plain migration apply. */
static void on_snapshot_set(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (!error || error->domain != QMP_ERROR || error->code > QMP_ERROR_NO_COMMAND) {
        steps_end(op, error);
        return;
    }
    op->b->begun &= ~(1u << op->row);
    b->ram = RAM_PLAIN;
    journal_write(b->journal, b, NULL); /* the parameters to be put back are in it now */
    plan_name_recipe(b);
    backup_note(b, "no background snapshot (%s): plain migration", error->message);
    steps_end(op, NULL);
}

void ram_begin_capability(struct steps_op *op)
{
    set_capabilities(op, true, on_snapshot_set);
}

void ram_undo_capability(struct steps_op *op)
{
    set_capabilities(op, false, on_reply);
}

/* --- following a migration ---------------------------------------------------------------------- */

/* Before the instant. why: what QEMU says, where it is not that the guest was too quick. */
static void leave_ram_out(struct backup *b, const char *why)
{
    g_autoptr(GError) error = NULL;
    bool is_wish = b->ram_state.is_unwanted;

    b->ram_state.is_moving = false;
    b->did_we_stop = false; /* QEMU has let it go on, if it was stopped at all */
    if (b->options.strict && !is_wish) {
        g_set_error(&error, VMB_ERROR, VMB_ERROR_INCOMPLETE,
                    "RAM cannot be saved within a pause of %u s; allow more by --max-pause, or use --no-vmstate",
                    b->options.max_pause_s);
    } else if (!target_restart_without_ram(b, &error)) {
        g_prefix_error(&error, "cannot begin again without the RAM: ");
    } else if (is_wish) {
        backup_log(b, MODEL_INFO, NULL, "RAM is left out by operator");
    } else if (!b->ram_state.is_too_slow) {
        backup_log(b, MODEL_WARNING, "QEMU's own output may say more", "RAM is left out: %s", why);
    } else {
        backup_log(b, MODEL_WARNING, "allow more by --max-pause",
                   "RAM is left out: the guest changes it too fast for a pause of %u s", b->options.max_pause_s);
    }
    end_waiting(b, error);
}

static void on_pause_relaxed(void *user, const GError *error)
{
    (void)user;
    (void)error; /* the status tells */
}

static void on_moving_cancelled(void *user, const GError *error)
{
    struct backup *b = user;

    if (error)
        b->ram_state.is_cancelled = false; /* the next look at it sends it again */
}

static void cancel_moving(struct backup *b)
{
    if (b->ram_state.is_cancelled || !monitor_is_up(b))
        return;
    b->ram_state.is_cancelled = true;
    qmp_migrate_cancel(b->qmp, on_moving_cancelled, b);
}

/* A guest that writes its RAM faster than it moves: first the pause grows to --max-pause, then it is given up. */
static void press_on(struct backup *b, const struct qmp_migration *m)
{
    struct qmp_migration_params params = {bandwidth(b), (int64_t)b->options.max_pause_s * 1000};

    if (b->ram != RAM_PLAIN || b->ram_state.is_cancelled)
        return;
    if (m->dirty_sync_count > PASSES_GIVEN_UP) {
        b->ram_state.is_too_slow = true;
        cancel_moving(b);
    } else if (m->dirty_sync_count > PASSES_RELAXED && !b->ram_state.is_relaxed &&
               b->have_old_params && params.downtime_limit_ms > FIRST_DOWNTIME_MS) {
        b->ram_state.is_relaxed = true;
        qmp_set_migration_params(b->qmp, &params, on_pause_relaxed, b);
    }
}

static void take_completed(struct backup *b)
{
    if (!vmstate_is_at_end(b->vmstate))
        return; /* the last bytes are on their way: ram_stream_moved() comes back here */
    b->ram_state.is_moving = false;
    b->ram_state.is_done = true;
    b->ram_state.ended_ms = uv_now(b->loop);
    backup_drive_state(b, b->vmstate_row, MODEL_OK);
    end_waiting(b, NULL);
    fate_check_all_over(b);
}

static void take_failure(struct backup *b, const struct qmp_migration *m)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *why = g_strdup_printf("QEMU's migration %s%s%s", m->status, m->error ? ": " : "",
                                           m->error ? m->error : "");

    if (b->ram == RAM_PLAIN && !b->is_failing &&
        (b->ram_state.is_too_slow || b->ram_state.is_unwanted || !b->options.strict)) {
        leave_ram_out(b, why);
        return;
    }
    b->ram_state.is_moving = false;
    if (b->model.phase == MODEL_COPY && !b->is_failing && (b->ram_state.is_unwanted || !b->options.strict)) {
        fate_ram_lost(b, b->ram_state.is_unwanted, b->ram_state.is_unwanted ? "cancelled by operator" : why);
        return;
    }
    g_set_error_literal(&error, VMB_ERROR, VMB_ERROR_FAILED, why);
    if (b->ram_state.waiting)
        end_waiting(b, b->is_failing ? NULL : error);
    else if (!b->is_failing)
        backup_fail(b, error);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct backup *b = user;
    const struct steps_op *op = b->ram_state.waiting;

    b->ram_state.is_query_busy = false;
    if (error || !b->ram_state.is_moving || !b->vmstate)
        return;
    b->ram_state.total = m->total;
    b->ram_state.remaining = m->remaining;
    if (g_str_equal(m->status, "completed"))
        take_completed(b);
    else if (g_str_equal(m->status, "failed") || g_str_equal(m->status, "cancelled") || g_str_equal(m->status, "none"))
        take_failure(b, m);
    else if (b->is_failing)
        cancel_moving(b);
    else if (op && b->ram == RAM_BACKGROUND && g_str_equal(m->status, "active") &&
             vmstate_bytes(b->vmstate) > RESUME_AFTER)
        end_waiting(b, NULL); /* its own stop is behind it: the guest may go on */
    else
        press_on(b, m);
}

static void look(struct backup *b)
{
    if (!b->ram_state.is_moving || b->ram_state.is_query_busy || !monitor_is_up(b))
        return;
    b->ram_state.is_query_busy = true;
    qmp_query_migrate(b->qmp, on_migration, b);
}

void ram_stream_moved(struct backup *b)
{
    look(b);
}

void ram_on_tick(struct backup *b)
{
    uint64_t blocked = b->vmstate ? vmstate_blocked_since_ms(b->vmstate) : 0;

    if (!b->ram_state.is_moving || !b->vmstate)
        return;
    if (b->ram == RAM_PLAIN)
        send_limit(b);
    vmstate_pump(b->vmstate);
    if (blocked && uv_now(b->loop) - blocked > BLOCKED_LIMIT_MS && !b->is_failing)
        backup_fail_new(b, VMB_ERROR_TARGET,
                        "RAM: the target is too slow and the spool is full; give more room by --spool, or use --no-vmstate");
    else
        look(b);
}

void ram_leave_out(struct backup *b)
{
    b->ram_state.is_unwanted = true;
    cancel_moving(b);
}

/* A wait that nobody wants any more. */
void ram_interrupt(struct backup *b)
{
    if (b->ram_state.waiting && b->ram_state.is_moving)
        cancel_moving(b);
}

/* --- the rows that move it ---------------------------------------------------------------------- */

static void on_migrate_sent(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!op->b->ram_state.waiting) /* its status came first, and the step is over */
        return;
    if (error) {
        op->b->ram_state.waiting = NULL;
        op->b->ram_state.is_moving = error->domain != QMP_ERROR || error->code > QMP_ERROR_NO_COMMAND; /* it may */
        steps_end(op, error);
        return;
    }
    look(op->b);
}

static void send_migrate(struct steps_op *op, const char *uri)
{
    struct backup *b = op->b;

    b->ram_state.is_moving = true;
    b->ram_state.started_ms = uv_now(b->loop);
    b->ram_state.waiting = op;
    backup_drive_state(b, b->vmstate_row, MODEL_RUN);
    qmp_migrate(b->qmp, uri, on_migrate_sent, op);
}

static void on_door_shown(struct steps_op *op, const char *path, const GError *error)
{
    g_autofree char *uri = g_strdup_printf("unix:%s", path);

    if (error || op->b->is_failing) /* of a guest that somebody resumed, say */
        steps_end(op, error);
    else
        send_migrate(op, uri);
}

static void begin_moving(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autofree char *name = g_strdup_printf("vmb-%s-ram", b->run_id);
    g_autoptr(GError) error = NULL;
    g_autofree char *path = door_path(name, &error);
    struct listening *socket = path ? vmstate_listen(b->vmstate, b->vmstate_lane, path, &error) : NULL;

    if (socket)
        door_show(op, &b->ram_state.door, name, socket, on_door_shown);
    else
        steps_end(op, error);
}

void ram_begin_plain(struct steps_op *op)
{
    begin_moving(op);
}

void ram_begin_background(struct steps_op *op)
{
    begin_moving(op);
}

/* After a plain migration the guest stands still and its drives are asleep: cont wakes both. */
static void on_moving_over(struct steps_op *op)
{
    struct backup *b = op->b;

    if (b->ram == RAM_PLAIN && b->was_running && b->is_guest_stopped && !b->has_resumed)
        qmp_cont(b->qmp, on_reply, op);
    else
        steps_end(op, NULL);
}

static void on_door_withdrawn(void *user, const GError *error)
{
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end(user, error);
    else
        on_moving_over(user);
}

static void on_status_after(void *user, const struct qmp_status *status, const GError *error)
{
    struct steps_op *op = user;

    if (!error)
        op->b->is_guest_stopped = !status->is_running;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end(op, error);
    else
        door_withdraw(op, &op->b->ram_state.door, on_door_withdrawn);
}

static void on_cancelled(void *user, const struct qmp_migration *m, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (!error && ++op->sub < MAX_LOOKS && (g_str_equal(m->status, "active") || g_str_equal(m->status, "cancelling") ||
                   g_str_equal(m->status, "setup") || g_str_equal(m->status, "device"))) {
        qmp_query_migrate(b->qmp, on_cancelled, op); /* each answer takes QEMU a turn of its loop */
        return;
    }
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) { /* cancelled once more when the monitor is back */
        steps_end(op, error);
        return;
    }
    b->ram_state.is_moving = false;
    qmp_query_status(b->qmp, on_status_after, op);
}

static void on_undo_cancel_sent(void *user, const GError *error)
{
    struct steps_op *op = user;

    (void)error;
    qmp_query_migrate(op->b->qmp, on_cancelled, op);
}

void ram_undo_moving(struct steps_op *op)
{
    struct backup *b = op->b;

    if (b->ram_state.is_moving) {
        vmstate_close(g_steal_pointer(&b->vmstate)); /* whoever writes to it is freed at once */
        qmp_migrate_cancel(b->qmp, on_undo_cancel_sent, op);
    } else {
        qmp_query_status(b->qmp, on_status_after, op);
    }
}
