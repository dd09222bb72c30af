// SPDX-License-Identifier: GPL-2.0-or-later
/* What an operator can ask of a run; limits: limit.c, of its plan: replan.c, when it has ended: finish.c. */
#include <string.h>
#include "backup/fate.h"
#include "backup/plan.h"
#include "backup/run.h"
#include "rescue/cleanup.h"

/* --- drives ------------------------------------------------------------------------------------- */

static bool is_target_of(const struct command *c, const struct drive *d)
{
    return !*c->target || strcmp(c->target, "all") == 0 || strcmp(c->target, d->name) == 0;
}

static void pause_drive(struct drive *d, bool is_on)
{
    job_pause_set(d, PAUSE_OPERATOR, is_on);
    backup_log(d->b, MODEL_INFO, NULL, "drive %s %s by operator", d->name, is_on ? "paused" : "resumed");
}

static bool pause_drives(struct backup *b, const struct command *c, GError **error)
{
    unsigned n = 0;

    for_each_drive (d, b) {
        if (!is_target_of(c, d))
            continue;
        n++;
        if (drive_state_may(d->state, DRIVE_MAY_PAUSE))
            pause_drive(d, c->verb == COMMAND_PAUSE);
    }
    if (!n)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "no drive %s is being saved", c->target);
    return n > 0;
}

static bool is_ram(const struct backup *b, const struct command *c)
{
    return b->ram.row >= 0 && strcmp(c->target, b->model.drives[b->ram.row].name) == 0;
}

static bool cancel_one(struct backup *b, const struct command *c, GError **error)
{
    struct drive *d;

    if (is_ram(b, c))
        return ram_cancel(b, error);
    d = drive_by_name(b, c->target, error);
    if (d && b->phase != MODEL_COPY)
        return vmb_fail(error, VMB_ERROR_USAGE, "drive %s is not moving yet; cancel-all ends the backup", d->name);
    return d && fate_cancel(d, error);
}

static bool retry_all(struct backup *b, GError **error)
{
    unsigned n = 0;

    for_each_drive (d, b) {
        if (drive_state_shown(d->state) == MODEL_FAIL)
            n += fate_retry(d, NULL);
    }
    if (!n)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "no drive has failed that can be retried");
    return n > 0;
}

static bool retry(struct backup *b, const struct command *c, GError **error)
{
    struct drive *d;

    if (!*c->target || strcmp(c->target, "all") == 0)
        return retry_all(b, error);
    d = drive_by_name(b, c->target, error);
    return d && fate_retry(d, error);
}

/* --- the run ------------------------------------------------------------------------------------ */

static bool cancel_all(struct backup *b, const struct command *c, GError **error)
{
    if (strcmp(c->confirmation, b->model.guest) != 0)
        return vmb_fail(error, VMB_ERROR_USAGE, "to cancel, type the guest's name: cancel-all %s", b->model.guest);
    b->options.keep_partial |= c->keep_partial;
    backup_cancel(b, VMB_ERROR_CANCELLED, "operator");
    return true;
}

static bool begin(struct backup *b, const struct command *c, GError **error)
{
    if (!plan_check_leftovers(b, error))
        return false;
    plan_begin(b);
    return true;
}

static bool change_monitor(struct backup *b, const struct command *c, GError **error)
{
    return monitor_change(b, c->text, error);
}

static bool reconnect(struct backup *b, const struct command *c, GError **error)
{
    b->link.next_try_ms = uv_now(b->loop);
    return true;
}

/* --- what a dead backup has left ----------------------------------------------------------------- */

static void on_line(void *user, const char *line)
{
    struct backup *b = user;

    backup_note(b, "clean up: %s", line);
}

/* Whatever is left then, the plan says so again. */
static void on_cleaned(void *user, unsigned n_actions, const GError *error)
{
    struct backup *b = user;
    g_autofree char *monitor = g_strdup(b->options.monitor);
    g_autoptr(GError) refusal = NULL;

    b->end.n_open[OPEN_CLEANUP]--;
    b->tidy.is_cleaning = false;
    if (b->end.is_ending || b->end.is_reported)
        return;
    if (error)
        backup_log(b, MODEL_ERROR, NULL, "cleaning up: %s", error->message);
    else
        backup_log(b, MODEL_INFO, NULL, "QEMU is as it was before the backup that died (%u things undone)", n_actions);
    if (!monitor_change(b, monitor, &refusal))
        backup_fail(b, refusal);
}

/* It is taken away, and the plan made anew. */
static bool clean_up(struct backup *b, const struct command *c, GError **error)
{
    if (!b->tidy.n_leftovers)
        return vmb_fail(error, VMB_ERROR_USAGE, "nothing of a dead backup is left in QEMU");
    backup_log(b, MODEL_INFO, NULL, "cleaning up what a backup that died has left: %s", b->tidy.leftovers);
    monitor_stop(b); /* it takes one client at a time */
    b->tidy.n_leftovers = 0;
    b->model.link.n_checks = 0;
    b->tidy.is_cleaning = true;
    b->end.n_open[OPEN_CLEANUP]++;
    backup_set_phase(b, MODEL_CONNECTING);
    cleanup_new(b->loop, b->options.monitor, &(struct cleanup_wish){.timeout_s = b->options.timeout_s}, on_line,
                on_cleaned, b);
    return true;
}

/* --- the table ---------------------------------------------------------------------------------- */

/* What stands nowhere here is the front ends' own. */
static const struct {
    bool (*run)(struct backup *b, const struct command *c, GError **error);
    bool is_of_plan;
} handlers[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define PLAN(f)                                .is_of_plan = true,
#define RUN(f)                                 .run = f,
#include "model/command_list.h"
};

bool backup_command(struct backup *b, const struct command *c, GError **error)
{
    const struct command_entry *entry = command_entry_of(c->verb);
    if (!command_is_valid(c->verb, b->phase))
        return vmb_fail(error, VMB_ERROR_USAGE, "%s is not possible now (%s)",
                        entry && entry->form ? entry->word : "this", model_phase_word(b->phase));
    if (b->is_failing && entry->changes)
        return vmb_fail(error, VMB_ERROR_USAGE, "backup has ended (%s); QEMU is being set as it was",
                        b->end.outcome->message);
    if (b->phase == MODEL_PLAN && handlers[c->verb].is_of_plan)
        return replan(b, c, error);
    return !handlers[c->verb].run || handlers[c->verb].run(b, c, error);
}
