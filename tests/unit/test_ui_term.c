// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames through curses, memory and a socket into libvterm: what the terminal shows is what was drawn, and no
 * frame costs more bytes than it may.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vterm.h>

#include "ui/keymap.h"
#include "ui_rig.h"

static void assert_shown(struct rig *r)
{
    g_autofree char *wanted = canvas_dump(r->canvas), *is = shown(r);
    g_assert_cmpstr(is, ==, wanted);
}

static void test_same_text(void)
{
    static const struct {
        int width, height;
        const char *glyphs, *type;
    } cases[] = {
        {80, 24, "unicode", "xterm-256color"}, {120, 36, "unicode", "tmux-256color"}, {40, 12, "unicode", "linux"},
        {80, 24, "ascii", "tmux-256color"},    {20, 3, "unicode", "xterm"},           {80, 24, "unicode", "vt100"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct model m;
        scene_copy(&m);
        struct rig r = rig_open(cases[i].width, cases[i].height, cases[i].glyphs, cases[i].type, false);
        frame(&r, &m, SCENE_NOW_S);
        assert_shown(&r);
        m.link.data_age_ms = 100;
        m.drives[2].done += 5 * G;
        r.ui.selected = 3;
        frame(&r, &m, SCENE_NOW_S + 1);
        assert_shown(&r);
        rig_close(&r);
        model_clear(&m);
    }
}

/* All that stands there moves down by a line: whoever scrolls it must know how many lines there are. */
static void test_tall(void)
{
    struct rig r = rig_open(120, 36, "unicode", "xterm-256color", false);
    for (int moved = 0; moved < 2; moved++) {
        canvas_clear(r.canvas);
        for (int y = 0; y + moved < r.canvas->height; y++) {
            g_autofree char *text = g_strnfill(110, (char)('A' + y));
            canvas_put(r.canvas, 0, y + moved, 110, ROLE_TEXT, text);
        }
        g_assert_true(term_draw(r.term, r.canvas));
        while (!term_pump(r.term))
            receive(&r);
        receive(&r);
        assert_shown(&r);
    }
    rig_close(&r);
}

/* The figures that change each half second in a run. */
static void advance(struct model *m, unsigned tick)
{
    m->link.data_age_ms = 100 + tick * 137 % 800;
    m->elapsed_ms += 500;
    m->done += 200 * M;
    m->in_rate = (412 + tick * 37 % 50) * M;
    m->out_rate = (123 + tick * 17 % 15) * M;
    m->sink.written += 60 * M;
    for (unsigned i = 0; i < m->n_drives; i++) {
        struct model_drive *d = &m->drives[i];
        if (d->state != MODEL_RUN)
            continue;
        d->done += 60 * M;
        d->rate += (tick % 7) * M;
        d->eta_ms -= 500;
    }
}

static void assert_budget(int width, int height, size_t first_max, size_t tick_max)
{
    struct model m;
    scene_copy(&m);
    struct rig r = rig_open(width, height, "unicode", "xterm-256color", false);
    scene_watch(&r.ui, &m);
    size_t first = frame(&r, &m, SCENE_NOW_S);
    g_assert_cmpuint(first, >, 100);
    g_assert_cmpuint(first, <=, first_max);
    g_assert_cmpuint(frame(&r, &m, SCENE_NOW_S), ==, 0); /* nothing new: nothing sent */
    for (unsigned tick = 1; tick < 20; tick++) {
        advance(&m, tick);
        ui_tick(&r.ui, &m, 180000 + (int64_t)tick * 500); /* the graph moves on once a second */
        size_t sent = frame(&r, &m, SCENE_NOW_S + tick / 2);
        g_assert_cmpuint(sent, >, 0);
        g_test_message("%dx%d: %zu bytes", width, height, sent);
        g_assert_cmpuint(sent, <=, tick_max);
    }
    rig_close(&r);
    model_clear(&m);
}

static void test_budgets(void)
{
    assert_budget(80, 24, 10000, 500);
    assert_budget(120, 36, 10000, 1200);
}

/* A terminal that takes nothing: frames are dropped, nothing waits, and afterwards the picture is right. */
static void test_stalled(void)
{
    struct model m;
    scene_copy(&m);
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    char full[4096] = {0};
    while (write(r.ours, full, sizeof full) > 0)
        ;
    g_assert_cmpint(errno, ==, EAGAIN);
    ui_draw(&r.ui, &m, SCENE_NOW_S, r.canvas);
    g_assert_true(term_draw(r.term, r.canvas));
    g_assert_false(term_pump(r.term));
    size_t pending = term_pending(r.term);
    g_assert_cmpuint(pending, >, 0);
    for (int i = 0; i < 10; i++) {
        advance(&m, 1);
        ui_draw(&r.ui, &m, SCENE_NOW_S, r.canvas);
        g_assert_false(term_draw(r.term, r.canvas));
    }
    g_assert_cmpuint(term_pending(r.term), ==, pending); /* none of them piled up */
    receive(&r);
    while (!term_pump(r.term))
        receive(&r);
    frame(&r, &m, SCENE_NOW_S);
    assert_shown(&r);
    rig_close(&r);
    model_clear(&m);
}

/* Cells in another colour than the terminal's own, and those in reverse. */
static void count_cells(struct rig *r, unsigned *coloured, unsigned *reversed)
{
    VTermScreen *screen = vterm_obtain_screen(r->vterm);
    *coloured = *reversed = 0;
    for (int i = 0; i < r->canvas->width * r->canvas->height; i++) {
        VTermPos at = {.row = i / r->canvas->width, .col = i % r->canvas->width};
        VTermScreenCell cell;
        vterm_screen_get_cell(screen, at, &cell);
        *coloured += !VTERM_COLOR_IS_DEFAULT_FG(&cell.fg) || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg);
        *reversed += cell.attrs.reverse;
    }
}

