// SPDX-License-Identifier: GPL-2.0-or-later
/* Drives that are taken once more, at a new instant: when, which of them together, and what comes of it. */
#include "unit/drives_rig.h"

/* Its image broke, its nodes are gone: it waits for its turn, which has come. */
static void breaks(struct drive *d)
{
    d->job.state = JOB_NONE;
    d->begun = 0;
    fate_broken(d, "broke");
    g_assert_cmpint(d->state, ==, DRIVE_BROKEN);
    d->retake_at_ms = 0;
}

/* The first at once, when an operator asks for it; by itself after 1 s, 2 s, … about a minute at most. */
static void test_backoff(void)
{
    static const struct {
        unsigned retries;
        uint64_t wait_ms;
    } cases[] = {{0, 0}, {1, 1000}, {2, 2000}, {3, 4000}, {7, 64000}, {100, 64000}};
    struct rig r;

    rig_up(&r, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        r.d[0]->retries = cases[i].retries;
        retake_later(r.d[0]);
        g_assert_cmpuint(r.d[0]->retake_at_ms - uv_now(&r.w.loop), ==, cases[i].wait_ms);
        g_assert_cmpuint(backup_row(r.d[0])->retries, ==, cases[i].retries);
    }
    rig_down(&r);
}

/* By whatever a second stop of the guest would disturb, or cannot be done without. */
static void test_waits(void)
{
    struct rig r;

    rig_up(&r, true);
    breaks(r.d[0]);
    struct {
        bool *flag, while_it_is;
    } obstacles[] = {{&r.b->jobs.is_credit_low, true}, {&r.b->retake.is_under_way, true}, {&r.b->is_failing, true}};
    for (unsigned i = 0; i < G_N_ELEMENTS(obstacles); i++) {
        *obstacles[i].flag = obstacles[i].while_it_is;
        retake_on_tick(r.b);
        *obstacles[i].flag = !obstacles[i].while_it_is;
    }
    r.b->ram.method = RAM_BACKGROUND;
    retake_on_tick(r.b);
    r.b->ram.method = RAM_NONE;
    r.b->phase = MODEL_FINISH;
    retake_on_tick(r.b);
    r.b->phase = MODEL_COPY;
    r.b->link.lost_at_ms = 1;
    retake_on_tick(r.b);
    r.b->link.lost_at_ms = 0;
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_BROKEN);
    g_assert_cmpstr(r.trace->str, ==, "");
    retake_on_tick(r.b);
    g_assert_cmpint(r.d[0]->state, ==, DRIVE_COPYING);
    rig_down(&r);
}

/* One stop of the guest for both; the drive that runs is not gone through. */
static void test_together(void)
{
    struct rig r;

    rig_up(&r, true);
    breaks(r.d[0]);
    breaks(r.d[2]);
    r.d[2]->retake_at_ms = uv_now(&r.w.loop) + 900; /* soon: the other one waits for it */
    retake_on_tick(r.b);
    g_assert_cmpstr(r.trace->str, ==, "");
    r.d[2]->retake_at_ms = 0;
    r.d[0]->job.pause_reasons = PAUSE_LIMIT | PAUSE_OPERATOR;
    retake_on_tick(r.b);
    g_assert_cmpstr(r.trace->str, ==, "stop filter:d0 filter:d2 job:d0 job:d2 ");
    g_assert_false(r.b->retake.is_under_way);
    for (unsigned i = 0; i < RIG_DRIVES; i++) {
        g_assert_cmpint(r.d[i]->state, ==, DRIVE_COPYING);
        g_assert_true(r.d[i]->is_instant_own == (i != 1));
    }
    g_assert_cmphex(r.d[0]->job.pause_reasons, ==, PAUSE_OPERATOR); /* what was wished stays, what was spent is new */
    g_assert_cmpstr(backup_row(r.d[0])->note, ==, "new instant");
    g_assert_cmpstr(backup_row(r.d[0])->error, ==, "");
    rig_down(&r);
}

/* One that is due much later is not waited for. */
static void test_apart(void)
{
    struct rig r;

    rig_up(&r, true);
    breaks(r.d[0]);
    breaks(r.d[2]);
    r.d[2]->retake_at_ms = uv_now(&r.w.loop) + 5000;
    retake_on_tick(r.b);
    g_assert_cmpstr(r.trace->str, ==, "stop filter:d0 job:d0 ");
    g_assert_cmpint(r.d[2]->state, ==, DRIVE_BROKEN);
    rig_down(&r);
}

/* What was begun is undone, the guest goes on, and it is tried again as long as there are retries. */
static void test_refused(void)
{
    struct rig r;

    rig_up(&r, true);
    r.b->options.retries = 2;
    breaks(r.d[0]);
    r.refused = "filter:d0 ";
    retake_on_tick(r.b);
    r.refused = NULL;
    g_assert_cmpstr(r.trace->str, ==, "stop filter:d0 -stop ");
    g_assert_cmpuint(r.b->begun | r.d[0]->begun, ==, 0);
    g_assert_cmpuint(r.d[0]->retries, ==, 2);
    rig_wait(&r, r.d[0]->state == DRIVE_BROKEN);
    g_assert_false(r.b->retake.is_under_way);
    g_assert_nonnull(strstr(backup_row(r.d[0])->error, "cannot filter: refused"));
    r.d[0]->retake_at_ms = 0;
    r.refused = "filter:d0 ";
    retake_on_tick(r.b);
    rig_wait(&r, r.d[0]->state == DRIVE_FAILED);
    g_assert_cmpuint(r.n_failed, ==, 0);
    rig_down(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/retake/backoff", test_backoff);
    g_test_add_func("/backup/retake/waits", test_waits);
    g_test_add_func("/backup/retake/together", test_together);
    g_test_add_func("/backup/retake/apart", test_apart);
    g_test_add_func("/backup/retake/refused", test_refused);
    return g_test_run();
}
