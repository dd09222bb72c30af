// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/sweep.h"

const struct sweep sweeps[] = {
    {"drives", {.major = 7, .n_drives = 2}, false},
    {"background-snapshot", {.major = 10, .n_drives = 1}, true},
    {"plain-migration", {.major = 7, .n_drives = 1}, true},
    {"paused-guest", {.major = 10, .n_drives = 1, .is_paused = true, .no_snapshot = true}, true},
    {"ram-left-out", {.major = 7, .n_drives = 1, .never_converges = true}, true},
    {"paused-snapshot", {.major = 10, .n_drives = 1, .is_paused = true}, true},
    {"jobs-that-go-on", {.major = 10, .n_drives = 2, .holds_jobs = true}, false},
    {"frozen", {.major = 10, .n_drives = 1, .has_agent = true}, false},
    {"ram-refused", {.major = 10, .n_drives = 1, .refuses_ram = true}, true},
    {"ram-fails-stopped", {.major = 7, .n_drives = 1, .fails_stopped = true}, true},
    {"images-not-reopened", {.major = 7, .n_drives = 1, .may_not_reopen = true}, true},
    {"iothread", {.major = 10, .n_drives = 2, .has_iothread = true}, false},
    {"iothread-that-goes-on", {.major = 10, .n_drives = 1, .has_iothread = true, .holds_jobs = true}, false},
    {"unguarded", {.major = 10, .n_drives = 1, .refuses_filters = true}, true},
};
const unsigned n_sweeps = G_N_ELEMENTS(sweeps);

/* The exit status when nothing is disturbed. */
static int usual_status(const struct fake_kind *kind)
{
    if (kind->refuses_filters || kind->never_converges || kind->refuses_ram || kind->may_not_reopen ||
        kind->fails_stopped)
        return VMB_ERROR_INCOMPLETE;
    return kind->holds_jobs ? VMB_ERROR_CANCELLED : 0;
}

/* Most commands are the same by either engine. */
unsigned sweep_stride(void)
{
    return g_test_slow() ? 1 : trial_engine() == ENGINE_PULL ? 19 : 9;
}

GArray *sweep_faults(const struct sweep *s)
{
    static const char *const polls[] = {"query-jobs", "query-block-jobs", "query-block-exports", "query-migrate", NULL};
    GArray *faults = g_array_new(FALSE, FALSE, sizeof(struct fake_fault));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &s->kind, (struct fake_fault){0}, s->with_ram);
    trials_run_and_judge(&all);
    g_assert_cmpuint(t->by_operator_ms, ==, 0); /* nobody has paused anything */
    g_assert_cmpint(t->status, ==, usual_status(&s->kind));
    fake_each (const char, line, t->qemu->log) {
        g_autofree char *word = g_strndup(line, strcspn(line, " "));
        const char *command = g_intern_string(word);
        unsigned nth = GPOINTER_TO_UINT(g_hash_table_lookup(seen, command)) + 1;
        g_hash_table_insert(seen, (gpointer)command, GUINT_TO_POINTER(nth));
        if (nth <= 2 || !g_strv_contains(polls, command))
            g_array_append_vals(faults, &(struct fake_fault){command, nth, FAULT_NONE}, 1);
    }
    return faults;
}
