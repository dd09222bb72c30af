// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/backup.h"
#include "backup/fate.h"
#include "backup/plan.h"
#include "backup/recipe.h"
#include "backup/outcome.h"
#include "backup/run.h"
#include "backup/steps.h"

#include <string.h>
#include "log/record.h"
#include "vhost/memory.h"

#define POOL_BUFFERS 768 /* 48 MiB */
#define TICK_MS      100
#define PROGRESS_MS  1000

/* --- the clock ---------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct backup *b = timer->data;
    uint64_t now = uv_now(b->loop);

    if (b->end.is_ending) {
        outcome_on_tick(b);
        return;
    }
    monitor_on_tick(b);
    ram_on_tick(b);
    state_on_tick(b);
    agent_on_tick(b);
    disk_watch_on_tick(b);
    write_latency_on_tick(b);
    jobs_on_tick(b);
    pull_export_on_tick(b);
    retake_on_tick(b);
    budget_on_tick(b);
    target_watch_on_tick(b);
    if (b->jobs.is_credit_low && b->archive.writer)
        writer_flush(b->archive.writer);
    if (now >= b->picture.next_progress_ms && b->has_begun) {
        b->picture.next_progress_ms = now + PROGRESS_MS;
        backup_emit(b, &(struct model_event){.type = MODEL_EV_PROGRESS, .drive = -1});
    }
}

static void on_planned(struct backup *b)
{
    if (b->options.only_ask)
        backup_cancel(b, 0, NULL);
    else if (!b->options.wait_for_begin)
        plan_begin(b);
}

static const struct run_hooks hooks = {
    .planned = on_planned,
    .fail = outcome_fail,
    .check_over = outcome_check_over,
    .check_left = outcome_check_left,
    .give_up = monitor_give_up,
    .graph_changes = job_pause_for_graph,
};

/* --- life --------------------------------------------------------------------------------------- */

struct backup *backup_new(uv_loop_t *loop, const struct backup_options *options, const struct backup_listener *listener,
                          void *user)
{
    struct backup *b = g_new0(struct backup, 1);

    b->loop = loop;
    b->listener = *listener;
    b->user = user;
    backup_options_copy(&b->options, options);
    b->archive.is_target_chosen = options->target != NULL;
    model_init(&b->model);
    model_set(b->model.monitor, "%s", options->monitor);
    b->guest.pause_ms = MODEL_UNKNOWN;
    b->limits.impact.write_us = b->limits.impact.base_us = b->limits.impact.p99_us = MODEL_UNKNOWN;
    b->ram.row = -1;
    b->holes.connected = -1;
    b->guest.now = runstate_of(NULL);
    b->ram.capabilities = g_ptr_array_new_with_free_func(g_free);
    b->facts.unsavable = g_ptr_array_new_with_free_func(g_free);
    b->archive.pool = pool_new(POOL_BUFFERS, NULL);
    b->hooks = &hooks;
    b->steps = steps_new(b, recipe_table, recipe_rows());
    plan_init(b);
    uv_timer_init(loop, &b->tick);
    b->tick.data = b;
    pulse_init(&b->pulse, loop);
    job_throttle_init(b);
    job_end_init(b);
    return b;
}

const char *backup_run_id(const struct backup *b)
{
    return b->run_id;
}

static bool open_record(struct backup *b, GError **error)
{
    if (b->options.record_path)
        b->record = record_open(b->loop, b->options.record_path, b->run_id, error);
    return b->record || !b->options.record_path;
}

void backup_connect(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    bool is_recorded = open_record(b, &error);

    backup_emit(b, &(struct model_event){.type = MODEL_EV_HELLO, .drive = -1});
    uv_timer_start(&b->tick, on_tick, TICK_MS, TICK_MS);
    if (!is_recorded) {
        backup_fail(b, error);
        return;
    }
    monitor_start(b);
}

void backup_free(struct backup *b)
{
    if (!b || b->end.is_stuck) /* a thread of the pool still uses our buffers: they stay */
        return;
    steps_free(b->steps);
    survey_clear(&b->survey);
    takeout_clear(&b->takeout);
    g_ptr_array_unref(b->drives);
    track_clear(b);
    g_clear_pointer(&b->archive.header, vma_header_free);
    g_clear_pointer(&b->facts.drives, g_ptr_array_unref);
    g_ptr_array_unref(b->ram.capabilities);
    g_ptr_array_unref(b->facts.unsavable);
    g_clear_pointer(&b->link.sockets, g_ptr_array_unref);
    g_free(b->link.held);
    g_clear_error(&b->end.outcome);
    g_free(b->facts.machine);
    g_free(b->facts.nameless_at);
    g_free(b->guest.ram_obstacle);
    g_free(b->ram.failure);
    g_free(b->ram.abandoned);
    g_clear_pointer(&b->ram.images, g_array_unref);
    g_strfreev(b->facts.argv);
    g_free(b->retake.error);
    g_free(b->link.qemu_process);
    g_free(b->archive.space_of);
    g_free(b->archive.path);
    pool_free(b->archive.pool);
    puller_free(b->pulls.readers);
    vhost_memory_free(b->pulls.memory);
    model_clear(&b->model);
    backup_options_clear(&b->options);
    g_free(b);
}

const struct model *backup_model(struct backup *b)
{
    picture_fill(b);
    return &b->model;
}
