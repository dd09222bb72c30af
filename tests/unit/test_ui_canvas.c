// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "ui/bar.h"
#include "ui/canvas.h"
#include "ui/figures.h"

static void assert_canvas(struct canvas *c, const char *wanted)
{
    g_autofree char *is = canvas_dump(c);
    g_assert_cmpstr(is, ==, wanted);
    canvas_free(c);
}

static void test_put(void)
{
    struct canvas *c = canvas_new(8, 2, false);
    g_assert_cmpint(canvas_put(c, 0, 0, 8, ROLE_TEXT, "abc"), ==, 3);
    g_assert_cmpint(canvas_put(c, 4, 0, 3, ROLE_TEXT, "defgh"), ==, 3); /* cut, and it shows */
    g_assert_cmpint(canvas_put(c, 6, 1, 99, ROLE_TEXT, "xyz"), ==, 2);  /* the edge cuts too */
    g_assert_cmpint(c->cells[4].role, ==, ROLE_TEXT);
    assert_canvas(c, "abc de…\n      x…\n");
}

static void test_outside(void)
{
    struct canvas *c = canvas_new(4, 1, false);
    static const int places[][2] = {{-1, 0}, {4, 0}, {0, -1}, {0, 1}, {G_MAXINT, 0}, {0, G_MININT}};
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        g_assert_cmpint(canvas_put(c, places[i][0], places[i][1], 5, ROLE_TEXT, "x"), ==, 0);
        canvas_paint(c, places[i][0], places[i][1], 5, ROLE_KEY);
    }
    g_assert_cmpint(canvas_put(c, 0, 0, 0, ROLE_TEXT, "x"), ==, 0);
    g_assert_cmpint(canvas_put(c, 0, 0, -7, ROLE_TEXT, "x"), ==, 0);
    canvas_fill(c, -5, -5, 6, 100, ROLE_TEXT, "#");
    assert_canvas(c, "#\n");
}

static void test_tail_and_number(void)
{
    struct canvas *c = canvas_new(10, 4, false);
    canvas_put_tail(c, 0, 0, 6, ROLE_TEXT, "/mnt/bk/web.vma");
    canvas_put_tail(c, 0, 1, 10, ROLE_TEXT, "/web.vma");
    canvas_put_number(c, 2, 2, 6, ROLE_NUM, "118M");
    canvas_put_number(c, 2, 3, 6, ROLE_NUM, "1234567"); /* half a number would be a lie */
    assert_canvas(c, "…b.vma\n/web.vma\n    118M\n       #\n");
}

static void test_wrapped(void)
{
    struct canvas *c = canvas_new(9, 3, false);
    g_assert_cmpint(canvas_put_wrapped(c, 0, 0, 9, 2, ROLE_TEXT, "one two three four five"), ==, 2);
    g_assert_cmpint(canvas_put_wrapped(c, 0, 2, 9, 0, ROLE_TEXT, "none"), ==, 0);
    assert_canvas(c, "one two\nthree fo…\n\n");
}

static void test_wide(void)
{
    struct canvas *c = canvas_new(6, 3, false);
    g_assert_cmpint(canvas_text_width("数据"), ==, 4);
    g_assert_cmpint(canvas_text_width("e\xcc\x81"), ==, 1); /* e and a combining accent */
    canvas_put(c, 0, 0, 6, ROLE_TEXT, "数据盘");
    canvas_put(c, 1, 0, 1, ROLE_TEXT, "x"); /* the other half cannot stand alone */
    canvas_put(c, 0, 1, 4, ROLE_TEXT, "数据盘");
    canvas_put(c, 5, 2, 1, ROLE_TEXT, "数"); /* no room for half of it */
    assert_canvas(c, " x据盘\n数…\n     …\n");
}

static void test_ascii(void)
{
    struct canvas *c = canvas_new(20, 1, true);
    canvas_put(c, 0, 0, 20, ROLE_TEXT, "a—b…ü数\033[2J");
    assert_canvas(c, "a-b~??[2J\n"); /* Esc itself has no width, and is not put */
}

