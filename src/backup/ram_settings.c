// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows that set what saving the RAM needs of QEMU's migration, and put it back: capabilities, bandwidth,
 * downtime. */
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

#define FAST_BANDWIDTH (INT64_C(4) << 30) /* bytes/s: a local socket; the spool takes what the target cannot */

int64_t ram_bandwidth(const struct backup *b)
{
    return b->ram.limit ? (int64_t)b->ram.limit : FAST_BANDWIDTH;
}

static bool was_on(const struct backup *b, const char *capability)
{
    for_each_in (const char, on, b->ram.capabilities)
        if (g_str_equal(on, capability))
            return true;
    return false;
}

/* Sets what saving the RAM needs (on), or what was before. */
static void set_capabilities(struct steps_op *op, bool on, qmp_done done)
{
    struct backup *b = op->b;
    struct qmp_capability wanted[] = {
        {"events", on || was_on(b, "events")},
        {"background-snapshot",
         b->ram.method == RAM_BACKGROUND ? on || was_on(b, "background-snapshot") : was_on(b, "background-snapshot")},
    };
    /* Old versions do not know the second; where it is not used it is not touched. */
    qmp_set_capabilities(b->qmp, wanted, b->ram.method == RAM_BACKGROUND ? 2 : 1, done, op);
}

static void on_events_set(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct qmp_migration_params params = {ram_bandwidth(op->b), RAM_FIRST_DOWNTIME_MS};

    op->b->ram.limit_sent = op->b->ram.limit;

    if (error || !op->b->ram.have_old_params) /* what could not be put back is not changed */
        steps_end(op, error);
    else
        qmp_set_migration_params(op->b->qmp, &params, steps_reply, op);
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
        set_capabilities(op, false, steps_reply);
}

void ram_undo_params(struct steps_op *op)
{
    if (op->b->ram.have_old_params)
        qmp_set_migration_params(op->b->qmp, &op->b->ram.old_params, on_params_restored, op);
    else
        on_params_restored(op, NULL);
}

static void on_limit_set(void *user, const GError *error)
{
    struct backup *b = user;

    b->ram.is_limit_busy = false;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        b->ram.limit_sent = MODEL_UNKNOWN; /* once more, when the monitor is back */
    else if (error)
        backup_log(b, MODEL_WARNING, NULL, "RAM: QEMU refuses the limit: %s", error->message);
}

void ram_send_limit(struct backup *b)
{
    struct qmp_migration_params params = {ram_bandwidth(b), -1};

    if (b->ram.limit == b->ram.limit_sent || b->ram.is_limit_busy || b->is_failing || !monitor_is_up(b))
        return;
    b->ram.is_limit_busy = true;
    b->ram.limit_sent = b->ram.limit;
    qmp_set_migration_params(b->qmp, &params, on_limit_set, b);
}

bool ram_limit(struct backup *b, uint64_t rate, GError **error)
{
    const char *why = b->ram.method == RAM_BACKGROUND ? "a background snapshot cannot be slowed: QEMU ignores its "
                                                        "bandwidth, and reading it slowly would stop the guest"
                      : b->ram.method == RAM_NONE     ? "it is left out"
                      : b->ram.is_done                ? "it is saved already"
                      : !b->ram.have_old_params
                          ? "QEMU does not tell its present bandwidth, so that it could not be put back"
                          : NULL;

    if (why)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "limit of the RAM: %s", why);
    else
        b->ram.limit = rate; /* ram_on_tick() sends it */
    return !why;
}

/* Whether QEMU may use userfaultfd shows only when it is asked to: where not, the rows of the plain migration
 * apply. */
static void on_snapshot_set(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (!qmp_error_is_refusal(error)) {
        steps_end(op, error);
        return;
    }
    op->b->begun &= ~(1u << op->row);
    b->ram.method = RAM_PLAIN;
    run_journal_write(b, NULL); /* the parameters to be put back are in it now */
    backup_note(b, "no background snapshot (%s): plain migration", error->message);
    steps_end(op, NULL);
}

void ram_begin_capability(struct steps_op *op)
{
    set_capabilities(op, true, on_snapshot_set);
}

void ram_undo_capability(struct steps_op *op)
{
    set_capabilities(op, false, steps_reply);
}

/* --- put back before the end -------------------------------------------------------------------- */

static void on_put_back(void *user, const GError *error)
{
    (void)error; /* the step has told it, and cleanup tries again */
}

/* Else somebody who migrates the guest while its drives are copied would make a background snapshot without
 * knowing. */
void ram_put_settings_back(struct backup *b)
{
    bool is_over = b->ram.method != RAM_NONE && (b->ram.is_done || b->ram.is_lost);

    if (is_over && b->phase == MODEL_COPY && !b->is_failing)
        steps_run(b->steps, recipe_undo_ram_settings(b), false, on_put_back, b);
}
