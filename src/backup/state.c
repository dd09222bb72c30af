// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What state the guest is in (runstate.c says what each means): asked for the plan, when the run begins, in
 * the stop window, whenever somebody else has stopped it, and before the archive is called good.
 *
 * A guest that was migrated away writes to its drives where it is now, past our filters: a run of it ends.
 * One that is being migrated is still here; it is looked at until that is decided.
 */
#include <string.h>
#include "backup/found.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "base/text.h"

#define LOOK_MS 200 /* at a guest that may be leaving */

/* --- what was seen ------------------------------------------------------------------------------ */

bool state_can_be_stopped(const struct backup *b)
{
    return runstate_can_be_stopped(b->guest.now, b->facts.version.major);
}

/* Why its RAM cannot be saved, owned; NULL if it can, for all that is known. */
static char *obstacle_of(const struct runstate *s, const char *status, const char *blocked)
{
    char *why = NULL;

    if (s->place == RUNSTATE_LEFT)
        why = g_strdup("QEMU moves it only once until cont (postmigrate)");
    else if (!s->may_move_ram)
        why = g_strdup_printf("guest %s (%s)", s->says, status);
    else if (blocked)
        why = g_strdup(blocked);
    if (why)
        text_make_safe_inplace(why);
    return why;
}

void state_see_status(struct backup *b, const struct qmp_status *s)
{
    b->guest.now = runstate_of(s->status);
    b->guest.is_stopped = !s->is_running;
    b->guest.is_ours_by_migration &= !s->is_running;
    model_set(b->guest.status, "%s", s->status);
}

/* What others do to it. Our own stop and cont are told by the phases. */
void state_tell(struct backup *b)
{
    bool is_ours =
        b->phase == MODEL_PREPARE || b->phase == MODEL_RAM || b->phase == MODEL_FREEZE || b->retake.is_under_way;

    if (is_ours || strcmp(b->guest.told, b->guest.status) == 0)
        return;
    model_set(b->guest.told, "%s", b->guest.status);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_GUEST, .drive = -1});
}

const char *state_says(const struct backup *b)
{
    return *b->guest.now->says ? b->guest.now->says : "was paused by somebody else";
}

char *state_ram_obstacle(const struct backup *b)
{
    return obstacle_of(b->guest.now, b->guest.status, NULL);
}

void state_see_migration(struct backup *b, const struct qmp_migration *m)
{
    b->guest.is_migrating = !b->ram.is_moving && runstate_is_migrating(m->status);
    g_free(b->guest.ram_obstacle);
    /* Once it is stopped it is "paused", and a background snapshot of it is one of a paused guest. */
    b->guest.ram_obstacle =
        obstacle_of(state_can_be_stopped(b) ? runstate_of("paused") : b->guest.now, b->guest.status, m->blocked);
}

void state_see_awake(struct backup *b, const char *const *nodes, unsigned n)
{
    b->guest.is_ours_by_migration = false;
    for_each_found (f, b) {
        f->is_asleep = true;
        for (unsigned j = 0; f->node_name && j < n; j++)
            f->is_asleep &= strcmp(nodes[j], f->node_name) != 0;
        b->guest.is_ours_by_migration |= f->node_name && !f->is_asleep;
    }
}

bool state_is_left(const struct backup *b)
{
    return b->guest.now->place == RUNSTATE_LEFT;
}

/* --- whether it is here ------------------------------------------------------------------------- */

/* Of a guest that has been seen as it is now. A plain migration of its RAM leaves "postmigrate" too. */
bool state_is_here(const struct backup *b, GError **error)
{
    const char *why = NULL;
    int code = VMB_ERROR_MONITOR;

    if (b->guest.now->place == RUNSTATE_ARRIVING)
        why = "guest is arriving here by a migration (inmigrate); back it up where it runs, or here once it "
              "does";
    else if (b->guest.is_migrating || b->guest.now->place == RUNSTATE_LEAVING)
        why = "guest is being migrated by somebody else; when that is over, back it up where it runs then";
    else if (b->guest.now->place == RUNSTATE_LEFT && !b->guest.is_ours_by_migration)
        why = "guest was migrated away (postmigrate); back it up where it runs now, or wake it with cont if "
              "it never left";
    else if (b->guest.now->place == RUNSTATE_BUSY) {
        why = "guest is busy with a snapshot inside QEMU; back it up again in a moment";
        code = VMB_ERROR_FAILED;
    }
    if (why)
        g_set_error_literal(error, VMB_ERROR, code, why);
    return !why;
}

/* --- asking ------------------------------------------------------------------------------------- */

static void on_asked(void *user, const struct qmp_status *s, const GError *error);

static void ask(void *user)
{
    struct backup *b = user;

    qmp_query_status(b->qmp, on_asked, b);
}

/* A plain migration calls itself completed before the guest's state is "postmigrate": `cont` in between would
 * abort QEMU. */
