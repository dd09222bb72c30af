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
#include "archive/vmstate.h"
#include "backup/run.h"
#include "backup/steps.h"

#define PASSES_RELAXED   4     /* passes over dirty RAM before --max-pause is used up */
#define PASSES_GIVEN_UP  12    /* and before the RAM is left out */
#define RESUME_AFTER     65536 /* bytes of a background snapshot: then its stop is behind it */
#define BLOCKED_LIMIT_MS 8000  /* longest the stream may wait for us: QEMU's monitor may wait with it */

static void end_waiting(struct backup *b, const GError *error)
{
    struct steps_op *op = g_steal_pointer(&b->ram.waiting);

    if (op)
        steps_end(op, error);
}

/* --- following a migration ---------------------------------------------------------------------- */

static void say_plain_is_left_out(struct backup *b)
{
    g_autofree char *too_fast =
        g_strdup_printf("guest changes it too fast for a pause of %u s", b->options.max_pause_s);

    if (b->ram.is_too_slow)
        ram_lose(b, too_fast, "allow more by --max-pause");
    else if (b->ram.abandoned)
        ram_lose(b, b->ram.abandoned, NULL);
    else
        ram_lose(b, b->ram.failure, "QEMU's own output may say more");
}

/* As a rule QEMU has let the guest go on by itself. Where it could not, the guest stands still because of us, unless
 * somebody else has migrated it since. */
static void on_migration_after_failure(void *user, const struct qmp_migration *m, const GError *error)
{
    struct backup *b = user;

    if (!error)
        b->guest.is_ours_by_migration &= !g_str_equal(m->status, "completed") && !runstate_is_migrating(m->status);
    if (!b->is_failing)
        say_plain_is_left_out(b);
    end_waiting(b, NULL);
}

static void on_status_after_failure(void *user, const struct qmp_status *s, const GError *error)
{
    struct backup *b = user;

    if (!error)
        state_judge_stop_of_ram(b);
    qmp_query_migrate(b->qmp, on_migration_after_failure, b);
}

/* A plain migration that came to nothing, by what it was ended for. */
static void leave_out_plain(struct backup *b, const char *failure)
{
    g_free(b->ram.failure);
    b->ram.failure = g_strdup(failure);
    b->guest.is_ours_by_migration = b->guest.is_stopped;
    state_ask(b, on_status_after_failure, b);
}

static void on_pause_relaxed(void *user, const GError *error)
{
    (void)error; /* the status tells */
}

static void on_moving_cancelled(void *user, const GError *error)
{
    struct backup *b = user;

    if (error)
        b->ram.is_cancelled = false; /* the next look at it sends it again */
}

static void cancel_moving(struct backup *b)
{
    if (b->ram.is_cancelled || !monitor_is_up(b))
        return;
    b->ram.is_cancelled = true;
    qmp_migrate_cancel(b->qmp, on_moving_cancelled, b);
}

/* A guest that writes its RAM faster than it moves: first the pause grows to --max-pause, then it is given up. */
static void press_on(struct backup *b, const struct qmp_migration *m)
{
    struct qmp_migration_params params = {ram_bandwidth(b), (int64_t)b->options.max_pause_s * 1000};

    if (b->ram.method != RAM_PLAIN || b->ram.is_cancelled)
        return;
    if (m->dirty_sync_count > PASSES_GIVEN_UP) {
        b->ram.is_too_slow = true;
        cancel_moving(b);
    } else if (m->dirty_sync_count > PASSES_RELAXED && !b->ram.is_relaxed && b->ram.have_old_params &&
               params.downtime_limit_ms > RAM_FIRST_DOWNTIME_MS) {
        b->ram.is_relaxed = true;
        qmp_set_migration_params(b->qmp, &params, on_pause_relaxed, b);
    }
}

static void take_completed(struct backup *b)
{
    if (!vmstate_is_at_end(b->ram.vmstate))
        return; /* the last bytes are on their way: ram_stream_moved() comes back here */
    b->ram.is_moving = false;
    b->ram.is_done = true;
    b->ram.ended_ms = uv_now(b->loop);
    b->guest.is_ours_by_migration = b->ram.method == RAM_PLAIN;
    backup_row_state(b, b->ram.row, MODEL_OK);
    end_waiting(b, NULL);
    ram_put_settings_back(b);
    run_check_over(b);
}

static void drop_row(struct backup *b, enum model_state state, const char *note)
{
    b->ram.is_lost = true;
    if (target_can_drop(b))
        writer_drop_lane(b->ram.lane);
    else
        writer_flush_lane(b->ram.lane);
    vmstate_close(g_steal_pointer(&b->ram.vmstate));
    model_set(b->model.drives[b->ram.row].note, "%s", note);
    backup_row_state(b, b->ram.row, state);
}

