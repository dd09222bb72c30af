// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs: how they are seen to end, are started again at the same instant, and are taken away. */
#include "unit/drives_rig.h"

static void poll_says(struct rig *r, const char *jobs)
{
    unsigned n = r->n_polls;

    r->jobs = jobs;
    jobs_poll(r->b);
    rig_wait(r, r->n_polls > n && !r->b->jobs.is_poll_busy);
}

#define RUN(id) RIG_JOB_ROW(id, "running", "")

/* Gone from QEMU, ended with an error, ended well with nothing sent: each is judged, and only its own drive. */
static void test_ends(void)
{
    struct rig r;

    rig_up(&r, true);
    poll_says(&r, RUN("j0") "," RUN("j1") "," RUN("j2"));
    for (unsigned i = 0; i < RIG_DRIVES; i++)
        g_assert_cmpint(r.d[i]->state, ==, DRIVE_COPYING);
    poll_says(&r, RUN("j1") "," RIG_JOB_ROW("j2", "concluded", RIG_ERROR("No space left on device")));
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    g_assert_cmpstr(r.d[0]->job.error, ==, "its job is gone from QEMU");
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_COPYING);
    g_assert_cmpint(r.d[2]->state, ==, DRIVE_RETRYING);
    g_assert_cmpstr(r.d[2]->job.error, ==, "No space left on device");
    rig_down(&r);
}

/* An answer that was asked for before a job began says nothing of it. */
static void test_too_early(void)
{
    struct rig r;

    rig_up(&r, true);
    r.d[0]->job.first_poll = r.b->jobs.n_polls + 2;
    r.d[1]->job.is_new = true;
    poll_says(&r, RUN("j2"));
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_COPYING);
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_COPYING);
    poll_says(&r, RUN("j2"));
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    rig_down(&r);
}

/* Asked while an answer is on its way: once more, however often it was. */
static void test_asks_once_more(void)
{
    struct rig r;

    rig_up(&r, true);
    r.jobs = RUN("j0") "," RUN("j1") "," RUN("j2");
    for (unsigned i = 0; i < 5; i++)
        jobs_poll(r.b);
    rig_wait(&r, !r.b->jobs.is_poll_busy);
    g_assert_cmpuint(r.n_polls, ==, 3); /* with that of the copy's beginning */
    r.b->link.lost_at_ms = 1;
    jobs_poll(r.b);
    g_assert_false(r.b->jobs.is_poll_busy);
    r.b->link.lost_at_ms = 0;
    rig_down(&r);
}

/* Half a second before the first retry, doubled for each; a job that found no buffers has not failed. */
static void test_backoff(void)
{
    static const uint64_t waits_ms[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 32000};
    struct rig r;

    rig_up(&r, true);
    r.b->options.retries = 100;
    for (unsigned i = 0; i < G_N_ELEMENTS(waits_ms); i++) {
        jobs_restart_later(r.d[0], "failed");
        g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
        g_assert_cmpuint(r.d[0]->job.restart_at_ms - uv_now(&r.w.loop), ==, waits_ms[i]);
        g_assert_cmpuint(backup_row(r.d[0])->retries, ==, i + 1);
        drive_become(r.d[0], DRIVE_RESTARTING);
        drive_become(r.d[0], DRIVE_COPYING);
    }
    r.d[1]->job.n_refused = 4;
    jobs_restart_later(r.d[1], "failed");
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_STARVED);
    g_assert_cmpuint(r.d[1]->retries, ==, 0);
    g_assert_cmpuint(r.d[1]->job.n_refused, ==, 0);
    rig_down(&r);
}

/* Its job is taken away and begun once more, its filter stays. Not before it is due, not while buffers are few. */
static void test_restart(void)
{
    struct rig r;

    rig_up(&r, true);
    r.d[0]->job.state = JOB_ENDED;
    jobs_restart_later(r.d[0], "failed");
    jobs_on_tick(r.b);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    r.d[0]->job.restart_at_ms = 0;
    r.b->jobs.is_credit_low = true;
    jobs_on_tick(r.b);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    r.b->jobs.is_credit_low = false;
    jobs_on_tick(r.b);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RESTARTING);
    rig_wait(&r, r.d[0]->state == DRIVE_COPYING);
    g_assert_cmpstr(r.sent->str, ==, "job-dismiss j0 ");
    g_assert_cmpstr(r.trace->str, ==, "job:d0 ");
    g_assert_false(r.d[0]->is_instant_own);
    rig_down(&r);
}

