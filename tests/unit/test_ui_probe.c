// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "ui/probe.h"

static struct probe read_whole(const char *answer, bool is_last)
{
    struct probe p;
    g_assert_cmpint(probe_read(answer, strlen(answer), &p), ==, is_last);
    return p;
}

/* What real terminals say, and what may stand in between. */
static void test_answers(void)
{
    struct probe p = read_whole("\033[12;4R\033[12;3R\033[?2026;2$y\033[?64;1;2c", true);
    g_assert_true(p.is_answered && p.has_sync);
    g_assert_cmpstr(probe_glyphs(&p, "unicode"), ==, "unicode");
    p = read_whole("\033[1;4R\033[1;3R\033[?1;2c", true); /* tmux 3.3a: no word on 2026 */
    g_assert_false(p.has_sync);
    p = read_whole("\033[1;4R\033[1;3R\033[?2026;0$y\033[?62c", true); /* does not know it */
    g_assert_false(p.has_sync);
    p = read_whole("j\033[1;7R\033[Aq\033[1;5R\033[?6c", true); /* a font with wide signs, and keys */
    g_assert_cmpstr(probe_glyphs(&p, "unicode"), ==, "ascii");
    p = read_whole("\033[1;5R\033[1;3R\033[?6c", true);
    g_assert_cmpstr(probe_glyphs(&p, "unicode"), ==, "blocks");
    p = read_whole("\033[1;10R\033[1;7R\033[?6c", true); /* bytes, not characters */
    g_assert_cmpstr(probe_glyphs(&p, "unicode"), ==, "ascii");
    g_assert_cmpstr(probe_glyphs(&p, "ascii"), ==, "ascii");
}

static void test_odd(void)
{
    static const char *const odd[] = {
        "",
        "\033",
        "\033[",
        "\033[?",
        "\033[;R",
        "\033[99999999999999;9999999999999999999999R",
        "\033[?2026y",
        "\033[????????????????????????????????????????????????c",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        struct probe p = read_whole(odd[i], false);
        g_assert_cmpstr(probe_glyphs(&p, "unicode"), ==, "unicode"); /* not told: as the locale says */
        g_assert_false(p.has_sync);
    }
}

/* Through a descriptor: a terminal that answers, and one that never does costs no more than its time. */
static void test_run(void)
{
    int pair[2];
    struct probe p;
    char asked[256];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    g_assert_cmpint(write(pair[1], "\033[1;4R\033[1;3R\033[?2026;2$y\033[?6c", 29), ==, 29);
    probe_run(pair[0], PROBE_SIGNS | PROBE_SYNC, &p);
    g_assert_true(p.has_sync);
    g_assert_cmpint(p.columns[PROBE_UNICODE], ==, 3);
    ssize_t n = read(pair[1], asked, sizeof asked - 1);
    g_assert_cmpint(n, >, 0);
    asked[n] = '\0';
    g_assert_nonnull(strstr(asked, "\033[?2026$p"));
    g_assert_true(g_str_has_suffix(asked, "\r\033[K")); /* the line is clean again */
    gint64 start = g_get_monotonic_time();
    probe_run(pair[0], PROBE_SIGNS, &p);
    g_assert_false(p.is_answered);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_TIME_SPAN_SECOND);
    close(pair[1]);
    probe_run(pair[0], PROBE_SIGNS, &p); /* nobody there */
    g_assert_false(p.is_answered);
    close(pair[0]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/ui/probe/answers", test_answers);
    g_test_add_func("/ui/probe/odd", test_odd);
    g_test_add_func("/ui/probe/run", test_run);
    return g_test_run();
}
