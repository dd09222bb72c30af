// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include <glib.h>

#include "base/text.h"

static const struct {
    const char *from, *to;
} cases[] = {
    {"", ""},
    {"scsi0", "scsi0"},
    {"grün ▶ 日本", "grün ▶ 日本"},
    {"a\033[2Jb", "a?[2Jb"},
    {"a\nb\tc\r\x7f", "a?b?c??"},
    {"\xff\xfe", "??"},
    {"cut \xe6\x97", "cut ??"},           /* a character that is not all there */
    {"\xc0\xaf overlong", "?? overlong"}, /* '/' in two bytes */
    {"\xed\xa0\x80 surrogate", "??? surrogate"},
    {"csi \xc2\x9b"
     "31m",
     "csi ?31m"}, /* C1: one '?' for its two bytes */
    {"x\xe2\x80\xae"
     "fdp.exe",
     "x?fdp.exe"}, /* right-to-left override */
    {"a\xe2\x80\xa8"
     "b",
     "a?b"}, /* line separator */
};

static void test_safe(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *copy = text_make_safe(cases[i].from);
        g_autofree char *inplace = g_strdup(cases[i].from);
        text_make_safe_inplace(inplace);
        g_assert_cmpstr(copy, ==, cases[i].to);
        g_assert_cmpstr(inplace, ==, cases[i].to);
        g_assert_true(g_utf8_validate(copy, -1, NULL));
    }
    g_assert_null(text_make_safe(NULL));
    g_autofree char *lines = text_make_lines_safe("one\n\033[2Jtwo\r\n");
    g_assert_cmpstr(lines, ==, "one\n?[2Jtwo?\n");
    g_assert_null(text_make_lines_safe(NULL));
}

static void test_safe_len(void)
{
    g_autofree char *nul = text_make_safe_len("a\0b\xe6\x97\xa5", 6);
    g_autofree char *cut = text_make_safe_len("ab\xe6\x97\xa5", 4); /* must not read the fifth byte */
    g_assert_cmpstr(nul, ==, "a?b日");
    g_assert_cmpstr(cut, ==, "ab??");
}

/* Any bytes come out valid, and no longer. */
static void test_safe_random(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[24];
        unsigned len = (unsigned)g_test_rand_int_range(0, sizeof bytes);
        for (unsigned i = 0; i < len; i++)
            bytes[i] = (char)g_test_rand_int_range(0, 256);
        g_autofree char *safe = text_make_safe_len(bytes, len);
        g_assert_true(g_utf8_validate(safe, -1, NULL));
        g_assert_cmpuint(strlen(safe), <=, len);
        for (const char *p = safe; *p; p++)
            g_assert_false(g_ascii_iscntrl(*p));
    }
}

static void test_cut(void)
{
    const char *text = "aé日😀"; /* 1 + 2 + 3 + 4 bytes */
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < G_N_ELEMENTS(cuts); max++)
        g_assert_cmpuint(text_cut(text, max), ==, cuts[max]);
}

static void test_copy(void)
{
    char field[6];
    g_assert_true(text_copy(field, sizeof field, "ab\nc"));
    g_assert_cmpstr(field, ==, "ab?c");
    g_assert_false(text_copy(field, sizeof field, "aé日😀"));
    g_assert_cmpstr(field, ==, "aé");
    g_assert_true(text_copy(field, sizeof field, NULL));
    g_assert_cmpstr(field, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/safe", test_safe);
    g_test_add_func("/text/safe-len", test_safe_len);
    g_test_add_func("/text/safe-random", test_safe_random);
    g_test_add_func("/text/cut", test_cut);
    g_test_add_func("/text/copy", test_copy);
    return g_test_run();
}