static void test_colours(void)
{
    struct model m;
    unsigned coloured, reversed;
    scene_copy(&m);
    for (int is_mono = 0; is_mono < 2; is_mono++) {
        struct rig r = rig_open(80, 24, "unicode", "xterm-256color", is_mono);
        frame(&r, &m, SCENE_NOW_S);
        count_cells(&r, &coloured, &reversed);
        g_assert_cmpint(coloured > 0, ==, !is_mono);
        g_assert_cmpuint(reversed, >, 4); /* the selection is seen either way */
        rig_close(&r);
    }
    model_clear(&m);
}

/* The bytes of a first frame. */
static GString *first_frame(struct rig *r)
{
    GString *all = g_string_new(NULL);
    struct model m;
    char bytes[4096];
    ssize_t n;
    scene_copy(&m);
    ui_draw(&r->ui, &m, SCENE_NOW_S, r->canvas);
    g_assert_true(term_draw(r->term, r->canvas));
    bool is_done;
    do {
        is_done = term_pump(r->term);
        while ((n = read(r->theirs, bytes, sizeof bytes)) > 0)
            g_string_append_len(all, bytes, n);
    } while (!is_done);
    model_clear(&m);
    return all;
}

/* Any colour where the terminal takes it, and never its palette. */
static void test_rgb(void)
{
    struct term_options options = {.type = "xterm-256color", .width = 80, .height = 24, .has_rgb = true};
    struct rig r = rig_open_with(options, "unicode");
    struct theme dark;
    bool has_direct = system("infocmp xterm-direct > /dev/null 2>&1") == 0; /* its entry may not be installed */
    g_assert_true(theme_parse(theme_builtin("dark"), "dark", &dark, NULL));
    term_theme(r.term, &dark);
    g_autoptr(GString) bytes = first_frame(&r);
    g_assert_nonnull(strstr(bytes->str, has_direct ? "48:2::18:22:28m" : "48;5;233m"));
    g_assert_null(strstr(bytes->str, "\033]4;"));
    rig_close(&r);
}

/* A frame is held back until it is whole where the terminal can do that; an empty one still costs nothing. */
static void test_sync(void)
{
    struct term_options options = {.type = "xterm-256color", .width = 80, .height = 24, .has_sync = true};
    struct rig r = rig_open_with(options, "unicode");
    g_autoptr(GString) bytes = first_frame(&r);
    g_assert_true(g_str_has_prefix(bytes->str, "\033[?2026h"));
    g_assert_true(g_str_has_suffix(bytes->str, "\033[?2026l"));
    g_assert_true(term_draw(r.term, r.canvas));
    g_assert_cmpuint(term_pending(r.term), ==, 0);
    g_assert_nonnull(strstr(term_farewell(r.term), "\033[?2026l"));
    rig_close(&r);
}

/* Off until it is asked for; then a press and the wheel are keys, and the farewell ends it. */
static void test_mouse(void)
{
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    uint32_t key = 0;
    int x, y;
    g_autoptr(GString) before = first_frame(&r);
    g_assert_null(strstr(before->str, "\033[?1000h"));
    term_mouse(r.term, true);
    g_assert_true(term_draw(r.term, r.canvas));
    char bytes[512] = "";
    term_pump(r.term);
    g_assert_cmpint(read(r.theirs, bytes, sizeof bytes - 1), >, 0);
    g_assert_nonnull(strstr(bytes, "1000h"));
    g_assert_cmpint(write(r.theirs, "\033[<65;10;10M", 12), ==, 12);
    g_assert_true(term_key(r.term, &key));
    g_assert_cmphex(key, ==, UI_KEY_WHEEL_DOWN);
    g_assert_cmpint(write(r.theirs, "\033[<0;11;4M", 10), ==, 10);
    g_assert_true(term_key(r.term, &key));
    g_assert_cmphex(key, ==, UI_KEY_PRESS);
    term_press(r.term, &x, &y);
    g_assert_cmpint(x, ==, 10);
    g_assert_cmpint(y, ==, 3);
    g_assert_nonnull(strstr(term_farewell(r.term), "1000l"));
    rig_close(&r);
}

