// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "model/plain.h"
#include "unit/model_fixture.h"

struct fixture {
    struct model m;
    struct plain *p;
};

static void fixture_up(struct fixture *f, gconstpointer data)
{
    g_unsetenv("ACCESSIBLE");
    make_model(&f->m);
    f->p = plain_new(60);
}

static void fixture_down(struct fixture *f, gconstpointer data)
{
    plain_free(f->p);
    model_clear(&f->m);
}

static void assert_says(struct fixture *f, struct model_event e, int64_t now_s, const char *want)
{
    g_autofree char *have = plain_event(f->p, &f->m, &e, now_s);
    g_assert_cmpstr(have, ==, want);
}

static void test_guest(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_GUEST, .drive = -1};
    assert_says(f, e, NOW_S, "11:29:26 connected web-01 running, QEMU 8.2.2, /tmp/monitor.sock\n");
    assert_says(f, e, NOW_S, "");
    model_set(f->m.guest_state, "paused");
    assert_says(f, e, NOW_S + 1, "11:29:27 guest web-01 paused\n");
    f->m.link.is_lost = true;
    assert_says(f, e, NOW_S + 2, "11:29:28 guest web-01 lost: the monitor does not answer\n");
    f->m.link.is_lost = false;
    assert_says(f, e, NOW_S + 3, "11:29:29 connected web-01 paused, QEMU 8.2.2, /tmp/monitor.sock\n");
}

static void test_plan(struct fixture *f, gconstpointer data)
{
    assert_says(f, (struct model_event){.type = MODEL_EV_PLAN, .drive = -1}, NOW_S,
                "11:29:26 plan 3 devices 96.0G to /mnt/bk/web-01.vma.zst, guard, background snapshot\n"
                "11:29:26 plan without cdrom: read-only: skipped\n");
    model_set(f->m.engine.word, "pull");
    assert_says(f, (struct model_event){.type = MODEL_EV_PLAN, .drive = -1}, NOW_S,
                "11:29:26 plan 3 devices 96.0G to /mnt/bk/web-01.vma.zst, guard, background snapshot, engine pull\n"
                "11:29:26 plan without cdrom: read-only: skipped\n");
}

static void test_phase(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_PHASE, .drive = -1};
    assert_says(f, e, NOW_S, "11:29:26 phase copy\n");
    f->m.phase = MODEL_DONE;
    assert_says(f, e, NOW_S, "");
    f->m.phase = MODEL_CONNECT_FAILED;
    model_set(f->m.link.failure, "monitor /x: no such file");
    model_set(f->m.link.advice, "Start QEMU with -qmp");
    assert_says(f, e, NOW_S, "11:29:26 ERROR monitor /x: no such file. Start QEMU with -qmp\n");
}

static void test_drive(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_DRIVE, .drive = VMSTATE};
    assert_says(f, e, NOW_S, "11:29:26 drive vmstate done 4.0G in 1m12s 57.0M/s, guest paused 38ms\n");
    e.drive = SCSI0;
    assert_says(f, e, NOW_S, "11:29:26 drive scsi0 run\n");
    f->m.drives[SCSI0].state = MODEL_PAUSE;
    f->m.drives[SCSI0].paused.by_operator = true;
    assert_says(f, e, NOW_S, "11:29:26 drive scsi0 pause by operator at 32.0G of 64.0G\n");
    f->m.drives[SCSI0].state = MODEL_RETRY;
    f->m.drives[SCSI0].retries = 2;
    assert_says(f, e, NOW_S, "11:29:26 drive scsi0 retry 2 at 32.0G of 64.0G\n");
    e.drive = VIRTIO4;
    assert_says(f, e, NOW_S, "11:29:26 ERROR drive virtio4 FAIL at 13.0G of 28.0G: Input/output error\n");
    f->m.drives[VIRTIO4].state = MODEL_WAIT;
    assert_says(f, e, NOW_S, "");
}

/* On each step of 5 %, and each interval; not else. */
static void test_progress(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_PROGRESS, .drive = -1};
    assert_says(f, e, NOW_S,
                "11:29:26 progress 26% 25.0G of 96.0G, 412M/s, left about 18 min, 1 of 3 done, 1 failed\n");
    assert_says(f, e, NOW_S + 59, "");
    f->m.done = 96 * GIB / 10 * 3;
    f->m.eta_ms = 45000;
    f->m.sink.is_full = true;
    assert_says(f, e, NOW_S + 59, ""); /* 29.99 % */
    f->m.done += 16;
    assert_says(f, e, NOW_S + 59,
                "11:30:25 progress 30% 28.8G of 96.0G, 412M/s, left about 45 s, 1 of 3 done, 1 failed, target full:\n"
                "         waiting for room\n");
    f->m.eta_ms = MODEL_UNKNOWN;
    f->m.sink.is_full = false;
    f->m.drives[VIRTIO4].state = MODEL_RUN;
    assert_says(f, e, NOW_S + 118, "");
    assert_says(f, e, NOW_S + 119, "11:31:25 progress 30% 28.8G of 96.0G, 412M/s, 1 of 3 done\n");
    assert_says(f, e, NOW_S + 18, "11:29:44 progress 30% 28.8G of 96.0G, 412M/s, 1 of 3 done\n"); /* clock set back */
    f->m.total = 0;
    assert_says(f, e, NOW_S + 1000, "");
}

