// SPDX-License-Identifier: GPL-2.0-or-later
/* What does not end is left after some seconds, and named: a disk that hangs, at this or at that. */
#include <sys/syscall.h>
#include <sys/vfs.h>
#include "backup/run.h"
#include "fake/trial.h"

static gint is_over;           /* atomic: what hangs may return */
static GPtrArray *the_hanging; /* struct trial * */

/* Of files in a folder whose name says so. Then the operator cancels. */
static void hang(const char *path, const char *at)
{
    for (unsigned i = 0; path && strstr(path, at) && i < the_hanging->len; i++) {
        struct trial *t = g_ptr_array_index(the_hanging, i);
        if (strstr(t->options.target, at))
            uv_async_send(&t->told);
    }
    while (path && strstr(path, at) && !g_atomic_int_get(&is_over))
        g_usleep(1000);
}

int statfs64(const char *path, struct statfs64 *st)
{
    hang(path, "at-statfs");
    *st = (struct statfs64){.f_bsize = 4096, .f_blocks = 1 << 20, .f_bavail = 1 << 20};
    return 0;
}

static char *path_of(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

    return g_file_read_link(link, NULL);
}

int fsync(int fd)
{
    g_autofree char *path = path_of(fd);

    hang(path, "at-fsync");
    return fdatasync(fd);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    g_autofree char *path = path_of(fd);

    hang(path, "at-writev");
    return syscall(SYS_writev, fd, iov, n);
}

static struct trial *trial_at(struct world *w, const char *call)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1};
    struct trial *t = trial_new(w, &kind, (struct fake_fault){0}, false);
    g_autofree char *dir = g_strdup_printf("%s/at-%s", w->dir, call);

    g_mkdir(dir, 0700);
    g_free(t->options.target);
    t->options.target = g_strdup_printf("%s/a.vma", dir);
    g_ptr_array_add(the_hanging, t);
    return t;
}

/* As run_trials(), but with an end to what hangs. */
static void run_them(struct world *w)
{
    uv_loop_init(&w->loop);
    w->n_open = w->trials->len;
    for (unsigned i = 0; i < w->trials->len; i++)
        trial_start(w, g_ptr_array_index(w->trials, i));
    uv_timer_init(&w->loop, &w->deadline);
    uv_timer_start(&w->deadline, on_deadline, DEADLINE_MS, 0);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&w->deadline, NULL);
    g_atomic_int_set(&is_over, 1);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&w->loop), ==, 0);
    for (unsigned i = 0; i < w->trials->len; i++) {
        struct trial *t = g_ptr_array_index(w->trials, i);
        t->backup->end.is_stuck = false; /* not any more */
        backup_free(g_steal_pointer(&t->backup));
        fake_stop(t->qemu);
    }
}

static void must_say(const struct trial *t, const char *what)
{
    g_autofree char *line = g_strdup_printf("    %s %s does not return; leaving it\n", what, t->options.target);

    if (!strstr(t->said->str, line))
        g_error("said:\n%snot:\n%s", t->said->str, line);
}

static void test_named(void)
{
    struct world w = {0};

    world_up(&w);
    the_hanging = g_ptr_array_new();
    struct trial *plan = trial_at(&w, "statfs"), *copy = trial_at(&w, "writev"), *last = trial_at(&w, "fsync");
    plan->options.wait_for_begin = true;
    run_them(&w);
    must_say(plan, "a look at the folder of");
    must_say(copy, "a write to");
    must_say(last, "the fsync of");
    g_ptr_array_unref(the_hanging);
    world_down(&w);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the programs do */
    g_setenv("UV_THREADPOOL_SIZE", "16", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/stuck/named", test_named);
    return g_test_run();
}
