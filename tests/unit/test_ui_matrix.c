// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The screens an operator lives in, at five sizes, in Unicode and in ASCII, with colours and without, as a
 * terminal (libvterm) shows them. One file per screen and size holds all four: the text, and below it what
 * its cells look like.
 *
 *     c r g y m w  the eight colours; in capitals: bold     + bold     # reverse     _ underlined     @ bold
 * and reverse
 */
#include <locale.h>
#include <string.h>

#include "ui_golden.h"
#include "ui_rig.h"

struct shot {
    const char *name, *keys;
    void (*scene)(struct model *m);
    unsigned row;
};

static void scene_finished_well(struct model *m)
{
    scene_finished(m, true);
}

static char look_of(const VTermScreenCell *cell)
{
    static const char ansi[] = "krgybmcwkrgybmcw", plain[] = " +#@";
    const VTermColor *fg = &cell->fg;
    if (cell->attrs.underline)
        return '_';
    if (VTERM_COLOR_IS_DEFAULT_FG(fg))
        return plain[(cell->attrs.bold ? 1 : 0) + (cell->attrs.reverse ? 2 : 0)];
    if (cell->attrs.reverse)
        return '%';
    char letter = VTERM_COLOR_IS_INDEXED(fg) && fg->indexed.idx < 16 ? ansi[fg->indexed.idx] : 'x';
    return cell->attrs.bold ? g_ascii_toupper(letter) : letter;
}

/* "  3 |      ++++   cccc": only lines on which something is not plain. */
static void append_looks(GString *out, struct rig *r)
{
    VTermScreen *screen = vterm_obtain_screen(r->vterm);
    for (int y = 0; y < r->canvas->height; y++) {
        g_autoptr(GString) line = g_string_new(NULL);
        for (int x = 0; x < r->canvas->width; x++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(screen, (VTermPos){.row = y, .col = x}, &cell);
            g_string_append_c(line, look_of(&cell));
        }
        g_strchomp(line->str);
        if (*line->str)
            g_string_append_printf(out, "%3d |%s\n", y + 1, line->str);
    }
}

static void append_variant(GString *out, const struct shot *shot, int width, int height, const char *glyphs,
                           bool is_mono)
{
    struct model m;
    shot->scene(&m);
    struct rig r = rig_open(width, height, glyphs, "tmux-256color", is_mono);
    enum model_phase phase = m.phase;
    m.phase = MODEL_COPY; /* what was seen while it ran */
    scene_watch(&r.ui, &m);
    m.phase = phase;
    r.ui.selected = shot->row;
    for (const char *key = shot->keys; *key; key++)
        ui_key(&r.ui, *key == '\n' ? UI_KEY_ENTER : (uint32_t)*key, &m, r.ui.now_ms + UI_DIALOG_DEAF_MS);
    frame(&r, &m, SCENE_NOW_S);
    g_autofree char *drawn = canvas_dump(r.canvas), *text = shown(&r);
    g_assert_cmpstr(text, ==, drawn); /* the terminal shows what was drawn */
    if (!is_mono)
        g_string_append_printf(out, "=== %s\n%s", glyphs, text);
    g_string_append_printf(out, "--- %s, %s\n", glyphs, is_mono ? "mono" : "256 colours");
    append_looks(out, &r);
    rig_close(&r);
    model_clear(&m);
}

static void assert_shot(const struct shot *shot)
{
    static const struct {
        int width, height;
    } sizes[] = {{40, 12}, {48, 14}, {80, 24}, {120, 36}, {200, 60}};
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        for (int variant = 0; variant < 4; variant++)
            append_variant(out, shot, sizes[i].width, sizes[i].height, variant < 2 ? "unicode" : "ascii", variant % 2);
        golden_check(shot->name, sizes[i].width, sizes[i].height, out->str);
    }
}

static void test_main(void)
{
    assert_shot(&(struct shot){"main", "", scene_copy, 2});
}
static void test_detail(void)
{
    assert_shot(&(struct shot){"detail", "\n", scene_copy, 2});
}
static void test_limit(void)
{
    assert_shot(&(struct shot){"limit", "s150M", scene_copy, 2});
}
static void test_finished(void)
{
    assert_shot(&(struct shot){"finished", "", scene_finished_well, 0});
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 77;
    g_unsetenv("LINES");
    g_unsetenv("COLUMNS");
    g_test_add_func("/ui/matrix/main", test_main);
    g_test_add_func("/ui/matrix/detail", test_detail);
    g_test_add_func("/ui/matrix/limit", test_limit);
    g_test_add_func("/ui/matrix/finished", test_finished);
    return g_test_run();
}