/* A title is the operator's wish; what was there before comes back. */
static void test_title(void)
{
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    char bytes[4096] = "";
    term_title(r.term, "26% web-01");
    term_pump(r.term);
    g_assert_cmpint(read(r.theirs, bytes, sizeof bytes - 1), >, 0);
    g_assert_cmpstr(bytes, ==, "\033[22;2t\033]2;26% web-01\033\\");
    g_autoptr(GString) frame_bytes = first_frame(&r);
    term_leave(r.term);
    memset(bytes, 0, sizeof bytes);
    g_assert_cmpint(read(r.theirs, bytes, sizeof bytes - 1), >, 0);
    g_assert_true(g_str_has_suffix(bytes, "\033[23;2t"));
    rig_close(&r);
}

static void test_keys(void)
{
    static const struct {
        const char *bytes;
        uint32_t key;
    } keys[] = {
        {"x", 'x'},
        {"\r", UI_KEY_ENTER},
        {"\033OA", UI_KEY_UP},
        {"\033[6~", UI_KEY_PAGE_DOWN},
        {"\033", UI_KEY_ESC},
        {"\177", UI_KEY_BACKSPACE},
        {"\014", UI_KEY_CTRL_L},
        {"ö", 0xf6},
        {"\033[?2026;2$y\033[?64;1;2cq", 'q'}, /* late answers are no keys */
    };
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        uint32_t key = 0;
        g_assert_false(term_key(r.term, &key));
        g_assert_cmpint(write(r.theirs, keys[i].bytes, strlen(keys[i].bytes)), >, 0);
        g_assert_true(term_key(r.term, &key));
        g_assert_cmphex(key, ==, keys[i].key);
    }
    rig_close(&r);
}

static void test_resize(void)
{
    struct model m;
    uint32_t key;
    scene_copy(&m);
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    frame(&r, &m, SCENE_NOW_S);
    term_resize(r.term, 100, 30);
    vterm_set_size(r.vterm, 30, 100);
    canvas_resize(r.canvas, 100, 30);
    frame(&r, &m, SCENE_NOW_S);
    assert_shown(&r);
    g_assert_false(term_key(r.term, &key)); /* the resize is no key */
    rig_close(&r);
    model_clear(&m);
}

/* Screens that cannot be: no crash, a sentence. */
static void test_unusable(void)
{
    static const char *const types[] = {"dumb", "", "no-such-terminal"};
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autoptr(GError) error = NULL;
        int pair[2];
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
        struct term_options options = {.fd = pair[0], .type = types[i], .width = 80, .height = 24};
        g_assert_null(term_new(&options, &error));
        g_assert_nonnull(strstr(error->message, "TERM"));
        close(pair[0]);
        close(pair[1]);
    }
}

static void test_farewell(void)
{
    struct rig r = rig_open(80, 24, "unicode", "xterm-256color", false);
    const char *farewell = term_farewell(r.term);
    g_assert_nonnull(strstr(farewell, "\033[?1049l"));        /* back from the alternate screen, */
    g_assert_nonnull(strstr(farewell, "\033[?12l\033[?25h")); /* with a cursor */
    rig_close(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 77;
    g_unsetenv("LINES");
    g_unsetenv("COLUMNS");
    g_test_add_func("/ui/term/tall", test_tall);
    g_test_add_func("/ui/term/same-text", test_same_text);
    g_test_add_func("/ui/term/budgets", test_budgets);
    g_test_add_func("/ui/term/stalled", test_stalled);
    g_test_add_func("/ui/term/colours", test_colours);
    g_test_add_func("/ui/term/rgb", test_rgb);
    g_test_add_func("/ui/term/sync", test_sync);
    g_test_add_func("/ui/term/mouse", test_mouse);
    g_test_add_func("/ui/term/title", test_title);
    g_test_add_func("/ui/term/keys", test_keys);
    g_test_add_func("/ui/term/resize", test_resize);
    g_test_add_func("/ui/term/unusable", test_unusable);
    g_test_add_func("/ui/term/farewell", test_farewell);
    return g_test_run();
}
