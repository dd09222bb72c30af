// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of a drive whose job has ended, or that an operator asks something of. */
#include "unit/drives_rig.h"

#define EIO_TEXT "Input/output error"

static void judge(struct drive *d, const char *job_error)
{
    d->job.state = JOB_ENDED;
    g_free(d->job.error);
    d->job.error = g_strdup(job_error);
    fate_judge(d);
}

static void test_retries_then_stands(void)
{
    struct rig r;

    rig_up(&r, true);
    r.b->options.retries = 1;
    judge(r.d[0], EIO_TEXT);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    g_assert_cmpuint(r.d[0]->retries, ==, 1);
    drive_become(r.d[0], DRIVE_RESTARTING);
    drive_become(r.d[0], DRIVE_COPYING);
    judge(r.d[0], EIO_TEXT);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_STANDING);
    g_assert_cmpstr(backup_row(r.d[0])->error, ==, EIO_TEXT);
    g_assert_nonnull(strstr(backup_row(r.d[0])->hint, "retry d0 goes on at the same instant"));
    g_assert_cmpuint(r.n_over, ==, 1); /* nothing of it is under way */
    g_assert_cmpstr(r.trace->str, ==, "");
    rig_down(&r);
}

/* Its rows are undone in reverse, its data leaves the archive, and the others are not touched. */
static void test_broken_is_taken_again(void)
{
    struct rig r;

    rig_up(&r, true);
    r.d[1]->doubt = g_strdup("the filter's connection ended");
    judge(r.d[1], NULL);
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_BROKEN_LEAVING);
    r.jobs = RIG_JOB_ROW("j1", "concluded", "");
    rig_wait(&r, r.d[1]->state != DRIVE_BROKEN_LEAVING);
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_BROKEN);
    g_assert_cmpuint(r.d[1]->begun, ==, 0);
    g_assert_cmpstr(r.sent->str, ==, "job-dismiss j1 ");
    g_assert_cmpstr(r.trace->str, ==, "-filter:d1 ");
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_COPYING);
    rig_down(&r);
}

/* What went down a pipe stays there. */
static void test_broken_on_a_pipe(void)
{
    struct rig r;

    rig_up(&r, false);
    fate_broken(r.d[0], "broke");
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_FAILED_LEAVING);
    g_assert_cmpstr(backup_row(r.d[0])->hint, ==, "drive d0 cannot be retried: the target is a pipe");
    g_assert_cmpuint(r.n_failed, ==, 0);
    rig_down(&r);
}

static void test_strict(void)
{
    struct rig r;

    rig_up(&r, true);
    r.b->options.strict = true;
    fate_broken(r.d[0], "broke");
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_FAILED_LEAVING);
    g_assert_cmpuint(r.n_failed, ==, 1);
    g_assert_cmpstr(r.b->end.outcome->message, ==, "drive d0: broke");
    fate_broken(r.d[1], "broke"); /* the run has failed: all of it is undone anyhow */
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_COPYING);
    rig_down(&r);
}

/* Each drive ends once. */
static void test_saved_stays(void)
{
    struct rig r;

    rig_up(&r, true);
    for (unsigned i = 0; i < 1 << 20; i += VMA_CLUSTER_SIZE)
        vma_assemble_put(r.d[0]->intake.clusters, i, VMA_CLUSTER_SIZE, &(uint8_t *){NULL});
    judge(r.d[0], NULL);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_SAVED_LEAVING);
    fate_broken(r.d[0], "broke");
    fate_no_room(r.d[0]);
    g_assert_false(fate_cancel(r.d[0], NULL));
    rig_wait(&r, r.d[0]->state == DRIVE_SAVED);
    g_assert_cmpuint(r.n_over, ==, 1);
    judge(r.d[1], NULL); /* "done", and nothing came */
    g_assert_cmpint(r.d[1]->state, ==, DRIVE_FAILED_LEAVING);
    rig_down(&r);
}

/* A cancelled one leaves, and is had again at a new instant; what an operator paused goes on then. */
static void test_cancel_and_back(void)
{
    struct rig r;

    rig_up(&r, true);
    r.d[2]->job.pause_reasons = PAUSE_OPERATOR;
    r.d[2]->job.state = JOB_NONE;
    g_assert_true(fate_cancel(r.d[2], NULL));
    g_assert_cmphex(r.d[2]->job.pause_reasons, ==, 0);
    g_assert_false(fate_cancel(r.d[2], NULL));
    rig_wait(&r, r.d[2]->state == DRIVE_CANCELLED);
    g_assert_true(fate_retry(r.d[2], NULL));
    g_assert_cmpint(r.d[2]->state, ==, DRIVE_BROKEN);
    g_assert_false(fate_retry(r.d[2], NULL));
    g_assert_true(fate_cancel(r.d[2], NULL)); /* nothing of it is in QEMU */
    g_assert_cmpint(r.d[2]->state, ==, DRIVE_CANCELLED);
    rig_down(&r);
}

/* An operator's retry of a standing one goes on at the same instant, with all its tries before it again. */
static void test_retry_of_standing(void)
{
    struct rig r;

    rig_up(&r, false);
    r.b->options.retries = 0;
    judge(r.d[0], EIO_TEXT);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_STANDING);
    r.d[0]->retries = 2;
    g_assert_true(fate_retry(r.d[0], NULL)); /* though the target is a pipe */
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_RETRYING);
    g_assert_cmpuint(r.d[0]->retries, ==, 0);
    g_assert_cmpstr(backup_row(r.d[0])->error, ==, "");
    rig_down(&r);
}

static void test_stands_no_more(void)
{
    struct rig r;

    rig_up(&r, true);
    r.b->options.retries = 0;
    judge(r.d[0], EIO_TEXT);
    r.d[0]->job.state = JOB_NONE;
    fate_stands_no_more(r.d[0]);
    rig_wait(&r, r.d[0]->state == DRIVE_FAILED);
    g_assert_cmpstr(backup_row(r.d[0])->hint, ==, "");
    g_assert_cmpstr(r.trace->str, ==, "-filter:d0 ");
    rig_down(&r);
}

/* One that stands and breaks has had its tries: it is not taken again by itself. */
static void test_standing_breaks(void)
{
    struct rig r;

    rig_up(&r, true);
    r.b->options.retries = 0;
    judge(r.d[0], EIO_TEXT);
    r.b->options.retries = 3;
    r.d[0]->job.state = JOB_NONE;
    fate_broken(r.d[0], "broke");
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_FAILED);
    g_assert_cmpstr(backup_row(r.d[0])->hint, ==, "retry d0 takes it again at a new instant");
    rig_down(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/fate/retries-then-stands", test_retries_then_stands);
    g_test_add_func("/backup/fate/broken-is-taken-again", test_broken_is_taken_again);
    g_test_add_func("/backup/fate/broken-on-a-pipe", test_broken_on_a_pipe);
    g_test_add_func("/backup/fate/strict", test_strict);
    g_test_add_func("/backup/fate/saved-stays", test_saved_stays);
    g_test_add_func("/backup/fate/cancel-and-back", test_cancel_and_back);
    g_test_add_func("/backup/fate/retry-of-standing", test_retry_of_standing);
    g_test_add_func("/backup/fate/stands-no-more", test_stands_no_more);
    g_test_add_func("/backup/fate/standing-breaks", test_standing_breaks);
    return g_test_run();
}
