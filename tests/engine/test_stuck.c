// SPDX-License-Identifier: GPL-2.0-or-later
/* What does not end is left after some seconds, and named: a disk that hangs, at this or at that. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
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

static struct trial *trial_at(struct trials *all, const char *call)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1};
    struct trial *t = trial_new(all, &kind, (struct fake_fault){0}, false);
    g_autofree char *dir = g_strdup_printf("%s/at-%s", all->dir, call);

    g_mkdir(dir, 0700);
    g_free(t->options.target);
    t->options.target = g_strdup_printf("%s/a.vma", dir);
    g_ptr_array_add(the_hanging, t);
    return t;
}

static void on_over(struct trials *all)
{
    g_atomic_int_set(&is_over, 1);
    fake_each (struct trial, t, all->list)
        t->backup->end.is_stuck = false; /* not any more */
}

static void must_say(const struct trial *t, const char *what)
{
    g_autofree char *line = g_strdup_printf("    %s %s does not return; leaving it\n", what, t->options.target);

    if (!strstr(t->said->str, line))
        g_error("said:\n%snot:\n%s", t->said->str, line);
}

static void test_named(void)
{
    g_auto(trials) all = trials_begin();
    g_autoptr(GPtrArray) hanging = the_hanging = g_ptr_array_new();
    struct trial *plan = trial_at(&all, "statfs"), *copy = trial_at(&all, "writev"), *last = trial_at(&all, "fsync");

    plan->options.wait_for_begin = true;
    all.on_over = on_over;
    trials_run(&all);
    must_say(plan, "a look at the folder of");
    must_say(copy, "a write to");
    must_say(last, "the fsync of");
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/stuck/named", test_named);
    return g_test_run();
}
