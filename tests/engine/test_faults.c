// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole engine against a QEMU that is none (tests/fake/qemu.h): each command of a run is refused, or its
 * answer lost with the monitor, or never given; QEMU dies at it; the operator cancels at it; somebody pauses
 * the guest, resumes it, shuts it down. Whatever happens, nothing may be left in QEMU, and a run that says it
 * is good has left an archive that is.
 */
#include "fake/sweep.h"

/* Every kind of fault at every command; see sweep_stride(). */
static void add_trials(struct trials *all, const struct sweep *s)
{
    g_autoptr(GArray) faults = sweep_faults(s);
    unsigned stride = sweep_stride();
    g_assert_cmpuint(faults->len, >, 20);
    for (unsigned kind = FAULT_ERROR; kind < FAULT_KINDS; kind++)
        for (unsigned i = kind % stride; i < faults->len; i += stride) {
            struct fake_fault fault = g_array_index(faults, struct fake_fault, i);
            fault.kind = kind;
            /* What an answer said of the guest would no longer be true, as it never happens. */
            if ((kind == FAULT_RESUMED || kind == FAULT_PAUSED) && g_str_has_prefix(fault.command, "query-"))
                continue;
            /* Whoever is asked at once before it cannot know. */
            if (kind == FAULT_MIGRATED && strcmp(fault.command, "cont") == 0)
                continue;
            struct trial *t = trial_new(all, &s->kind, fault, s->with_ram);
            g_autofree char *name = g_strdup(t->name);
            trial_name(t, "%s: %s", s->name, name);
        }
}

/* All kinds of guests at once, unless there are too many trials: most of their time is waiting for deadlines. */
static void test_sweeps(void)
{
    for (unsigned i = 0; i < n_sweeps;) {
        g_auto(trials) all = trials_begin();
        do
            add_trials(&all, &sweeps[i++]);
        while (i < n_sweeps && !g_test_slow());
        trials_run(&all);
        fake_each (struct trial, t, all.list) {
            enum fault_kind kind = t->qemu->fault.kind;
            trial_judge(t, kind == FAULT_ERROR || kind == FAULT_SILENT_BEFORE || kind == FAULT_SILENT_AFTER);
        }
    }
}

/* Whom a line of the log is about if it is one of these commands, else NULL. */
static const char *subject_of(const char *line, const char *one, const char *other)
{
    return g_str_has_prefix(line, one) || g_str_has_prefix(line, other) ? strchr(line, ' ') + 1 : NULL;
}

static void must_be_reversed(struct trial *t)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    fake_each (const char, line, t->qemu->log) {
        const char *added = subject_of(line, "blockdev-add ", "blockdev-backup ");
        const char *gone = subject_of(line, "blockdev-del ", "job-dismiss ");
        bool is_toggle = g_str_has_prefix(line, "qom-set "); /* capabilities are put back earlier */
        if (is_toggle && stack->len && strcmp(g_ptr_array_index(stack, stack->len - 1), line) == 0)
            gone = line;
        if (!gone && (is_toggle || added)) {
            g_ptr_array_add(stack, (gpointer)(is_toggle ? line : added));
        } else if (gone) {
            g_assert_cmpuint(stack->len, >, 0);
            g_assert_cmpstr(g_ptr_array_index(stack, stack->len - 1), ==, gone);
            g_ptr_array_set_size(stack, stack->len - 1);
        }
    }
    g_assert_cmpuint(stack->len, ==, 0);
}

/* The migration's status tells that it has ended; the command's answer comes when another step is under way. */
static void test_late_answer(void)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 2};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){"migrate", 1, FAULT_LATE}, true);
    trials_run_and_judge(&all);
    g_assert_cmpint(t->status, ==, 0);
    g_assert_cmpint(t->qemu->late_id, ==, 0); /* it did come */
}

