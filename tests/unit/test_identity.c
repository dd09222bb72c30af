// SPDX-License-Identifier: GPL-2.0-or-later
/* Which guest a monitor belongs to: by whatever name its socket is reached, and not by a name that is used again. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "qemu/identity.h"

struct fixture {
    char *dir, *home;
};

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, name, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    close(fd);
}

static void fixture_up(struct fixture *f, gconstpointer data)
{
    f->home = g_get_current_dir();
    f->dir = g_dir_make_tmp("identity-XXXXXX", NULL);
    g_assert_cmpint(chdir(f->dir), ==, 0);
    make_socket("a.sock");
    make_socket("b.sock");
}

static void fixture_down(struct fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", f->dir);

    g_assert_cmpint(chdir(f->home), ==, 0);
    g_assert_cmpint(system(command), ==, 0);
    g_free(f->home);
    g_free(f->dir);
}

static void test_names(struct fixture *f, gconstpointer data)
{
    g_autofree char *absolute = g_build_filename(f->dir, "a.sock", NULL);
    g_autofree char *pasted = g_strdup_printf("unix:%s,server=on,wait=off", absolute);
    const char *const names[] = {absolute, pasted, "unix:a.sock", "./a.sock", "link", "unix:link,server"};
    g_autofree char *key = identity_of_monitor("a.sock"), *other = identity_of_monitor("b.sock");

    g_assert_cmpint(symlink("a.sock", "link"), ==, 0);
    g_assert_cmpstr(key, !=, other);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *again = identity_of_monitor(names[i]);
        g_assert_cmpstr(again, ==, key);
    }
    for (const char *at = key; *at; at++) /* it becomes a file's name */
        g_assert_true(g_ascii_isalnum(*at) || *at == '-' || *at == '.');
}

/* The next QEMU makes its socket under the same name, and often gets the same inode. */
static void test_made_again(struct fixture *f, gconstpointer data)
{
    g_autofree char *before = identity_of_monitor("a.sock"), *after = NULL;

    g_unlink("a.sock");
    g_usleep(20000); /* the clock of a file system has ticks */
    make_socket("a.sock");
    after = identity_of_monitor("a.sock");
    g_assert_cmpstr(before, !=, after);
}

static void test_tcp(struct fixture *f, gconstpointer data)
{
    static const char *const names[] = {"tcp:127.0.0.1:4444", "localhost:4444", "tcp:localhost:4444,server=on",
                                        ":4444"};
    g_autofree char *key = identity_of_monitor("127.0.0.1:4444"), *other = identity_of_monitor("127.0.0.1:4445");
    g_autofree char *none = identity_of_monitor("/no/such/thing"), *rubbish = identity_of_monitor("");

    g_assert_cmpstr(key, !=, other);
    g_assert_cmpstr(none, !=, rubbish);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *again = identity_of_monitor(names[i]);
        g_assert_cmpstr(again, ==, key);
    }
}

static void test_chardevs(struct fixture *f, gconstpointer data)
{
    g_autofree char *absolute = g_strdup_printf("disconnected:unix:%s/b.sock,server=on", f->dir);
    const char *const filenames[] = {absolute,
                                     "unix:a.sock,server=on",
                                     NULL,
                                     "vc",
                                     "",
                                     "unix:",
                                     "unix:/",
                                     "unix:/gone",
                                     "disconnected:tcp:127.0.0.1:44,server=on",
                                     "pty:/dev/pts/3"};
    g_autofree char *a = identity_of_monitor("a.sock"), *b = identity_of_monitor("b.sock");
    g_autoptr(GPtrArray) both = identity_of_chardevs(filenames, G_N_ELEMENTS(filenames), getpid());
    g_autoptr(GPtrArray) first = identity_of_chardevs(filenames, G_N_ELEMENTS(filenames), 0);
    g_autoptr(GPtrArray) only_a = identity_of_chardevs(filenames + 1, 1, getpid());

    g_assert_cmpuint(both->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(both, 0), ==, b);
    g_assert_cmpstr(g_ptr_array_index(both, 1), ==, a);
    g_assert_cmpuint(first->len, ==, 1); /* whose folder it is, is not known */
    g_assert_true(identity_is_shared(both, only_a) && identity_is_shared(only_a, both));
    g_assert_false(identity_is_shared(first, only_a) || identity_is_shared(NULL, both) ||
                   identity_is_shared(both, NULL));
}

/* What is not known for certain has not ended: its record may be the only trace of what is left in QEMU. */
static void test_process(struct fixture *f, gconstpointer data)
{
    g_autofree char *numbers = g_file_read_link("/proc/self/ns/pid", NULL);
    g_autofree char *reborn = g_strdup_printf("%d 1 %s", getpid(), numbers),
                    *never = g_strdup_printf("99999999 5 %s", numbers), *elsewhere = g_strdup("99999999 5 pid:[1]");
    static const char *const unknown[] = {"", "x", "-1 5 pid:[1]", "99999999", "99999999 5", "0 0 0"};

    (void)f;
    g_assert_null(identity_of_process(getpid())); /* no QEMU */
    g_assert_null(identity_of_process(0));
    g_assert_true(identity_is_gone(reborn) && identity_is_gone(never));
    g_assert_false(identity_is_gone(elsewhere));
    for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++)
        g_assert_false(identity_is_gone(unknown[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, test) g_test_add("/identity/" path, struct fixture, NULL, fixture_up, test, fixture_down)
    ADD("names", test_names);
    ADD("made-again", test_made_again);
    ADD("tcp", test_tcp);
    ADD("chardevs", test_chardevs);
    ADD("process", test_process);
    return g_test_run();
}
