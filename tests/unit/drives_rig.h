// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A run in the midst of the copy, with three drives and no QEMU: what decides how drives end is the real thing, what it
 * calls is not. The recipe is three rows that only note that they were begun, run_hooks count, and the monitor is a
 * peer that lists the jobs it is told of.
 *
 *     struct rig r;
 *     rig_up(&r, true);                                   // onto a target that can drop, or a pipe
 *     r.d[0]->job.error = g_strdup("Input/output error");
 *     fate_judge(r.d[0]);
 *     g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
 *     rig_down(&r);
 */
#include "archive/archive_writer.h"
#include "backup/fate.h"
#include "backup/found.h"
#include "backup/plan.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "unit/qmp_world.h"

#define RIG_DRIVES 3

struct rig {
    struct world w; /* the peer's user points here */
    struct backup *b;
    struct drive *d[RIG_DRIVES];
    GString *trace;      /* rows begun, and "-row" those undone: "stop job:d1 -job:d1 " */
    GString *sent;       /* what came by the monitor, query-jobs aside: "job-cancel j1 " */
    const char *jobs;    /* what query-jobs lists */
    const char *refused; /* the row that QEMU refuses, as in the trace */
    unsigned n_polls, n_over, n_failed;
    int is_closed;
    uv_timer_t clock; /* what waits in vain ends by it */
    gint64 deadline_us;
};

/* --- rows --------------------------------------------------------------------------------------- */

static void rig_note(const struct steps_op *op, const char *row)
{
    struct rig *r = op->b->user;

    g_string_append_printf(r->trace, "%s%s%s%s ", op->is_undo ? "-" : "", row, op->d ? ":" : "",
                           op->d ? op->d->name : "");
}

static void rig_end(struct steps_op *op)
{
    struct rig *r = op->b->user;
    g_autoptr(GError) error = NULL;

    if (r->refused && g_str_has_suffix(r->trace->str, r->refused))
        error = g_error_new_literal(QMP_ERROR, QMP_ERROR_COMMAND, "refused");
    steps_end(op, error);
}

static void rig_stop(struct steps_op *op)
{
    rig_note(op, "stop");
    rig_end(op);
}

static void rig_start_job(struct steps_op *op)
{
    rig_note(op, "job");
    op->d->job.state = JOB_RUNNING;
    rig_end(op);
}

static void rig_filter(struct steps_op *op)
{
    rig_note(op, "filter");
    rig_end(op);
}

static const struct step rig_rows[] = {
    {"stop", STEP_RUN, NULL, rig_stop, rig_stop, STEP_IN_WINDOW},
    {"filter", STEP_DRIVE, NULL, rig_filter, rig_filter, 0},
    {"job", STEP_DRIVE, NULL, rig_start_job, jobs_undo, STEP_OF_JOB},
};
#define RIG_BEGUN (1u << 1 | 1u << 2) /* of a drive that is copied */

/* --- hooks and the monitor ---------------------------------------------------------------------- */

static void rig_on_fail(struct backup *b)
{
    ((struct rig *)b->user)->n_failed++;
}

static void rig_on_over(struct backup *b)
{
    ((struct rig *)b->user)->n_over++;
}

static void rig_on_graph(struct backup *b, bool is_under_way)
{
}

static void rig_on_event(void *user, const struct model_event *e)
{
}

static void rig_on_command(struct peer *peer, int id, const char *line, int passed_fd)
{
    struct rig *r = peer->user;
    bool is_poll = strstr(line, "\"query-jobs\""), is_list = is_poll || strstr(line, "query-block-jobs");
    g_autofree char *answer = g_strdup_printf(is_list ? "\"return\":[%s]" : "\"return\":{%s}", is_poll ? r->jobs : "");
    const char *name = strstr(line, "\"execute\":\"") + strlen("\"execute\":\""), *job = strstr(line, "\"id\":\"");

    r->n_polls += is_poll;
    if (!is_list)
        g_string_append_printf(r->sent, "%.*s %.2s ", (int)strcspn(name, "\""), name, job ? job + 6 : "");
    peer_reply(peer, id, answer);
}

/* A row of query-jobs. */
#define RIG_JOB_ROW(id, status, error)                                                                                 \
    "{\"id\":\"" id "\",\"type\":\"backup\",\"status\":\"" status                                                      \
    "\",\"current-progress\":1,\"total-progress\":2" error "}"
#define RIG_ERROR(text) ",\"error\":\"" text "\""

/* --- up and down -------------------------------------------------------------------------------- */

/* Turns the loop until `condition` holds. */
#define rig_wait(r, condition)                                                                                         \
    while (!(condition))                                                                                               \
    uv_run(&(r)->w.loop, UV_RUN_ONCE)

