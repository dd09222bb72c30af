// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "ui/tty.h"

#define MAX_ANSWER 512

const struct probe_sample probe_samples[PROBE_TEXTS] = {
    [PROBE_UNICODE] = {"▶✓⣿", 3},
    [PROBE_BLOCKS] = {"█░", 2},
};

/* Each text at column 1, then "where is the cursor?"; afterwards the line is wiped. CSI c is answered by
 * every terminal: behind it nothing more comes. */
static GString *questions(unsigned what)
{
    GString *s = g_string_new(NULL);
    for (unsigned i = 0; (what & PROBE_SIGNS) && i < PROBE_TEXTS; i++)
        g_string_append_printf(s, "\r%s\033[6n", probe_samples[i].text);
    if (what & PROBE_SYNC)
        g_string_append(s, "\033[?2026$p");
    return g_string_append(s, "\033[c\r\033[K");
}

/* One answer, from behind its CSI: its parameters and its last byte. */
static void take(const char *parameters, char last, unsigned *n_places, struct probe *p)
{
    int row, column, mode, value;
    if (last == 'R' && sscanf(parameters, "%d;%d", &row, &column) == 2 && *n_places < PROBE_TEXTS)
        p->columns[(*n_places)++] = column - 1;
    else if (last == 'y' && sscanf(parameters, "?%d;%d$", &mode, &value) == 2 && mode == 2026)
        p->has_sync = value == 1 || value == 2;
    else if (last != 'c' && last != 'R')
        return;
    p->is_answered = true;
}

bool probe_read(const char *bytes, size_t len, struct probe *p)
{
    unsigned n_places = 0;
    *p = (struct probe){.is_answered = false};
    for (size_t i = 0; i + 2 < len; i++) {
        char parameters[32] = "";
        size_t at = i + 2;
        if (bytes[i] != '\033' || bytes[i + 1] != '[')
            continue;
        while (at < len && bytes[at] >= 0x20 && bytes[at] < 0x40)
            at++;
        if (at >= len || at - i - 2 >= sizeof parameters)
            continue;
        memcpy(parameters, bytes + i + 2, at - i - 2);
        take(parameters, bytes[at], &n_places, p);
        if (bytes[at] == 'c' && parameters[0] == '?')
            return true;
    }
    return false;
}

void probe_run(int fd, unsigned what, struct probe *p)
{
    g_autoptr(GString) question = questions(what);
    char answer[MAX_ANSWER];
    size_t got = 0;
    gint64 end = g_get_monotonic_time() + PROBE_MS * G_TIME_SPAN_MILLISECOND;
    tty_write_all(fd, question->str, question->len, PROBE_MS);
    *p = (struct probe){.is_answered = false};
    while (got < sizeof answer) {
        gint64 left_ms = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            return;
        ssize_t n = read(fd, answer + got, sizeof answer - got);
        if (n <= 0 && errno != EINTR && errno != EAGAIN)
            return;
        got += n > 0 ? (size_t)n : 0;
        if (probe_read(answer, got, p))
            return;
    }
}

const char *probe_glyphs(const struct probe *p, const char *wanted)
{
    bool is_told = p->columns[PROBE_UNICODE] && p->columns[PROBE_BLOCKS];
    if (!is_told || g_str_equal(wanted, "ascii"))
        return wanted;
    if (p->columns[PROBE_BLOCKS] != probe_samples[PROBE_BLOCKS].columns)
        return "ascii";
    return p->columns[PROBE_UNICODE] == probe_samples[PROBE_UNICODE].columns ? wanted : "blocks";
}