static void test_not_restarted(void)
{
    struct rig r;

    rig_up(&r, true);
    r.d[0]->job.state = JOB_NONE;
    jobs_restart_later(r.d[0], "failed");
    r.d[0]->job.restart_at_ms = 0;
    r.refused = "job:d0 ";
    jobs_on_tick(r.b);
    rig_wait(&r, r.d[0]->state != DRIVE_RESTARTING);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_STANDING); /* its frozen image is as good as before */
    rig_down(&r);
}

/* A job is cancelled, waited for, and dismissed when it has ended: not before. */
static void test_undo(void)
{
    struct rig r;

    rig_up(&r, true);
    g_assert_true(fate_cancel(r.d[0], NULL));
    rig_wait(&r, strstr(r.sent->str, "cancel"));
    poll_says(&r, RUN("j0") "," RUN("j1") "," RUN("j2"));
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_CANCELLED_LEAVING);
    g_assert_null(strstr(r.sent->str, "dismiss"));
    r.jobs = RIG_JOB_ROW("j0", "concluded", RIG_ERROR("cancelled")) "," RUN("j1") "," RUN("j2");
    jobs_on_event(r.b, &(struct qmp_event){.type = QMP_EVENT_JOB_STATUS_CHANGE, .id = "j0", .status = "concluded"});
    rig_wait(&r, r.d[0]->state == DRIVE_CANCELLED);
    g_assert_nonnull(strstr(r.sent->str, "job-cancel j0 "));
    g_assert_nonnull(strstr(r.sent->str, "job-dismiss j0 "));
    g_assert_cmpint(r.d[0]->job.state, ==, JOB_NONE);
    rig_down(&r);
}

/* A disk that hangs lets no job end: what is of that drive stays, and the list goes on. */
static void test_hanging(void)
{
    struct rig r;

    rig_up(&r, true);
    r.jobs = RUN("j0") "," RUN("j1") "," RUN("j2");
    g_assert_true(fate_cancel(r.d[0], NULL));
    rig_wait(&r, strstr(r.sent->str, "cancel j0") && steps_current(r.b->steps)->sub == 1);
    r.b->options.timeout_s = 0;
    rig_wait(&r, uv_now(&r.w.loop) > r.d[0]->job.moved_ms);
    jobs_on_tick(r.b);
    g_assert_true(r.d[0]->is_left);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_CANCELLED);
    g_assert_cmpstr(r.trace->str, ==, ""); /* its filter was not touched */
    rig_down(&r);
}

/* Nobody listens to it any more: it is told so at once, or when the monitor is back. */
static void test_connection_lost(void)
{
    struct rig r;

    rig_up(&r, true);
    r.jobs = RUN("j0") "," RUN("j1") "," RUN("j2");
    for (unsigned i = 0; i < 2; i++) {
        r.d[i]->target.drive = r.d[i];
        r.b->link.lost_at_ms = i;
        jobs_connection_lost(&r.d[i]->target);
        g_assert_true(r.d[i]->job.is_target_lost);
    }
    rig_wait(&r, strstr(r.sent->str, "job-cancel j0 "));
    g_assert_null(strstr(r.sent->str, "j1"));
    r.b->link.lost_at_ms = 0;
    jobs_monitor_back(r.b);
    rig_wait(&r, strstr(r.sent->str, "job-cancel j1 "));
    g_assert_null(strstr(r.sent->str, "j2"));
    rig_down(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/jobs/ends", test_ends);
    g_test_add_func("/backup/jobs/too-early", test_too_early);
    g_test_add_func("/backup/jobs/asks-once-more", test_asks_once_more);
    g_test_add_func("/backup/jobs/backoff", test_backoff);
    g_test_add_func("/backup/jobs/restart", test_restart);
    g_test_add_func("/backup/jobs/not-restarted", test_not_restarted);
    g_test_add_func("/backup/jobs/undo", test_undo);
    g_test_add_func("/backup/jobs/hanging", test_hanging);
    g_test_add_func("/backup/jobs/connection-lost", test_connection_lost);
    return g_test_run();
}