/* While drives are copied. */
static void tell_lost(struct backup *b, bool is_wanted, const char *why)
{
    drop_row(b, is_wanted ? MODEL_CANCELLED : MODEL_FAIL, why);
    backup_log(b, is_wanted ? MODEL_INFO : MODEL_ERROR, NULL, "RAM: %s; it leaves the archive", why);
    ram_put_settings_back(b);
    run_check_over(b);
}

/* Before the copy has begun it is left out and the drives are saved: so is what QEMU refuses from the start. */
static void take_failure(struct backup *b, const struct qmp_migration *m)
{
    g_autofree char *why =
        g_strdup_printf("QEMU's migration %s%s%s", m->status, m->error ? ": " : "", m->error ? m->error : "");
    const char *lost = b->ram.is_unwanted ? "cancelled by operator" : why;

    b->ram.is_moving = false;
    if (b->is_failing)
        ; /* all of it is being undone */
    else if (b->ram.method == RAM_PLAIN) {
        leave_out_plain(b, why);
        return;
    } else if (b->phase != MODEL_COPY)
        ram_lose(b, lost, NULL);
    else if (b->ram.is_unwanted || !b->options.strict)
        tell_lost(b, b->ram.is_unwanted, lost);
    else
        backup_fail_new(b, VMB_ERROR_FAILED, "%s", why);
    end_waiting(b, NULL);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct backup *b = user;
    const struct steps_op *op = b->ram.waiting;

    b->ram.is_query_busy = false;
    if (error || !b->ram.is_moving || !b->ram.vmstate)
        return;
    b->ram.total = m->total;
    b->ram.remaining = m->remaining;
    if (g_str_equal(m->status, "completed"))
        take_completed(b);
    else if (g_str_equal(m->status, "failed") || g_str_equal(m->status, "cancelled") || g_str_equal(m->status, "none"))
        take_failure(b, m);
    else if (b->is_failing)
        cancel_moving(b);
    else if (op && b->ram.method == RAM_BACKGROUND && g_str_equal(m->status, "active") &&
             vmstate_bytes(b->ram.vmstate) > RESUME_AFTER)
        end_waiting(b, NULL); /* its own stop is behind it: the guest may go on */
    else
        press_on(b, m);
}

static void look(struct backup *b)
{
    if (!b->ram.is_moving || b->ram.is_query_busy || !monitor_is_up(b))
        return;
    b->ram.is_query_busy = true;
    qmp_query_migrate(b->qmp, on_migration, b);
}

void ram_stream_moved(struct backup *b)
{
    look(b);
}

void ram_on_tick(struct backup *b)
{
    uint64_t blocked = b->ram.vmstate ? vmstate_blocked_since_ms(b->ram.vmstate) : 0;

    if (!b->ram.is_moving || !b->ram.vmstate)
        return;
    if (b->ram.method == RAM_PLAIN)
        ram_send_limit(b);
    vmstate_pump(b->ram.vmstate);
    if (blocked && uv_now(b->loop) - blocked > BLOCKED_LIMIT_MS && !b->is_failing)
        backup_fail_new(
            b, VMB_ERROR_TARGET,
            "RAM: the target is too slow and the spool is full; give more room by --spool, or use --no-vmstate");
    else
        look(b);
}

void ram_abandon(struct backup *b, const char *why)
{
    g_free(b->ram.abandoned);
    b->ram.abandoned = g_strdup(why);
    cancel_moving(b);
}

/* A wait that nobody wants any more. */
void ram_interrupt(struct backup *b)
{
    if (b->ram.waiting && b->ram.is_moving)
        cancel_moving(b);
}

/* --- the rows that move it ---------------------------------------------------------------------- */

static void on_migrate_sent(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;
    bool is_refused = error && error->domain == QMP_ERROR && error->code <= QMP_ERROR_NO_COMMAND;

    if (!b->ram.waiting) /* its status came first, and the step is over */
        return;
    if (!error) {
        look(b);
        return;
    }
    b->ram.waiting = NULL;
    b->ram.is_moving = !is_refused; /* it may */
    if (is_refused && !b->is_failing)
        ram_lose(b, error->message, NULL);
    steps_end(op, is_refused ? NULL : error);
}

static void send_migrate(struct steps_op *op, const char *uri)
{
    struct backup *b = op->b;

    b->ram.is_moving = true;
    b->ram.started_ms = uv_now(b->loop);
    b->ram.waiting = op;
    backup_row_state(b, b->ram.row, MODEL_RUN);
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
    g_autofree char *path = door_path(b, name);
    struct listening *socket = vmstate_listen(b->ram.vmstate, b->ram.lane, path, &error);

    if (socket)
        door_show(op, socket, on_door_shown);
    else
        steps_end(op, error);
}