static void on_asked(void *user, const struct qmp_status *s, const GError *error)
{
    struct backup *b = user;
    bool is_passing =
        !error && b->ram.is_plain && !b->guest.has_resumed && runstate_of(s->status)->place == RUNSTATE_LEAVING;

    if (is_passing && qmp_again(b->qmp, &b->guest.again, ask, b))
        return;
    if (!error)
        state_see_status(b, s);
    b->guest.asked(b->guest.asked_user, s, error);
}

void state_ask(struct backup *b, qmp_on_status done, void *user)
{
    b->guest.asked = done;
    b->guest.asked_user = user;
    b->guest.again = (struct qmp_again){0};
    ask(b);
}

/* --- the row ------------------------------------------------------------------------------------ */

/* Our `stop` came too late: what stopped the guest is not ours to end. */
static void disown_stop(struct backup *b)
{
    b->guest.did_we_stop = b->guest.was_running = false;
    run_journal_write(b, NULL);
    backup_log(b, MODEL_WARNING, NULL, "guest %s (%s) as its instant was taken: it is saved, and stays in that state",
               state_says(b), b->guest.status);
}

static void on_look_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;
    g_autoptr(GError) gone = NULL;

    if (error) {
        steps_end(op, error);
        return;
    }
    state_see_migration(b, m);
    b->guest.is_stop_told = b->guest.is_stopped;
    if (!state_is_here(b, &gone)) {
        backup_fail(b, gone); /* for the run, and in its own words */
    } else {
        if (!b->guest.did_we_stop)
            b->guest.was_running = state_can_be_stopped(b);
        else if (!runstate_is_ours(b->guest.status, true, b->guest.is_ours_by_migration))
            disown_stop(b);
        if (ram_is_awaited(b) && b->guest.ram_obstacle)
            ram_lose(b, b->guest.ram_obstacle, NULL);
    }
    steps_end(op, NULL);
}

static void on_look_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct steps_op *op = user;

    if (error) {
        steps_end(op, error);
        return;
    }
    qmp_query_migrate(op->b->qmp, on_look_migration, op);
}

void state_begin_look(struct steps_op *op)
{
    state_ask(op->b, on_look_status, op);
}

/* --- while it runs ------------------------------------------------------------------------------ */

static bool is_watched(const struct backup *b)
{
    return b->has_begun && !b->is_failing && b->phase < MODEL_FINISH;
}

/* A plain migration stops the guest itself, and calls that "finish-migrate" and "postmigrate"; any other
 * state is somebody else's doing, or the guest's own: then the STOP was none of ours. */
void state_judge_stop_of_ram(struct backup *b)
{
    bool was_ours = b->guest.did_we_stop;

    if (b->instant_us || b->guest.now->place != RUNSTATE_HERE)
        return;
    b->guest.did_we_stop = b->guest.is_stop_of_ram = false;
    b->guest.was_running = !b->guest.is_stopped;
    if (was_ours && !b->guest.was_running && b->guest.now->may_move_ram)
        backup_log(b, MODEL_INFO, NULL, "guest was paused by somebody else while its RAM moved: it stays paused");
    run_journal_write(b, NULL);
}

/* A migration that goes on in such a state would leave "postmigrate" in its place. */
static void judge_moving(struct backup *b)
{
    state_judge_stop_of_ram(b);
    if (!b->instant_us && b->guest.now->place == RUNSTATE_HERE && !b->guest.now->may_move_ram) {
        g_autofree char *why = obstacle_of(b->guest.now, b->guest.status, NULL);
        ram_abandon(b, why);
    }
}

static void judge_leaving(struct backup *b)
{
    if (!b->guest.is_leaving)
        backup_log(b, MODEL_WARNING, NULL, "guest is being migrated by somebody else; this backup fails if it leaves");
    b->guest.is_leaving = true;
    b->guest.next_look_ms = uv_now(b->loop) + LOOK_MS;
}

static void judge_staying(struct backup *b)
{
    if (b->guest.is_leaving)
        backup_log(b, MODEL_INFO, NULL, "guest has stayed: somebody else's migration of it has ended");
    else if (b->guest.is_stopped && *b->guest.now->says && !b->guest.is_stop_told && !b->guest.is_asked_at_end)
        backup_log(b, MODEL_INFO, NULL, "guest %s (%s): it stays so, and is saved as it was at its instant",
                   b->guest.now->says, b->guest.status);
    b->guest.is_stop_told = b->guest.is_stopped;
    b->guest.is_leaving = false;
    if (b->guest.is_asked_at_end) {
        b->guest.is_asked_at_end = false;
        b->guest.is_here_at_end = true;
        run_check_over(b);
        b->guest.is_here_at_end = false;
    }
}

static void fail_as_left(struct backup *b)
{
    backup_fail_new(b, VMB_ERROR_MONITOR, "guest was migrated away; back it up where it runs now");
}

