// SPDX-License-Identifier: GPL-2.0-or-later
/* Guests in every run state of QEMU, under the whole engine: what of each is saved, and that it is left as it was. */
#include "fake/trial.h"

static void run_in_states(const char *const *states, int status, void (*check)(struct trial *t))
{
    g_auto(trials) all = trials_begin();
    for (; *states; states++)
        for (int major = 7; major <= 10; major += 3) {
            const struct fake_kind kind = {.major = major, .n_drives = 2, .is_paused = true, .state = *states};
            struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, true);
            trial_name(t, "%s, QEMU %d", *states, major);
        }
    trials_run_and_judge(&all);
    fake_each (struct trial, t, all.list) {
        if (t->status != status)
            trial_complain(t, "not the status that its state calls for");
        check(t);
    }
}

static void must_have_left_it_alone(struct trial *t)
{
    g_assert_cmpuint(t->saved, ==, trial_all_drives(t));
    g_assert_false(t->is_ram_saved);
    g_assert_false(trial_has_sent(t, "migrate ") || trial_has_sent(t, "stop ") || trial_has_sent(t, "cont "));
}

static void test_drives_only(void)
{
    static const char *const states[] = {"prelaunch", "io-error",       "guest-panicked", "watchdog", "shutdown",
                                         "debug",     "internal-error", "brand-new",      NULL};
    run_in_states(states, VMB_ERROR_INCOMPLETE, must_have_left_it_alone);
}

static void must_have_done_nothing(struct trial *t)
{
    g_assert_false(trial_has_sent(t, "blockdev-add") || trial_has_sent(t, "migrate") || trial_has_sent(t, "cont ") ||
                   trial_has_sent(t, "getfd vmb-"));
}

static void test_not_here(void)
{
    static const char *const states[] = {"inmigrate", "postmigrate", "finish-migrate", "colo", NULL};
    run_in_states(states, VMB_ERROR_MONITOR, must_have_done_nothing);
}

static void test_busy(void)
{
    static const char *const states[] = {"save-vm", "restore-vm", NULL};
    run_in_states(states, VMB_ERROR_FAILED, must_have_done_nothing);
}

/* --- RAM that is refused ------------------------------------------------------------------------ */

/* As soon as it is known, or only when it is asked for; on a file or down a pipe. */
static void add_refused(struct trials *all, unsigned i, bool is_strict)
{
    const struct fake_kind kind = {
        .major = i & 1 ? 10 : 7, .n_drives = 2, .blocks_ram = i & 2, .refuses_ram = !(i & 2)};
    struct trial *t = trial_new(all, &kind, (struct fake_fault){0}, true);
    t->options.strict = is_strict;
    if (i & 4)
        trial_into_pipe(t);
    trial_name(t, "RAM refused, kind %u%s", i, is_strict ? ", --strict" : "");
}

static void test_refused(void)
{
    g_auto(trials) all = trials_begin();
    for (unsigned i = 0; i < 16; i++)
        add_refused(&all, i % 8, i >= 8);
    trials_run_and_judge(&all);
    fake_each (struct trial, t, all.list) {
        g_assert_cmpint(t->status, ==, t->options.strict ? VMB_ERROR_FAILED : VMB_ERROR_INCOMPLETE);
        g_assert_nonnull(strstr(t->said->str, "non-migratable device"));
        if (!t->options.strict)
            g_assert_cmpuint(t->saved, ==, trial_all_drives(t));
    }
}

/* --- and what happens as the instant is taken --------------------------------------------------- */

/* Our stop comes too late: the guest is in a state of its own, is saved without its RAM, and left so. */
static void test_panic_at_stop(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){"stop", 1, FAULT_PANICKED}, true);
    trials_run_and_judge(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_INCOMPLETE);
    g_assert_cmpuint(t->saved, ==, trial_all_drives(t));
    g_assert_false(trial_has_sent(t, "migrate ") || trial_has_sent(t, "cont "));
    g_assert_nonnull(strstr(t->said->str, "guest has panicked (guest-panicked)"));
}

/* It never gets as far as that its guest could not go on. */
static void test_not_reopened(void)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 2, .may_not_reopen = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, true);
    trials_run_and_judge(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_INCOMPLETE);
    g_assert_false(trial_has_sent(t, "migrate "));
    g_assert_nonnull(strstr(t->said->str, "cannot open disk0.raw"));
}

/* The state after a plain migration passes: for as long as a run waits for any answer, however fast QEMU answers. */
static struct trial *trial_passing(struct trials *all, unsigned ms, unsigned timeout_s)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 2, .passes_ms = ms};
    struct trial *t = trial_new(all, &kind, (struct fake_fault){0}, true);

    t->options.timeout_s = timeout_s;
    return t;
}

static unsigned count(const struct trial *t, const char *command)
{
    unsigned n = 0;
    fake_each (const char, line, t->qemu->log)
        n += g_str_has_prefix(line, command);
    return n;
}

static void test_passing(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *soon = trial_passing(&all, 1500, 30), *never = trial_passing(&all, 30000, 1);
    trials_run(&all);
    trial_judge(soon, false);
    g_assert_cmpint(soon->status, ==, 0);
    g_assert_cmpuint(count(soon, "query-status"), <, 600); /* it has pauses */
    g_assert_cmpint(never->status, ==, VMB_ERROR_MONITOR);
    g_assert_cmpuint(count(never, "query-status"), <, 1500);
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/states/drives-only", test_drives_only);
    g_test_add_func("/engine/states/not-here", test_not_here);
    g_test_add_func("/engine/states/busy", test_busy);
    g_test_add_func("/engine/states/ram-refused", test_refused);
    g_test_add_func("/engine/states/panic-at-stop", test_panic_at_stop);
    g_test_add_func("/engine/states/not-reopened", test_not_reopened);
    if (trial_engine() == ENGINE_PUSH) /* it is the RAM that is waited for, and long */
        g_test_add_func("/engine/states/passing", test_passing);
    return g_test_run();
}