/* A background snapshot of a guest that neither runs nor was paused would abort QEMU: looked at right before. */
static void on_status_before(void *user, const struct qmp_status *s, const GError *error)
{
    struct steps_op *op = user;

    if (error) {
        steps_end(op, error);
        return;
    }
    if (op->b->guest.now->may_move_ram) {
        begin_moving(op);
    } else {
        g_autofree char *why = state_ram_obstacle(op->b);
        ram_lose(op->b, why, NULL);
        steps_end(op, NULL);
    }
}

void ram_begin_moving(struct steps_op *op)
{
    op->b->ram.is_plain = op->b->ram.method == RAM_PLAIN;
    state_ask(op->b, on_status_before, op);
}

/* After a plain migration the guest stands still and its drives are asleep: cont wakes both. */
static void on_moving_over(struct steps_op *op)
{
    struct backup *b = op->b;

    if ((b->ram.method == RAM_PLAIN || b->guest.is_ours_by_migration) && b->guest.was_running && b->guest.is_stopped &&
        !b->guest.has_resumed)
        halt_resume(op);
    else
        steps_end(op, NULL);
}

static void on_status_after(void *user, const struct qmp_status *status, const GError *error)
{
    struct steps_op *op = user;

    if (!error)
        op->b->guest.is_stopped = !status->is_running;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end(op, error);
    else
        on_moving_over(op);
}

static void look_if_cancelled(void *op);

static void on_cancelled(void *user, const struct qmp_migration *m, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (!error && runstate_is_migrating(m->status) && qmp_again(b->qmp, &b->ram.again, look_if_cancelled, op))
        return;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) { /* cancelled once more when the monitor is back */
        steps_end(op, error);
        return;
    }
    b->ram.is_moving = false;
    qmp_query_status(b->qmp, on_status_after, op);
}

static void look_if_cancelled(void *user)
{
    struct steps_op *op = user;

    qmp_query_migrate(op->b->qmp, on_cancelled, op);
}

static void on_undo_cancel_sent(void *user, const GError *error)
{
    look_if_cancelled(user);
}

void ram_undo_moving(struct steps_op *op)
{
    struct backup *b = op->b;

    if (b->ram.is_moving) {
        vmstate_close(g_steal_pointer(&b->ram.vmstate)); /* whoever writes to it is freed at once */
        b->ram.again = (struct qmp_again){0};
        qmp_migrate_cancel(b->qmp, on_undo_cancel_sent, op);
    } else {
        qmp_query_status(b->qmp, on_status_after, op);
    }
}

/* --- lost on the way, or left out by the operator: the drives are saved all the same -------------- */

/* Of a background snapshot the drives' targets stand already, and what a pipe has swallowed stays: its lane ends there.
 */
static bool drop(struct backup *b, const char *note, GError **error)
{
    enum model_state state = b->ram.is_unwanted ? MODEL_CANCELLED : MODEL_FAIL;
    enum ram_method method = b->ram.method;

    b->ram.is_moving = b->ram.is_plain = false; /* "postmigrate" would be somebody else's from now on */
    if (method == RAM_PLAIN && sink_can_rewrite(b->archive.sink))
        return target_restart_without_ram(b, state, note, error);
    drop_row(b, state, note);
    b->ram.method = method == RAM_PLAIN ? RAM_NONE : method;
    return true;
}

void ram_lose(struct backup *b, const char *why, const char *hint)
{
    bool is_wish = b->ram.is_unwanted;
    g_autofree char *note = g_strdup_printf("left out: %s", is_wish ? "by operator" : why);
    g_autoptr(GError) error = NULL;

    if (!state_must_be_stopped(b)) /* a RESUME while it was about to move might have been its own */
        return;
    if (b->options.strict && !is_wish)
        backup_fail_new(b, VMB_ERROR_FAILED, "RAM cannot be saved: %s; %s%suse --no-vmstate", why, hint ? hint : "",
                        hint ? ", or " : "");
    else if (!drop(b, note, &error))
        backup_fail(b, error);
    else if (is_wish)
        backup_log(b, MODEL_INFO, NULL, "RAM is left out by operator");
    else
        backup_log(b, MODEL_WARNING, hint, "RAM is left out: %s", why);
}

bool ram_cancel(struct backup *b, GError **error)
{
    if (b->ram.method == RAM_NONE || b->ram.is_lost || !b->ram.is_moving)
        return vmb_fail(error, VMB_ERROR_USAGE, "RAM is not being saved now");
    if (!target_can_drop(b))
        return vmb_fail(
            error, VMB_ERROR_USAGE,
            "RAM: the target is a pipe, what went down it cannot be taken back; cancel-all ends the backup");
    b->ram.is_unwanted = true;
    cancel_moving(b);
    return true;
}
