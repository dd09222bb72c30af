// SPDX-License-Identifier: GPL-2.0-or-later
/* A terminal is given back as it was, whatever kills the program. Each child has a pseudo-terminal of its
 * own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ui/tty.h"

#define FAREWELL "\033[?25h\033[?1049l"

struct rig {
    int master, slave;
    struct termios before;
};

static struct rig rig_open(void)
{
    struct rig r = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    g_assert_cmpint(r.master, >=, 0);
    g_assert_cmpint(grantpt(r.master), ==, 0);
    g_assert_cmpint(unlockpt(r.master), ==, 0);
    r.slave = open(ptsname(r.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    g_assert_cmpint(r.slave, >=, 0);
    g_assert_cmpint(tcgetattr(r.slave, &r.before), ==, 0);
    return r;
}

static void rig_close(struct rig *r)
{
    close(r->master);
    close(r->slave);
}

/* In the child: the slave becomes its controlling terminal, as a shell's would be. */
static int take_terminal(struct rig *r)
{
    GError *error = NULL;
    if (setsid() < 0 || ioctl(r->slave, TIOCSCTTY, 0) < 0)
        _exit(90);
    int quiet = open("/dev/null", O_WRONLY); /* a sanitizer has much to say of a crash */
    dup2(quiet, STDERR_FILENO);
    int fd = tty_open(&error);
    if (fd < 0)
        _exit(91);
    return fd;
}

static void die_by(struct rig *r, int signal_number)
{
    struct termios before, now;
    int fd = take_terminal(r);
    if (!tty_raw(fd, &before))
        _exit(92);
    tty_guard(fd, &before, FAREWELL);
    if (tcgetattr(fd, &now) < 0 || (now.c_lflag & (ICANON | ECHO)) || !(now.c_lflag & ISIG))
        _exit(93); /* the test would prove nothing */
    raise(signal_number);
    _exit(94);
}

/* What the terminal was sent, once it has ended in `wanted`. */
static void assert_received(struct rig *r, const char *wanted)
{
    g_autoptr(GString) all = g_string_new(NULL);
    gint64 end = g_get_monotonic_time() + 5 * G_TIME_SPAN_SECOND;
    while (!strstr(all->str, wanted) && g_get_monotonic_time() < end) {
        struct pollfd p = {.fd = r->master, .events = POLLIN};
        char bytes[512];
        ssize_t n = poll(&p, 1, 1000) > 0 ? read(r->master, bytes, sizeof bytes) : 0;
        if (n > 0)
            g_string_append_len(all, bytes, n);
    }
    g_assert_nonnull(strstr(all->str, wanted));
}

static void test_death(gconstpointer data)
{
    int signal_number = GPOINTER_TO_INT(data), status;
    struct rig r = rig_open();
    struct termios after;
    pid_t child = fork();
    if (!child)
        die_by(&r, signal_number);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    /* By the signal itself, or by a sanitizer's own handler for it: never by our _exit(). */
    g_assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) < 90);
    assert_received(&r, FAREWELL);
    g_assert_cmpint(tcgetattr(r.slave, &after), ==, 0);
    g_assert_cmphex(after.c_lflag, ==, r.before.c_lflag);
    g_assert_cmphex(after.c_iflag, ==, r.before.c_iflag);
    rig_close(&r);
}

/* The reason for a separate open: standard output must stay as it is. */
static void test_own_description(void)
{
    struct rig r = rig_open();
    int status;
    pid_t child = fork();
    if (!child) {
        int fd = take_terminal(&r);
        bool is_blocking = !(fcntl(r.slave, F_GETFL) & O_NONBLOCK);
        _exit(is_blocking && (fcntl(fd, F_GETFL) & O_NONBLOCK) ? 0 : 95);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    rig_close(&r);
}

static void test_size_and_gone(void)
{
    struct rig r = rig_open();
    struct winsize size = {.ws_row = 33, .ws_col = 111};
    int width = 0, height = 0;
    g_assert_false(tty_size(r.slave, &width, &height)); /* not known yet */
    g_assert_cmpint(ioctl(r.master, TIOCSWINSZ, &size), ==, 0);
    g_assert_true(tty_size(r.slave, &width, &height));
    g_assert_cmpint(width, ==, 111);
    g_assert_cmpint(height, ==, 33);
    g_assert_false(tty_is_gone(r.slave));
    close(r.master);
    g_assert_true(tty_is_gone(r.slave));
    close(r.slave);
}

/* The last words have a deadline: a terminal that takes nothing cannot keep the program. */
static void test_last_words(void)
{
    struct rig r = rig_open();
    g_autofree char *much = g_strnfill(1 << 20, 'x');
    fcntl(r.slave, F_SETFL, O_RDWR | O_NONBLOCK);
    gint64 start = g_get_monotonic_time();
    tty_write_all(r.slave, much, 1 << 20, 50);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_TIME_SPAN_SECOND);
    rig_close(&r);
}

int main(int argc, char **argv)
{
    static const int deadly[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT};
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(deadly); i++) {
        g_autofree char *name = g_strdup_printf("/ui/tty/death/%s", strsignal(deadly[i]));
        g_test_add_data_func(name, GINT_TO_POINTER(deadly[i]), test_death);
    }
    g_test_add_func("/ui/tty/own-description", test_own_description);
    g_test_add_func("/ui/tty/size-and-gone", test_size_and_gone);
    g_test_add_func("/ui/tty/last-words", test_last_words);
    return g_test_run();
}
