// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows that freeze the guest's file systems around the instant, by the agent in the guest.
 *
 * Frozen right before the guest is stopped, thawed right after it runs again: only a guest that runs can answer.
 * From the moment a freeze is asked for until a thaw is acknowledged the guest counts as frozen, whatever was
 * answered, and the thaw is asked for again every second: by the row after the resume, by the undo, and, whoever
 * holds up the course of the run (a monitor that is lost, say), by the clock.
 *
 * A plain migration takes its instant at its end, which nobody knows beforehand: the file systems would have to be
 * frozen for all of it. What is in the RAM of that instant makes its drives whole again, frozen or not; so it is not
 * done.
 */
#include <string.h>
#include "backup/run.h"
#include "backup/steps.h"
#include "qmp/agent_uv.h"

#define FREEZE_MS 10000 /* it writes out what the guest has dirty; Windows gives up by itself after 10 s */
#define THAW_MS   3000  /* of one attempt: it only lets go */
#define HELD_MS   10000 /* longest the guest may stay frozen until its instant: that takes milliseconds */
#define AGAIN_MS  1000  /* between two attempts to thaw */

static void ask_thaw(struct backup *b);

/* Ends the row that waits, if one does. */
static void end_row(struct backup *b, const GError *error)
{
    struct steps_op *op = g_steal_pointer(&b->agent.waiting);

    if (op)
        steps_end(op, error);
}

/* --- what is told ------------------------------------------------------------------------------- */

static void set_not_frozen(struct backup *b, const char *why)
{
    b->agent.has_failed = true;
    model_set(b->model.agent, "not frozen: %s", why);
    backup_log(b, MODEL_WARNING, "its drives are saved as after a power cut", "guest's file systems are not frozen: %s",
               why);
}

/* The backup goes on without, or --strict ends it. */
static void go_without(struct backup *b, const char *why)
{
    g_autoptr(GError) error = NULL;

    set_not_frozen(b, why);
    if (b->options.strict)
        g_set_error(&error, VMB_ERROR, VMB_ERROR_FAILED, "%s", why);
    end_row(b, error);
}

void agent_on_plan(struct backup *b)
{
    if (!b->options.agent)
        return;
    if (b->ram.method == RAM_BACKGROUND)
        backup_log(
            b, MODEL_WARNING,
            "after a restore with the RAM thaw it: guest-fsfreeze-thaw by its agent, or fsfreeze -u in the guest",
            "RAM will be saved while the guest's file systems are frozen: a guest restored with it comes up frozen");
    else if (b->ram.method == RAM_PLAIN)
        backup_log(b, MODEL_WARNING, "use --no-vmstate, or leave --agent away",
                   "file systems will not be frozen: with this QEMU they would be for as long as the RAM is saved");
}

/* --- thawing ------------------------------------------------------------------------------------ */

static void thawed(struct backup *b)
{
    uint64_t held_ms = uv_now(b->loop) - b->agent.frozen_at_ms;

    b->agent.is_frozen = b->agent.wants_thaw = false;
    if (!b->agent.has_failed) {
        model_set(b->model.agent, "frozen %" G_GUINT64_FORMAT "ms", held_ms);
        backup_log(b, MODEL_INFO, NULL, "guest's file systems were frozen for %" G_GUINT64_FORMAT " ms", held_ms);
    } else {
        backup_log(b, MODEL_INFO, NULL, "guest's file systems are thawed");
    }
    run_journal_write(b, NULL);
    end_row(b, NULL);
}

static void on_thawed(void *user, int64_t number, const char *text, const GError *error)
{
    struct backup *b = user;

    b->agent.next_try_ms = uv_now(b->loop) + AGAIN_MS;
    if (!error)
        thawed(b);
    else
        g_debug("thaw: %s", error->message);
}

static void ask_thaw(struct backup *b)
{
    const struct agent_question thaw = {"guest-fsfreeze-thaw", .is_at_once = true, .timeout_ms = THAW_MS};

    b->agent.wants_thaw = true;
    b->agent.next_try_ms = UINT64_MAX; /* when this one has been answered, or not */
    agent_link_ask(b->agent.link, &thaw, on_thawed, b);
}

static void wait_for_thaw(struct backup *b)
{
    b->agent.wait_until_ms = uv_now(b->loop) + THAW_MS;
    if (!b->agent.wants_thaw)
        ask_thaw(b);
}

/* The freeze has failed, or may have: an agent that still works on it finds the thaw next. */
static void thaw_and_go_without(struct backup *b, const char *why)
{
    if (b->options.strict) {
        go_without(b, why); /* undoing thaws */
        return;
    }
    set_not_frozen(b, why);
    wait_for_thaw(b);
}

/* --- freezing ----------------------------------------------------------------------------------- */