static void test_pen(void)
{
    struct canvas *c = canvas_new(12, 1, false);
    struct pen pen = pen_at(c, 1, 0, 99);
    g_assert_true(pen_right(&pen, ROLE_NUM, "%d%%", 42));
    pen_text(&pen, ROLE_TEXT, "%s", "abcd");
    pen_gap(&pen, 1);
    g_assert_false(pen_try(&pen, ROLE_TEXT, "wxyz"));
    g_assert_true(pen_try(&pen, ROLE_TEXT, "xy"));
    g_assert_false(pen_right(&pen, ROLE_TEXT, "zz"));
    assert_canvas(c, " abcd xy 42%\n");
}

/* ---- bars and figures ---- */

static void assert_bar(const char *glyphs, uint64_t part, uint64_t whole, const char *wanted)
{
    struct canvas *c = canvas_new(4, 1, strcmp(glyphs, "ascii") == 0);
    bar_draw(c, 0, 0, 4, glyphs_find(glyphs), part, whole, ROLE_BAR_FILL);
    assert_canvas(c, wanted);
}

static void test_bars(void)
{
    assert_bar("unicode", 0, 100, "░░░░\n");
    assert_bar("unicode", 1, 1000000, "▏░░░\n"); /* something is not nothing */
    assert_bar("unicode", 50, 100, "██░░\n");
    assert_bar("unicode", 99999, 100000, "███▉\n"); /* and not yet all is not all */
    assert_bar("unicode", 100, 100, "████\n");
    assert_bar("unicode", UINT64_MAX - 1, UINT64_MAX, "░░░░\n"); /* an unknown whole */
    assert_bar("unicode", UINT64_MAX - 2, UINT64_MAX - 1, "███▉\n");
    assert_bar("ascii", 74, 100, "##..\n");
    assert_bar("blocks", 40, 100, "█▌░░\n");
    assert_bar("ascii", 5, 0, "....\n");
}

static void test_figures(void)
{
    char text[FIGURE_LEN];
    g_assert_cmpstr(figure_percent(9999, 10000, "-", text), ==, "99.9%");
    g_assert_cmpstr(figure_percent(1, 1, "-", text), ==, "100%");
    g_assert_cmpstr(figure_percent(1, 0, "-", text), ==, "-");
    g_assert_cmpstr(figure_percent(UINT64_MAX - 2, UINT64_MAX - 1, "-", text), ==, "99.9%");
    g_assert_cmpstr(figure_percent_short(619, 1000, "-", text), ==, "61%");
    g_assert_cmpstr(figure_elapsed(761000, text), ==, "12:41");
    g_assert_cmpstr(figure_elapsed(3723000, text), ==, "1:02:03");
    g_assert_cmpstr(figure_short_time(214000, "-", text), ==, "3:34");
    g_assert_cmpstr(figure_short_time(3723000, "-", text), ==, "1h02m");
    g_assert_cmpstr(figure_short_time(UINT64_MAX - 1, "-", text), ==, ">99h");
    g_assert_cmpstr(figure_estimate(44600, "-", text), ==, "~45 s");
    g_assert_cmpstr(figure_estimate(287000, "-", text), ==, "~4m50s");
    g_assert_cmpstr(figure_estimate(1080000, "-", text), ==, "~18 min");
    g_assert_cmpstr(figure_estimate(7800000, "-", text), ==, "~2h10m");
    g_assert_cmpstr(figure_estimate(MODEL_UNKNOWN, "—", text), ==, "—");
    g_assert_cmpstr(figure_ratio(214, 100, "-", text), ==, "2.14:1");
    g_assert_cmpstr(figure_ratio(100, 0, "-", text), ==, "-");
    g_assert_cmpstr(figure_exact(157286400, text), ==, "157 286 400");
    g_assert_cmpstr(figure_exact(UINT64_MAX, text), ==, "18 446 744 073 709 551 615");
    strcpy(text, "—");
    g_assert_cmpstr(figure_pad(text, 4), ==, "   —");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/canvas/put", test_put);
    g_test_add_func("/ui/canvas/outside", test_outside);
    g_test_add_func("/ui/canvas/tail-and-number", test_tail_and_number);
    g_test_add_func("/ui/canvas/wrapped", test_wrapped);
    g_test_add_func("/ui/canvas/wide", test_wide);
    g_test_add_func("/ui/canvas/ascii", test_ascii);
    g_test_add_func("/ui/canvas/pen", test_pen);
    g_test_add_func("/ui/canvas/bars", test_bars);
    g_test_add_func("/ui/canvas/figures", test_figures);
    return g_test_run();
}