static void rig_on_room(void *user)
{
}

static inline void rig_open_writer(struct rig *r, bool can_drop)
{
    static const struct writer_events events = {.on_room = rig_on_room};
    static const uint8_t uuid[16] = "0123456789abcdef";
    g_autofree char *path = g_build_filename(r->w.peer.folder, "x.vma", NULL);
    g_autoptr(GError) error = NULL;

    r->b->archive.sink = sink_open(&r->w.loop, can_drop ? path : "/dev/null", NULL, &error);
    g_assert_no_error(error);
    r->b->archive.writer = archive_writer_new(&r->w.loop, r->b->archive.sink, r->b->archive.pool, uuid, &events, r);
    g_assert_true(target_can_drop(r->b) == can_drop);
}

/* As plan.c makes them of what query-block says. */
static inline void rig_add_drives(struct rig *r)
{
    static char names[RIG_DRIVES][3] = {"d0", "d1", "d2"};
    static struct found_drive found[RIG_DRIVES];

    r->b->facts.drives = g_ptr_array_new();
    for (unsigned i = 0; i < RIG_DRIVES; i++) {
        found[i] = (struct found_drive){.device = names[i], .node_name = names[i], .qdev = names[i]};
        found[i].has_medium = found[i].is_attached = true;
        found[i].virtual_size = 1 << 20;
        g_ptr_array_add(r->b->facts.drives, &found[i]);
    }
    g_assert_true(plan_lay_out(r->b, NULL));
    g_assert_cmpuint(r->b->drives->len, ==, RIG_DRIVES);
    for (unsigned i = 0; i < RIG_DRIVES; i++) {
        struct drive *d = r->d[i] = g_ptr_array_index(r->b->drives, i);
        d->names.job = g_strdup_printf("j%u", i);
        fate_forget_clusters(d);
        intake_open(&d->intake, r->b->archive.writer, (uint8_t)(i + 1));
        d->job.state = JOB_RUNNING;
        d->job.first_poll = 2; /* of the poll with which the copy begins they know nothing yet */
        d->begun = RIG_BEGUN;
    }
}

static inline void rig_up(struct rig *r, bool can_drop)
{
    static const struct backup_listener listener = {.on_event = rig_on_event};
    static const struct run_hooks hooks = {
        .fail = rig_on_fail, .check_over = rig_on_over, .graph_changes = rig_on_graph};
    struct backup_options options;

    *r = (struct rig){.trace = g_string_new(NULL), .sent = g_string_new(NULL), .jobs = ""};
    world_begin(&r->w);
    r->w.peer.on_command = rig_on_command;
    r->deadline_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    uv_timer_init(&r->w.loop, &r->clock);
    r->clock.data = &r->deadline_us;
    uv_timer_start(&r->clock, peer_on_tick, 0, 5);
    world_open(&r->w, 20000);
    run_until(&r->w.loop, &r->w.is_ready);
    backup_options_init(&options);
    options.monitor = g_strdup("/nowhere");
    options.no_vmstate = options.wait_for_begin = true;
    r->b = backup_new(&r->w.loop, &options, &listener, r);
    backup_options_clear(&options);
    steps_free(r->b->steps);
    r->b->steps = steps_new(r->b, rig_rows, G_N_ELEMENTS(rig_rows));
    r->b->hooks = &hooks;
    r->b->qmp = r->w.q;
    r->b->has_begun = true;
    rig_open_writer(r, can_drop);
    rig_add_drives(r);
    jobs_copy_begins(r->b);
    rig_wait(r, !r->b->jobs.is_poll_busy);
    r->n_over = 0;
}

static inline void rig_on_closed(void *user)
{
    ((struct rig *)user)->is_closed = 1;
}

static inline void rig_down(struct rig *r)
{
    struct backup *b = r->b;

    qmp_close(g_steal_pointer(&r->w.q));
    sink_abort(b->archive.sink, false);
    writer_close(b->archive.writer, rig_on_closed, r);
    run_until(&r->w.loop, &r->is_closed);
    sink_free(b->archive.sink);
    uv_close((uv_handle_t *)&r->clock, NULL);
    uv_close((uv_handle_t *)&b->tick, NULL);
    pulse_close(&b->pulse);
    job_throttle_close(b);
    job_end_close(b);
    peer_hang_up(&r->w.peer);
    uv_unref((uv_handle_t *)&r->w.peer.listener_poll);
    uv_run(&r->w.loop, UV_RUN_DEFAULT);
    b->qmp = NULL;
    backup_free(b);
    world_end(&r->w, NULL);
    g_string_free(r->trace, TRUE);
    g_string_free(r->sent, TRUE);
}