/* Somebody pauses the guest as the answer comes that its migration has ended: that stop is not QEMU's own. */
static void test_paused_as_ram_is_left_out(void)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 1, .never_converges = true};
    g_auto(trials) all = trials_begin();
    for (unsigned i = 0; i < 24; i++) {
        struct trial *t = trial_new(&all, &kind, (struct fake_fault){"query-migrate", 3 + i / 2, FAULT_PAUSED}, true);
        t->cancel_at = i & 1 ? MODEL_RAM : 0; /* and the run is undone at once */
    }
    trials_run_and_judge(&all);
}

/* All is here, QEMU is being freed or is free: what was begun ends, and what is left is whole. */
static void test_cancelled_late(void)
{
    static const enum model_phase phases[] = {MODEL_FINISH, MODEL_VERIFY};
    const struct fake_kind kind = {.major = 10, .n_drives = 2};
    g_auto(trials) all = trials_begin();
    for (unsigned i = 0; i < 10; i++) {
        struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, i % 4 < 2);
        t->options.verify = true;
        t->cancel_at = phases[i % 2];
    }
    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        g_autofree char *left = fake_left(t->qemu);
        bool is_there = trial_has_archive(t);
        g_assert_cmpstr(left, ==, NULL);
        g_assert_true(t->status == VMB_ERROR_CANCELLED || t->status == 0); /* too late for it */
        g_assert_true(is_there ? trial_is_archive_good(t) : t->cancel_at == MODEL_FINISH && t->status != 0);
    }
}

/* Somebody else's job is on a drive, when the plan is made or only when the guest stands still: that one is left out by
 * its name, and a filter is never put over it; alone it is the end of the run. */
static void test_occupied(void)
{
    g_auto(trials) all = trials_begin();
    for (unsigned i = 0; i < 8; i++) {
        const struct fake_kind kind = {
            .major = i & 1 ? 10 : 7, .n_drives = i & 2 ? 3 : 1, .has_mirror = i & 4, .mirrors_late = !(i & 4)};
        trial_new(&all, &kind, (struct fake_fault){0}, i & 1);
    }
    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        bool is_alone = t->qemu->kind.n_drives == 1;
        trial_judge(t, false);
        g_assert_cmpint(t->status, ==, is_alone ? VMB_ERROR_FAILED : VMB_ERROR_INCOMPLETE);
        g_assert_cmpuint(t->saved, ==, is_alone ? 0 : trial_all_drives(t) & ~1u);
        g_assert_nonnull(strstr(t->said->str, "block job m0 (mirror) is on it"));
        g_assert_false(trial_has_sent(t, "qom-set /machine/peripheral/dev0/"));
    }
}

/* Newest first, whatever was begun. */
static void test_undone_in_reverse(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 3, .holds_jobs = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, true);
    trials_run_and_judge(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_CANCELLED);
    must_be_reversed(t);
}

/* Jobs whose reads do not come back: whatever waits for them would stop QEMU, so nothing of them is touched. */
static void test_hanging_disk(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2, .holds_jobs = true, .hangs_disks = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, false);
    t->options.timeout_s = 1;
    trials_run(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_CANCELLED);
    g_assert_nonnull(strstr(t->said->str, "drive dev1: its disk (node disk1) does not answer"));
    g_assert_false(trial_has_sent(t, "job-cancel") || trial_has_sent(t, "blockdev-del"));
    t->qemu->kind.hangs_disks = false;
    trial_clean_up(t);
}

/* Of a drive that was cancelled, then: it cannot be taken again over what is left of it. */
static void on_look_at_hanging(uv_timer_t *timer)
{
    struct trial *t = timer->data;
    g_autoptr(GError) error = NULL;
    struct command c;

    if (!strstr(t->said->str, "does not answer"))
        return;
    g_assert_true(command_parse_line("retry dev1", &c, NULL));
    g_assert_false(backup_command(t->backup, &c, &error));
    g_assert_nonnull(strstr(error->message, "its disk did not answer"));
    g_assert_false(model_find_drive(backup_model(t->backup), "dev1")->may_retry);
    uv_close((uv_handle_t *)timer, NULL);
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test");
}

