// SPDX-License-Identifier: GPL-2.0-or-later
/* kill -9 of a backup at each of its commands, then the cleanup: nothing of it may be left in QEMU. */
#include <signal.h>
#include <sys/wait.h>
#include "fake/sweep.h"

static gint child; /* its number; atomic */

static void kill_it(void *user)
{
    while (!g_atomic_int_get(&child)) /* it has called already: its number is known at once */
        g_thread_yield();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* This program again, as one backup: see main(). It is killed, or ends well. */
static void run_killed(struct trial *t)
{
    const char *argv[] = {"/proc/self/exe",  t->options.monitor,
                          t->options.target, t->options.no_vmstate ? "no" : "ram",
                          t->options.agent,  NULL};
    g_autoptr(GError) error = NULL;
    GPid pid;
    t->qemu->on_fault = kill_it;
    g_atomic_int_set(&child, 0);
    fake_start(t->qemu);
    g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error);
    g_assert_no_error(error);
    g_atomic_int_set(&child, pid);
    while (!g_atomic_int_get(&t->qemu->n_hung_up))
        g_usleep(1000);
    waitpid(pid, NULL, 0);
    fake_stop(t->qemu);
}

/* Whatever was under way: what the journal and our names tell suffices to put all back. */
static void test_killed(gconstpointer data)
{
    const struct sweep *s = data;
    g_autoptr(GArray) faults = sweep_faults(s);
    unsigned stride = sweep_stride();
    g_auto(trials) all = trials_begin();
    for (unsigned i = 0; i < faults->len; i += stride) {
        struct fake_fault fault = g_array_index(faults, struct fake_fault, i);
        fault.kind = FAULT_TOLD;
        struct trial *t = trial_new(&all, &s->kind, fault, s->with_ram);
        run_killed(t);
        trial_clean_up(t);
        if (t->qemu->violation)
            trial_complain(t, t->qemu->violation);
        t->saved = trial_all_drives(t);
        if (trial_has_archive(t) && !trial_is_archive_good(t))
            trial_complain(t, "killed, and there is half an archive");
    }
}

/* In the console: no backup begins while something is left; then one does, by the plan made anew. */
static void tidy(struct trial *t)
{
    const struct model *m = backup_model(t->backup);
    struct command begin, cleanup;
    g_autoptr(GError) error = NULL;
    command_init(&begin, COMMAND_BEGIN);
    command_init(&cleanup, COMMAND_CLEANUP);
    if (m->left.n) {
        g_assert_false(backup_command(t->backup, &begin, &error));
        g_assert_nonnull(strstr(error->message, "a backup that died"));
        g_assert_true(backup_command(t->backup, &cleanup, NULL));
        g_assert_true(backup_model(t->backup)->left.is_cleaning);
        g_string_append(t->said, "tidied");
    } else {
        g_assert_false(backup_command(t->backup, &cleanup, &error));
        g_assert_true(backup_command(t->backup, &begin, NULL));
    }
}

static void test_tidied(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){"cont", 1, FAULT_TOLD}, false);
    run_killed(t);
    t->qemu->fault = (struct fake_fault){0};
    trial_act_at_plan(t, tidy);
    trials_run(&all);
    g_assert_nonnull(strstr(t->said->str, "tidied"));
    g_assert_cmpint(t->status, ==, 0);
    trial_judge(t, false);
}

static void on_child_done(void *user)
{
    uv_stop(user);
}

static void on_child_event(void *user, const struct model_event *e)
{
}

static int run_child(char **argv)
{
    static const struct backup_listener listener = {.on_event = on_child_event, .on_done = on_child_done};
    struct backup_options options;
    struct backup *b;
    uv_loop_t loop;
    uv_loop_init(&loop);
    backup_options_init(&options);
    options.monitor = argv[1];
    options.target = argv[2];
    options.no_vmstate = strcmp(argv[3], "no") == 0;
    options.agent = g_strdup(argv[4]);
    options.engine = trial_engine();
    b = backup_new(&loop, &options, &listener, &loop);
    backup_connect(b);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(backup_model(b)->end.exit_status);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && argv[1][0] == '/')
        return run_child(argv);
    trials_init(&argc, &argv);
    for (unsigned i = 0; i < n_sweeps; i++) {
        g_autofree char *path = g_strdup_printf("/engine/killed/%s", sweeps[i].name);
        if (!sweeps[i].kind.holds_jobs)
            g_test_add_data_func(path, &sweeps[i], test_killed);
    }
    g_test_add_func("/engine/killed/tidied", test_tidied);
    return g_test_run();
}