static void test_accessible(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_PROGRESS, .drive = -1};
    g_setenv("ACCESSIBLE", "1", TRUE);
    struct plain *p = plain_new(0);
    unsigned lines = 0;
    for (uint64_t done = 0; done <= 1000; done++) {
        f->m.done = f->m.total / 1000 * done;
        g_autofree char *line = plain_event(p, &f->m, &e, NOW_S);
        lines += *line != '\0';
    }
    g_assert_cmpuint(lines, ==, 10); /* 0, 10, … 90: the last per mille is lost in rounding */
    plain_free(p);
    g_unsetenv("ACCESSIBLE");
}

static void test_limit(struct fixture *f, gconstpointer data)
{
    struct model_event e = {
        .type = MODEL_EV_LIMIT, .drive = SCSI0, .old_value = 200 * MIB, .new_value = 120 * MIB, .text = "operator"};
    assert_says(f, e, NOW_S, "11:29:26 drive scsi0 limit 200M > 120M by operator\n");
    e = (struct model_event){.type = MODEL_EV_LIMIT, .drive = -1, .old_value = 0, .new_value = 50 * MIB};
    assert_says(f, e, NOW_S, "11:29:26 all limit none > 50.0M\n");
}

static void test_log(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_LOG,
                            .drive = -1,
                            .level = MODEL_ERROR,
                            .text = "drive virtio4\033[2J\rread error at 13.2G: Input/output error",
                            .hint = "to retry: retry virtio4"};
    assert_says(f, e, NOW_S,
                "11:29:26 ERROR drive virtio4?[2J?read error at 13.2G: Input/output error. To retry: retry "
                "virtio4\n");
    e = (struct model_event){.type = MODEL_EV_LOG, .drive = -1, .level = MODEL_WARNING, .text = "slow"};
    assert_says(f, e, NOW_S, "11:29:26 warning slow\n");
    e.level = MODEL_INFO;
    assert_says(f, e, NOW_S, "11:29:26 slow\n");
    e = (struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .ok = true, .text = "one\ntwo\n"};
    assert_says(f, e, NOW_S, "11:29:26 one\n11:29:26 two\n");
    e = (struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .ok = false, .text = "no such drive"};
    assert_says(f, e, NOW_S, "11:29:26 refused: no such drive\n");
}

/* At most 100 columns, but a word stays whole. */
static void test_width(struct fixture *f, gconstpointer data)
{
    g_autofree char *path = g_strnfill(150, 'p');
    for (unsigned width = 1; width < 120; width++) {
        g_autofree char *word = g_strnfill(width, 'w');
        g_autofree char *text =
            g_strdup_printf("%s ü %s %s %s %s a b c d e f g h i j k l m n o", word, word, path, word, word);
        struct model_event e = {.type = MODEL_EV_LOG, .drive = -1, .text = text};
        g_autofree char *have = plain_event(f->p, &f->m, &e, NOW_S);
        g_auto(GStrv) lines = g_strsplit(have, "\n", -1);
        g_assert_nonnull(strstr(have, path));
        for (unsigned i = 0; lines[i]; i++)
            if (g_utf8_strlen(lines[i], -1) > 100)
                g_assert_null(strchr(lines[i] + 9, ' ')); /* one word that is as long as that */
    }
}

static void test_result(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_RESULT, .drive = -1};
    f->m.phase = MODEL_DONE;
    f->m.end.exit_status = 3;
    f->m.end.archive_bytes = 141 * GIB;
    f->m.elapsed_ms = 1862000;
    f->m.drives[SCSI0].state = MODEL_OK;
    model_set(f->m.end.next, "restore what is there, repeat for virtio4");
    assert_says(f, e, NOW_S,
                "11:29:26 next: restore what is there, repeat for virtio4\n"
                "11:29:26 finished INCOMPLETE 2 of 3 saved, missing virtio4, 141G in 31m02s, exit 3\n");
    f->m.drives[VIRTIO4].state = MODEL_OK;
    f->m.end.exit_status = 0;
    *f->m.end.next = '\0';
    assert_says(f, e, NOW_S, "11:29:26 finished OK 3 of 3 saved, 141G in 31m02s, exit 0\n");
    f->m.end.exit_status = 143;
    model_set(f->m.end.outcome, "ended by SIGTERM");
    assert_says(f, e, NOW_S, "11:29:26 ended by SIGTERM\n11:29:26 finished CANCELLED, exit 143\n");
    f->m.end.exit_status = 6;
    assert_says(f, e, NOW_S, "11:29:26 ended by SIGTERM\n11:29:26 finished FAILED, exit 6\n");
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/plain/" name, struct fixture, NULL, fixture_up, function, fixture_down)
    ADD("guest", test_guest);
    ADD("plan", test_plan);
    ADD("phase", test_phase);
    ADD("drive", test_drive);
    ADD("progress", test_progress);
    ADD("accessible", test_accessible);
    ADD("limit", test_limit);
    ADD("log", test_log);
    ADD("width", test_width);
    ADD("result", test_result);
    return g_test_run();
}