static void cancel_hanging(struct trial *t)
{
    static uv_timer_t timer;
    struct command c;

    g_assert_true(command_parse_line("cancel dev1 yes", &c, NULL));
    g_assert_true(backup_command(t->backup, &c, NULL));
    uv_timer_init(t->told.loop, &timer);
    timer.data = t;
    uv_timer_start(&timer, on_look_at_hanging, 1, 1);
}

static void test_hanging_drive(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2, .holds_jobs = true, .hangs_disks = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, false);
    t->options.timeout_s = 1;
    t->act = cancel_hanging;
    trials_run(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_CANCELLED);
    t->qemu->kind.hangs_disks = false;
    trial_clean_up(t);
}

/* QEMU as a whole stands, for good: the run does not wait for each of its answers, and cleanup does the rest. */
static void test_mute(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 4, .holds_jobs = true};
    g_auto(trials) all = trials_begin();
    gint64 begin = g_get_monotonic_time();
    bool is_pulled = trial_engine() == ENGINE_PULL; /* before that there is an export for each, of what is zero */
    struct fake_fault fault = {is_pulled ? "block-export-del" : "job-cancel", is_pulled ? 1 + 4 : 1, FAULT_MUTE};
    struct trial *t = trial_new(&all, &kind, fault, false);
    trials_run(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_CANCELLED);
    g_assert_nonnull(strstr(t->said->str, "QEMU does not answer any more"));
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 6 * G_USEC_PER_SEC);
    trial_clean_up(t);
}

/* Once it is told, the drive shows what QEMU holds: not what was asked for. */
static void on_look_at_limit(uv_timer_t *timer)
{
    struct trial *t = timer->data;

    if (!strstr(t->said->str, "QEMU refuses the limit"))
        return;
    g_assert_cmpuint(model_find_drive(backup_model(t->backup), "dev0")->limit, ==, 0);
    g_assert_cmpuint(model_find_drive(backup_model(t->backup), "dev0")->limit_wanted, ==, 5 << 20);
    uv_close((uv_handle_t *)timer, NULL);
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test");
}

static void set_limit(struct trial *t)
{
    static uv_timer_t timer;
    struct command c;

    g_assert_true(command_parse_line("limit dev0 5M", &c, NULL));
    g_assert_true(backup_command(t->backup, &c, NULL));
    uv_timer_init(t->told.loop, &timer);
    timer.data = t;
    uv_timer_start(&timer, on_look_at_limit, 1, 1);
}

static void test_limit_refused(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1, .holds_jobs = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){"block-job-set-speed", 1, FAULT_ERROR}, false);
    t->act = set_limit;
    trials_run_and_judge(&all);
}

/* Somebody takes a snapshot after our last look at a drive, before its filter is taken out. QEMU refuses what is right
 * no longer, and the filter goes by the way that there is now. */
static void test_snapshot_in_between(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){"qom-set", 3, FAULT_SNAPSHOT}, false);
    trials_run_and_judge(&all);
    g_assert_cmpint(t->status, ==, 0);
    g_assert_cmpstr(t->qemu->drives[0], ==, "disk0.ov");
    g_assert_cmpstr(fake_node(t->qemu, "disk0.ov")->file, ==, "disk0");
    g_assert_null(strstr(t->said->str, "stays in QEMU"));
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/faults/sweeps", test_sweeps);
    g_test_add_func("/engine/faults/occupied", test_occupied);
    g_test_add_func("/engine/faults/late-answer", test_late_answer);
    g_test_add_func("/engine/faults/paused-as-ram-is-left-out", test_paused_as_ram_is_left_out);
    g_test_add_func("/engine/faults/cancelled-late", test_cancelled_late);
    g_test_add_func("/engine/faults/undone-in-reverse", test_undone_in_reverse);
    g_test_add_func("/engine/faults/hanging-disk", test_hanging_disk);
    g_test_add_func("/engine/faults/hanging-drive", test_hanging_drive);
    g_test_add_func("/engine/faults/mute", test_mute);
    if (trial_engine() == ENGINE_PUSH) /* else limits are our own */
        g_test_add_func("/engine/faults/limit-refused", test_limit_refused);
    g_test_add_func("/engine/faults/snapshot-in-between", test_snapshot_in_between);
    return g_test_run();
}
