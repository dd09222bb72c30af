// SPDX-License-Identifier: GPL-2.0-or-later
/* The terminfo entries that are tried for a terminal, nearest first. */
#include "ui/term_type.h"

static void test_kin(void)
{
    static const struct {
        const char *type, *tried;
    } cases[] = {
        {"xterm-kitty", "xterm-kitty xterm-256color xterm"},
        {"xterm-ghostty", "xterm-ghostty xterm-256color xterm"},
        {"alacritty", "alacritty xterm-256color xterm"},
        {"st-256color", "st-256color xterm-256color xterm"},
        {"tmux-direct", "tmux-direct tmux-256color screen-256color screen"},
        {"screen.xterm-new", "screen.xterm-new screen-256color screen"},
        {"Eterm-88color", "Eterm-88color xterm-256color xterm"},
        {"vt220-w", "vt220-w vt220 vt100"},
        {"no-such-terminal", "no-such-terminal"},
        {"stterm", "stterm"}, /* begins like one, and is none */
        {"dumb", "dumb"},
        {"two words", ""},
        {"", ""},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) types = term_types(cases[i].type);
        g_autofree char *tried = g_strjoinv(" ", types);
        g_assert_cmpstr(tried, ==, cases[i].tried);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/term-type/kin", test_kin);
    return g_test_run();
}
