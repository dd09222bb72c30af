// SPDX-License-Identifier: GPL-2.0-or-later
/* kill -9 of a backup at each of its commands, then the cleanup: nothing of it may be left in QEMU. */
#include <signal.h>
#include <sys/wait.h>
#include "fake/faults.h"

static void kill_it(void *user)
{
    struct trial *t = user;

    while (!g_atomic_int_get(&t->pid)) /* it has called already: its number is known at once */
        g_thread_yield();
    kill(t->pid, SIGKILL);
    waitpid(t->pid, NULL, 0);
}

/* This program again, as one backup: see main(). */
static void spawn(struct trial *t)
{
    const char *argv[] = {"/proc/self/exe",  t->options.monitor,
                          t->options.target, t->options.no_vmstate ? "no" : "ram",
                          t->options.agent,  NULL};
    g_autoptr(GError) error = NULL;
    GPid pid;

    g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error);
    g_assert_no_error(error);
    g_atomic_int_set(&t->pid, pid);
}

/* Whatever was under way: what the journal and our names tell suffices to put all back. */
static void test_killed(gconstpointer data)
{
    const struct sweep *s = data;
    g_autoptr(GArray) faults = faults_of(&s->kind, s->with_ram);
    unsigned stride = g_test_slow() ? 1 : 9;
    struct world w = {0};

    world_up(&w);
    for (unsigned i = 0; i < faults->len; i += stride) {
        struct fake_fault fault = g_array_index(faults, struct fake_fault, i);
        g_autofree char *left = NULL;
        fault.kind = FAULT_TOLD;
        struct trial *t = trial_new(&w, &s->kind, fault, s->with_ram);
        t->qemu->on_fault = kill_it;
        fake_start(t->qemu);
        spawn(t);
        while (!g_atomic_int_get(&t->qemu->n_hung_up))
            g_usleep(1000);
        waitpid(t->pid, NULL, 0); /* one that ended well */
        fake_stop(t->qemu);
        clean_up(t);
        left = fake_left(t->qemu);
        if (left)
            complain(t, left);
        if (t->qemu->violation)
            complain(t, t->qemu->violation);
        t->saved = all_drives(t);
        if (g_file_test(t->path, G_FILE_TEST_EXISTS) && !is_archive_good(t))
            complain(t, "killed, and there is half an archive");
    }
    world_down(&w);
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
    struct world w = {0};

    world_up(&w);
    struct trial *t = trial_new(&w, &kind, (struct fake_fault){"cont", 1, FAULT_TOLD}, false);
    t->qemu->on_fault = kill_it;
    fake_start(t->qemu);
    spawn(t);
    while (!g_atomic_int_get(&t->qemu->n_hung_up))
        g_usleep(1000);
    waitpid(t->pid, NULL, 0);
    fake_stop(t->qemu);
    t->qemu->fault = (struct fake_fault){0};
    t->options.wait_for_begin = true;
    t->cancel_at = MODEL_PLAN;
    t->act = tidy;
    run_trials(&w);
    g_assert_nonnull(strstr(t->said->str, "tidied"));
    g_assert_cmpint(t->status, ==, 0);
    judge(t, false);
    world_down(&w);
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
    b = backup_new(&loop, &options, &listener, &loop);
    backup_connect(b);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(backup_model(b)->end.exit_status);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && argv[1][0] == '/')
        return run_child(argv);
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(sweeps); i++) {
        g_autofree char *path = g_strdup_printf("/engine/killed/%s", sweeps[i].name);
        if (!sweeps[i].kind.holds_jobs)
            g_test_add_data_func(path, &sweeps[i], test_killed);
    }
    g_test_add_func("/engine/killed/tidied", test_tidied);
    return g_test_run();
}