static void on_seen(void *user, const struct qmp_status *s, const GError *error)
{
    struct backup *b = user;

    b->guest.is_asking = false;
    if (!error) {
        state_see_status(b, s);
        state_tell(b);
    }
    if (!is_watched(b) || g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) /* asked again when the monitor is back */
        return;
    if (error)
        backup_fail_new(b, VMB_ERROR_MONITOR, "QEMU does not say what state the guest is in: %s", error->message);
    else if (b->ram.method == RAM_PLAIN && b->ram.is_moving)
        judge_moving(b);
    else if (b->guest.now->place == RUNSTATE_LEFT && !b->guest.is_ours_by_migration)
        fail_as_left(b);
    else if (b->guest.now->place == RUNSTATE_LEAVING)
        judge_leaving(b);
    else
        judge_staying(b);
    if (b->guest.is_asked_again)
        state_look(b);
}

void state_look(struct backup *b)
{
    b->guest.is_asked_again = b->guest.is_asking; /* the answer under way may be of before */
    if (b->guest.is_asking || !monitor_is_up(b))
        return;
    b->guest.is_asking = true;
    qmp_query_status(b->qmp, on_seen, b);
}

void state_look_at_end(struct backup *b)
{
    if (!b->guest.is_asked_at_end)
        b->guest.give_up_ms = uv_now(b->loop) + b->options.timeout_s * UINT64_C(1000);
    b->guest.is_asked_at_end = true;
    state_look(b);
}

void state_monitor_back(struct backup *b)
{
    b->guest.is_asking = false;
    state_look(b);
}

void state_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (!b->guest.is_leaving || !is_watched(b))
        return;
    if (b->guest.is_asked_at_end && now > b->guest.give_up_ms)
        fail_as_left(b); /* with postcopy it runs elsewhere long before its state here says so */
    else if (now >= b->guest.next_look_ms)
        state_look(b);
}

/* --- events ------------------------------------------------------------------------------------- */

static bool is_before_instant(const struct backup *b)
{
    return b->has_begun && !b->guest.did_we_stop && !b->instant_us;
}

static void note_stop(struct backup *b)
{
    bool is_of_ram = b->ram.method == RAM_PLAIN && b->ram.is_moving && b->guest.was_running && !b->guest.did_we_stop &&
                     !b->guest.stops_itself;

    b->guest.is_stopped = true;
    model_set(b->guest.status, "paused"); /* until it is known better */
    if (!is_of_ram)
        b->guest.now = runstate_of("paused"); /* the run may begin before it is */
    if (is_of_ram) {
        b->guest.did_we_stop = b->guest.is_stop_of_ram = true; /* likewise: the pause begins */
        b->guest.stopped_at_us = g_get_monotonic_time();
    } else if (is_before_instant(b)) {
        b->guest.was_running = false; /* its user paused it: we do not resume it */
    }
    if (is_of_ram || !b->guest.did_we_stop) /* else ours: looked at in its window */
        state_look(b);
}

bool state_must_be_stopped(struct backup *b)
{
    bool is_let_go = b->has_begun && b->phase < MODEL_COPY && !b->guest.is_resuming && !b->guest.is_stopped &&
                     (b->guest.did_we_stop || b->instant_us);

    if (is_let_go)
        backup_fail_new(b, VMB_ERROR_FAILED,
                        "guest was resumed by somebody else while its instant was taken; back up again");
    return !is_let_go;
}

/* Drives, and RAM, are of one instant only while nobody else lets the guest run. A background snapshot may
 * resume it by itself: then everything is frozen. */
static void note_resume(struct backup *b)
{
    b->guest.is_stopped = b->guest.is_ours_by_migration = b->guest.is_stop_told = b->guest.stops_itself = false;
    b->guest.is_stop_of_ram = false;
    b->guest.now = runstate_of("running");
    model_set(b->guest.status, "running");
    state_tell(b);
    if (is_before_instant(b))
        b->guest.was_running = true;
    else if (!b->ram.is_moving)
        state_must_be_stopped(b);
}

/* It is told before the STOP that comes of it; once the RAM has moved, "postmigrate" stands in the place of its state.
 */
static void note_own_stop(struct backup *b, const struct qmp_event *event)
{
    b->guest.stops_itself |= g_strcmp0(event->action, "pause") == 0 || g_strcmp0(event->action, "stop") == 0;
}

void state_on_event(struct backup *b, const struct qmp_event *event)
{
    switch (event->type) {
    case QMP_EVENT_GUEST_PANICKED:
    case QMP_EVENT_WATCHDOG:
    case QMP_EVENT_BLOCK_IO_ERROR:
        note_own_stop(b, event);
        break;
    case QMP_EVENT_STOP:
        note_stop(b);
        break;
    case QMP_EVENT_RESUME:
    case QMP_EVENT_WAKEUP:
        note_resume(b);
        break;
    case QMP_EVENT_MIGRATION: /* only where somebody has asked QEMU for these */
        if (b->has_begun && !b->ram.is_moving)
            state_look(b);
        break;
    default:
        break;
    }
}
