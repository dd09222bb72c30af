// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Kinds of guests to sweep over, and where in a backup of each something can go wrong: at every command of a run
 * that went well.
 */
#include "fake/trial.h"

/* The commands of an undisturbed run; each as often as it came, but polls only once. */
static GArray *faults_of(const struct fake_kind *kind, bool with_ram)
{
    GArray *faults = g_array_new(FALSE, FALSE, sizeof(struct fake_fault));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    struct world w = {0};
    struct trial *t;

    world_up(&w);
    t = trial_new(&w, kind, (struct fake_fault){0}, with_ram);
    run_trials(&w);
    judge(t, false);
    g_assert_cmpuint(t->by_operator_ms, ==, 0); /* nobody has paused anything */
    g_assert_cmpint(t->status, ==,
                    kind->refuses_filters || kind->never_converges || kind->refuses_ram || kind->may_not_reopen ||
                            kind->fails_stopped
                        ? VMB_ERROR_INCOMPLETE
                    : kind->holds_jobs ? VMB_ERROR_CANCELLED
                                       : 0);
    for (unsigned i = 0; i < t->qemu->log->len; i++) {
        const char *line = g_ptr_array_index(t->qemu->log, i);
        g_autofree char *word = g_strndup(line, strcspn(line, " "));
        const char *command = g_intern_string(word);
        unsigned nth = GPOINTER_TO_UINT(g_hash_table_lookup(seen, command)) + 1;
        bool is_poll = strcmp(command, "query-jobs") == 0 || strcmp(command, "query-block-jobs") == 0 ||
                       strcmp(command, "query-migrate") == 0;
        g_hash_table_insert(seen, (gpointer)command, GUINT_TO_POINTER(nth));
        if (is_poll && nth > 2)
            continue;
        g_array_append_vals(faults, &(struct fake_fault){command, nth, FAULT_NONE}, 1);
    }
    world_down(&w);
    return faults;
}

struct sweep {
    const char *name;
    struct fake_kind kind;
    bool with_ram;
};

static const struct sweep sweeps[] = {
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
    {"unguarded", {.major = 10, .n_drives = 1, .refuses_filters = true}, true},
};
