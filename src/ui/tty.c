// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"

int tty_open(GError **error)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "terminal: %s", g_strerror(errno));
    return fd;
}

bool tty_raw(int fd, struct termios *before)
{
    if (tcgetattr(fd, before) < 0)
        return false;
    struct termios raw = *before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_lflag |= ISIG;
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    return tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

void tty_restore(int fd, const struct termios *before)
{
    tcsetattr(fd, TCSADRAIN, before);
}

bool tty_size(int fd, int *width, int *height)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
        return false;
    *width = size.ws_col;
    *height = size.ws_row;
    return true;
}

bool tty_is_ours(int fd)
{
    return tcgetpgrp(fd) == getpgrp();
}

bool tty_is_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

void tty_write_all(int fd, const char *bytes, size_t len, int deadline_ms)
{
    gint64 end = g_get_monotonic_time() + deadline_ms * G_TIME_SPAN_MILLISECOND;
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        gint64 left_ms = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if ((errno != EAGAIN && errno != EINTR) || left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
            return;
    }
}

/* ---- crashes ---- */

static const int deadly[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT};

/* All a signal handler may look at: plain memory, made ready before. */
static struct {
    int fd;
    struct termios before;
    char farewell[256];
    size_t farewell_len;
    char kept[2048]; /* the last words of GLib: an assertion's text would vanish with the screen */
    size_t kept_len;
    struct sigaction old[G_N_ELEMENTS(deadly)];
} guard = {.fd = -1};
static char handler_stack[32768];

static void on_crash(int signal_number)
{
    if (guard.fd >= 0) {
        /* Blocking now: there is nothing left to be kept waiting. */
        fcntl(guard.fd, F_SETFL, fcntl(guard.fd, F_GETFL) & ~O_NONBLOCK);
        (void)!write(guard.fd, guard.farewell, guard.farewell_len);
        tcsetattr(guard.fd, TCSANOW, &guard.before);
        (void)!write(STDERR_FILENO, guard.kept, guard.kept_len);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(deadly); i++)
        if (deadly[i] == signal_number)
            sigaction(signal_number, &guard.old[i], NULL);
    raise(signal_number);
}

static void keep(const char *text)
{
    size_t len = MIN(strlen(text), sizeof guard.kept - guard.kept_len);
    memcpy(guard.kept + guard.kept_len, text, len);
    guard.kept_len += len;
}

static GLogWriterOutput keep_log(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    if (g_log_writer_default_would_drop(level, G_LOG_DOMAIN))
        return G_LOG_WRITER_HANDLED;
    g_autofree char *text = g_log_writer_format_fields(level, fields, n, FALSE);
    if (guard.fd < 0) {
        fprintf(stderr, "%s\n", text);
    } else {
        keep(text);
        keep("\n");
    }
    return G_LOG_WRITER_HANDLED;
}

void tty_guard(int fd, const struct termios *before, const char *farewell)
{
    static bool has_writer; /* GLib takes a writer once only */
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    guard.before = *before;
    guard.farewell_len = g_strlcpy(guard.farewell, farewell, sizeof guard.farewell);
    guard.farewell_len = MIN(guard.farewell_len, sizeof guard.farewell - 1);
    guard.kept_len = 0;
    guard.fd = fd;
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(deadly); i++)
        sigaction(deadly[i], &action, &guard.old[i]);
    g_set_printerr_handler(keep);
    if (!has_writer)
        g_log_set_writer_func(keep_log, NULL, NULL);
    has_writer = true;
}

void tty_unguard(void)
{
    if (guard.fd < 0)
        return;
    guard.fd = -1;
    for (unsigned i = 0; i < G_N_ELEMENTS(deadly); i++)
        sigaction(deadly[i], &guard.old[i], NULL);
    g_set_printerr_handler(NULL);
    fwrite(guard.kept, 1, guard.kept_len, stderr);
    guard.kept_len = 0;
}
