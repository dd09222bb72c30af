// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests in every run state that QEMU knows, under the whole engine: what of each is saved, and that it is left as it
 * was.
 */
#include <signal.h>
#include "fake/trial.h"

static bool was_sent(const struct trial *t, const char *command)
{
    for (unsigned i = 0; i < t->qemu->log->len; i++)
        if (g_str_has_prefix(g_ptr_array_index(t->qemu->log, i), command))
            return true;
    return false;
}

static struct trial *trial_in(struct world *w, const char *state, int major)
{
    const struct fake_kind kind = {.major = major, .n_drives = 2, .is_paused = true, .state = state};
    struct trial *t = trial_new(w, &kind, (struct fake_fault){0}, true);

    g_free(t->name);
    t->name = g_strdup_printf("%s, QEMU %d", state, major);
    return t;
}

static void run_in_states(const char *const *states, int status, void (*check)(struct trial *t))
{
    struct world w = {0};

    world_up(&w);
    for (; *states; states++)
        for (unsigned i = 0; i < 2; i++)
            trial_in(&w, *states, i ? 10 : 7);
    run_trials(&w);
    for (unsigned i = 0; i < w.trials->len; i++) {
        struct trial *t = g_ptr_array_index(w.trials, i);
        judge(t, false);
        if (t->status != status)
            complain(t, "not the status that its state calls for");
        check(t);
    }
    world_down(&w);
}

static void must_have_left_it_alone(struct trial *t)
{
    g_assert_cmpuint(t->saved, ==, all_drives(t));
    g_assert_false(t->is_ram_saved);
    g_assert_false(was_sent(t, "migrate ") || was_sent(t, "stop ") || was_sent(t, "cont "));
}

static void test_drives_only(void)
{
    static const char *const states[] = {"prelaunch", "io-error",       "guest-panicked", "watchdog", "shutdown",
                                         "debug",     "internal-error", "brand-new",      NULL};

    run_in_states(states, VMB_ERROR_INCOMPLETE, must_have_left_it_alone);
}

static void must_have_done_nothing(struct trial *t)
{
    g_assert_false(was_sent(t, "blockdev-add") || was_sent(t, "migrate") || was_sent(t, "cont ") ||
                   was_sent(t, "getfd"));
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
static struct trial *trial_refused(struct world *w, unsigned i, bool is_strict)
{
    const struct fake_kind kind = {
        .major = i & 1 ? 10 : 7, .n_drives = 2, .blocks_ram = i & 2, .refuses_ram = !(i & 2)};
    struct trial *t = trial_new(w, &kind, (struct fake_fault){0}, true);

    t->options.strict = is_strict;
    if (i & 4) {
        g_free(t->options.target);
        t->options.target = g_strdup_printf("|cat > '%s'", t->path);
    }
    g_free(t->name);
    t->name = g_strdup_printf("RAM refused, kind %u%s", i, is_strict ? ", --strict" : "");
    return t;
}

static void test_refused(void)
{
    struct world w = {0};

    world_up(&w);
    for (unsigned i = 0; i < 16; i++)
        trial_refused(&w, i % 8, i >= 8);
    run_trials(&w);
    for (unsigned i = 0; i < w.trials->len; i++) {
        struct trial *t = g_ptr_array_index(w.trials, i);
        judge(t, false);
        g_assert_cmpint(t->status, ==, t->options.strict ? VMB_ERROR_FAILED : VMB_ERROR_INCOMPLETE);
        g_assert_nonnull(strstr(t->said->str, "non-migratable device"));
        if (!t->options.strict)
            g_assert_cmpuint(t->saved, ==, all_drives(t));
    }
    world_down(&w);
}

/* --- and what happens as the instant is taken --------------------------------------------------- */

/* Our stop comes too late: the guest is in a state of its own, is saved without its RAM, and left so. */
static void test_panic_at_stop(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2};
    struct world w = {0};
    struct trial *t;

    world_up(&w);
    t = trial_new(&w, &kind, (struct fake_fault){"stop", 1, FAULT_PANICKED}, true);
    run_trials(&w);
    judge(t, false);
    g_assert_cmpint(t->status, ==, VMB_ERROR_INCOMPLETE);
    g_assert_cmpuint(t->saved, ==, all_drives(t));
    g_assert_false(was_sent(t, "migrate ") || was_sent(t, "cont "));
    g_assert_nonnull(strstr(t->said->str, "guest has panicked (guest-panicked)"));
    world_down(&w);
}

/* It never gets as far as that its guest could not go on. */
static void test_not_reopened(void)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 2, .may_not_reopen = true};
    struct world w = {0};
    struct trial *t;

    world_up(&w);
    t = trial_new(&w, &kind, (struct fake_fault){0}, true);
    run_trials(&w);
    judge(t, false);
    g_assert_cmpint(t->status, ==, VMB_ERROR_INCOMPLETE);
    g_assert_false(was_sent(t, "migrate "));
    g_assert_nonnull(strstr(t->said->str, "cannot open disk0.raw"));
    world_down(&w);
}

/* The state after a plain migration passes: for as long as a run waits for any answer, however fast QEMU answers. */
static struct trial *trial_passing(struct world *w, unsigned ms, unsigned timeout_s)
{
    const struct fake_kind kind = {.major = 7, .n_drives = 2, .passes_ms = ms};
    struct trial *t = trial_new(w, &kind, (struct fake_fault){0}, true);

    t->options.timeout_s = timeout_s;
    return t;
}

static unsigned count(const struct trial *t, const char *command)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t->qemu->log->len; i++)
        n += g_str_has_prefix(g_ptr_array_index(t->qemu->log, i), command);
    return n;
}

static void test_passing(void)
{
    struct world w = {0};
    struct trial *soon, *never;

    world_up(&w);
    soon = trial_passing(&w, 1500, 30);
    never = trial_passing(&w, 30000, 1);
    run_trials(&w);
    judge(soon, false);
    g_assert_cmpint(soon->status, ==, 0);
    g_assert_cmpuint(count(soon, "query-status"), <, 600); /* it has pauses */
    g_assert_cmpint(never->status, ==, VMB_ERROR_MONITOR);
    g_assert_cmpuint(count(never, "query-status"), <, 1500);
    world_down(&w);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the programs do: a command that is written into may end */
    g_setenv("UV_THREADPOOL_SIZE", "16", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/states/drives-only", test_drives_only);
    g_test_add_func("/engine/states/not-here", test_not_here);
    g_test_add_func("/engine/states/busy", test_busy);
    g_test_add_func("/engine/states/ram-refused", test_refused);
    g_test_add_func("/engine/states/panic-at-stop", test_panic_at_stop);
    g_test_add_func("/engine/states/not-reopened", test_not_reopened);
    g_test_add_func("/engine/states/passing", test_passing);
    return g_test_run();
}