static void on_frozen(void *user, int64_t number, const char *text, const GError *error)
{
    struct backup *b = user;

    if (error) {
        thaw_and_go_without(b, error->message);
    } else if (number < 1) {
        thaw_and_go_without(b, "the guest has none that its agent can freeze");
    } else {
        backup_note(b, "%" G_GINT64_FORMAT " file systems of the guest are frozen", number);
        b->agent.thaw_by_ms = uv_now(b->loop) + HELD_MS;
        end_row(b, NULL);
    }
}

static void freeze(struct backup *b)
{
    const struct agent_question question = {"guest-fsfreeze-freeze", .timeout_ms = FREEZE_MS};
    g_autoptr(GError) error = NULL;

    b->agent.is_frozen = true;
    b->agent.frozen_at_ms = uv_now(b->loop);
    b->agent.thaw_by_ms = UINT64_MAX; /* the question has a deadline of its own */
    if (!run_journal_write(b, &error)) {
        b->agent.is_frozen = false;
        end_row(b, error);
        return;
    }
    agent_link_ask(b->agent.link, &question, on_frozen, b);
}

/* A guest that somebody else has frozen is his to thaw. */
static void on_status(void *user, int64_t number, const char *text, const GError *error)
{
    struct backup *b = user;

    if (!b->agent.waiting)
        return; /* interrupted */
    if (error)
        go_without(b, error->message);
    else if (strcmp(text, "thawed") != 0)
        go_without(b, "somebody else has frozen them already; thaw them by guest-fsfreeze-thaw");
    else if (b->guest.is_stopped)
        go_without(b, "the guest is paused");
    else
        freeze(b);
}

void agent_begin_freeze(struct steps_op *op)
{
    const struct agent_question status = {"guest-fsfreeze-status", .timeout_ms = THAW_MS};
    struct backup *b = op->b;

    b->agent.waiting = op;
    b->agent.wait_until_ms = UINT64_MAX;
    if (b->ram.method == RAM_PLAIN && !b->retake.is_under_way) {
        go_without(b, "they would be for as long as the RAM is saved; use --no-vmstate");
    } else if (!b->guest.was_running || b->guest.is_stopped) {
        go_without(b, "the guest is paused");
    } else {
        if (!b->agent.link)
            b->agent.link = agent_link_new(b->loop, b->options.agent);
        agent_link_ask(b->agent.link, &status, on_status, b);
    }
}

bool agent_is_wanted(const struct backup *b, const struct drive *d)
{
    return b->options.agent != NULL;
}

bool agent_is_frozen(const struct backup *b, const struct drive *d)
{
    return b->agent.is_frozen;
}

void agent_begin_thaw(struct steps_op *op)
{
    op->b->agent.waiting = op;
    wait_for_thaw(op->b);
}

void agent_undo_freeze(struct steps_op *op)
{
    if (op->b->agent.is_frozen)
        agent_begin_thaw(op);
    else
        steps_end(op, NULL);
}

/* --- the clock, the end ------------------------------------------------------------------------- */

/* Nobody waits longer for a thaw that is not acknowledged; it is still tried until the run ends. */
static void give_up_waiting(struct backup *b)
{
    bool is_last = b->agent.waiting->is_undo;

    b->agent.has_failed = true;
    b->agent.wait_until_ms = UINT64_MAX;
    model_set(b->model.agent, is_last ? "may be frozen still" : "may have been frozen too long");
    backup_log(b, is_last ? MODEL_ERROR : MODEL_WARNING,
               is_last ? "when its agent answers again: vmabackup cleanup; or fsfreeze -u in the guest" : NULL,
               "guest's agent does not answer the thaw: its file systems may be frozen%s",
               is_last ? "" : "; trying on");
    b->end.has_undo_failed |= is_last;
    end_row(b, NULL);
}

void agent_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (!b->agent.is_frozen)
        return;
    if (!b->agent.wants_thaw && now >= b->agent.thaw_by_ms) {
        set_not_frozen(b, "the instant took too long to be taken, and they were thawed before it");
        ask_thaw(b);
    } else if (b->agent.wants_thaw && now >= b->agent.next_try_ms) {
        ask_thaw(b);
    }
    if (b->agent.waiting && now >= b->agent.wait_until_ms)
        give_up_waiting(b);
}

/* A freeze that nobody waits for any more. */
void agent_interrupt(struct backup *b)
{
    if (!b->agent.waiting || b->agent.waiting->is_undo)
        return;
    if (b->agent.is_frozen)
        ask_thaw(b);
    end_row(b, NULL);
}

void agent_give_up(struct backup *b)
{
    b->agent.waiting = NULL;
    if (b->agent.is_frozen && !b->agent.wants_thaw)
        ask_thaw(b);
}

void agent_close(struct backup *b)
{
    b->agent.waiting = NULL;
    g_clear_pointer(&b->agent.link, agent_link_close);
}
