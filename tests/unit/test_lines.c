// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include <string.h>

#include "base/lines.h"

struct seen {
    GString *all;
    struct lines *lines; /* freed at the second line, where set */
    unsigned n;
};

static void on_line(void *user, const char *line, size_t len)
{
    struct seen *s = user;
    g_string_append_printf(s->all, "[%s]", line ? line : "NULL");
    g_assert_cmpuint(len, ==, line ? strlen(line) : 0);
    if (++s->n == 2)
        g_clear_pointer(&s->lines, lines_free);
}

/* However the bytes are split, the lines are the same. */
static void test_split(void)
{
    static const char text[] = "one\n\n0123456789\n0123456789x\nlast\nrest";
    for (size_t step = 1; step <= strlen(text); step++) {
        struct seen s = {.all = g_string_new(NULL)};
        struct lines *l = lines_new(10, on_line, &s);
        for (size_t at = 0; at < strlen(text); at += step)
            lines_feed(l, text + at, MIN(step, strlen(text) - at));
        g_assert_cmpstr(s.all->str, ==, "[one][][0123456789][NULL][last]");
        lines_free(l);
        g_string_free(s.all, TRUE);
    }
}

static void test_freed_inside(void)
{
    struct seen s = {.all = g_string_new(NULL)};
    s.lines = lines_new(10, on_line, &s);
    lines_feed(s.lines, "a\nb\nc\n", 6);
    g_assert_cmpstr(s.all->str, ==, "[a][b]");
    g_string_free(s.all, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lines/split", test_split);
    g_test_add_func("/lines/freed-inside", test_freed_inside);
    return g_test_run();
}
