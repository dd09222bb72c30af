// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every screen as a text file in tests/screens/. After a wanted change look at each difference, then
 * GENERATE=1 build/dev/tests/test_ui_screens writes them anew.
 */
#include <string.h>

#include "ui_scenes.h"

static char *drawn(const struct ui *ui, const struct model *m, int width, int height)
{
    struct canvas *c = canvas_new(width, height, ui->glyphs->is_ascii);
    ui_draw(ui, m, SCENE_NOW_S, c);
    char *text = canvas_dump(c);
    canvas_free(c);
    return text;
}

static void assert_screen(const struct ui *ui, const struct model *m, const char *name, int width, int height)
{
    g_autofree char *file = g_strdup_printf("%s-%dx%d-%s.txt", name, width, height, ui->glyphs->name);
    g_autofree char *path = g_build_filename(TEST_DATA, "screens", file, NULL);
    g_autofree char *is = drawn(ui, m, width, height), *wanted = NULL;
    if (g_getenv("GENERATE")) {
        g_assert_true(g_file_set_contents(path, is, -1, NULL));
        return;
    }
    g_assert_true(g_file_get_contents(path, &wanted, NULL, NULL));
    if (!g_str_equal(is, wanted))
        g_error("%s is no longer what is drawn:\n%s", file, is);
}

/* A screen in the sizes and glyphs that are kept; row: the selected one. */
static void assert_sizes(const struct model *m, const char *name, unsigned row, bool is_main)
{
    static const struct {
        int width, height;
    } sizes[] = {{80, 24}, {120, 36}, {40, 12}, {48, 14}, {20, 3}, {200, 60}};
    static const char *const sets[] = {"unicode", "ascii", "blocks"};
    struct ui ui;
    for (unsigned g = 0; g < (is_main ? 3 : 2); g++) {
        ui_init(&ui, glyphs_find(sets[g]));
        ui.selected = row;
        for (unsigned i = 0; i < (is_main ? G_N_ELEMENTS(sizes) : 1); i++)
            if (g < 2 || i == 0)
                assert_screen(&ui, m, name, sizes[i].width, sizes[i].height);
    }
}

static void test_main(void)
{
    struct model m;
    scene_copy(&m);
    assert_sizes(&m, "main", 2, true);
    model_clear(&m);
}

static void test_main_trouble(void)
{
    struct model m;
    scene_copy(&m);
    m.is_monitor_lost = true;
    m.data_age_ms = 12000;
    assert_sizes(&m, "main-lost", 2, false);
    m.is_monitor_lost = false;
    m.is_target_full = true;
    m.free_bytes = 0;
    m.need_bytes = 12 * G;
    m.drives[2].is_paused_by_target = true;
    assert_sizes(&m, "main-full", 2, false);
    model_clear(&m);
}

static void test_connect(void)
{
    struct model m;
    scene_connect(&m, false);
    assert_sizes(&m, "connect", 0, false);
    model_clear(&m);
    scene_connect(&m, true);
    assert_sizes(&m, "connect-failed", 0, false);
    model_clear(&m);
}

static void test_plan(void)
{
    struct model m;
    scene_plan(&m);
    assert_sizes(&m, "plan", 2, false);
    model_clear(&m);
}

static void test_finished(void)
{
    struct model m;
    scene_finished(&m, true);
    assert_sizes(&m, "finished", 0, false);
    model_clear(&m);
    scene_finished(&m, false);
    assert_sizes(&m, "finished-incomplete", 5, false);
    model_clear(&m);
    scene_copy(&m); /* no archive: no row is saved, however far it came */
    m.phase = MODEL_DONE;
    m.exit_status = 4;
    model_set(m.outcome, "backup cancelled by operator; the guest goes on as before");
    assert_sizes(&m, "finished-cancelled", 0, false);
    model_clear(&m);
}

static void type(struct ui *ui, const struct model *m, const char *keys)
{
    for (; *keys; keys++)
        ui_key(ui, (uint32_t)*keys, m, ui->now_ms + UI_DIALOG_DEAF_MS);
}

static void test_overlays(void)
{
    static const struct {
        const char *name, *keys;
        int width, height;
    } shots[] = {
        {"help", "?", 80, 24},         {"help", "?", 40, 12},
        {"log", "l", 80, 24},          {"limit", "s150M", 80, 24},
        {"limit-bad", "s15o", 80, 24}, {"limit-all", "S+10%", 80, 24},
        {"limit", "s150M", 40, 12},    {"limit-bad", "s15o", 20, 3},
        {"cancel", "Cweb-0", 80, 24},  {"cancel-sure", "Cweb-01", 80, 24},
        {"cancel", "Cweb-0", 40, 12},  {"cancel", "Cweb-0", 20, 3},
        {"quit", "q", 80, 24},         {"quit", "q", 20, 3},
        {"unknown-key", "X", 80, 24},
    };
    static const char *const sets[] = {"unicode", "ascii"};
    for (unsigned i = 0; i < G_N_ELEMENTS(shots) * 2; i++) {
        struct model m;
        struct ui ui;
        scene_copy(&m);
        ui_init(&ui, glyphs_find(sets[i % 2]));
        ui.selected = 2;
        type(&ui, &m, shots[i / 2].keys);
        assert_screen(&ui, &m, shots[i / 2].name, shots[i / 2].width, shots[i / 2].height);
        model_clear(&m);
    }
}

/* ---- every size ---- */

static void open_help(struct ui *ui, const struct model *m)
{
    type(ui, m, "?");
}
static void open_log(struct ui *ui, const struct model *m)
{
    type(ui, m, "l");
}
static void open_limit(struct ui *ui, const struct model *m)
{
    type(ui, m, "s1.5x");
}
static void open_cancel(struct ui *ui, const struct model *m)
{
    type(ui, m, "Cweb-01");
}
static void open_quit(struct ui *ui, const struct model *m)
{
    type(ui, m, "q");
}
static void open_none(struct ui *ui, const struct model *m)
{
    type(ui, m, "X");
}
static void (*const overlays[])(struct ui *, const struct model *) = {open_none,  open_help,   open_log,
                                                                      open_limit, open_cancel, open_quit};

/* Each line within the width, and as many as there are. */
static void assert_fits(const char *text, int width, int height)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpint((int)g_strv_length(lines), ==, height + 1);
    for (int i = 0; i < height; i++)
        g_assert_cmpint(canvas_text_width(lines[i]), <=, width);
}

/* Selected row and message are there wherever there are three lines. */
static void assert_essentials(const char *text, const struct ui *ui, const struct model *m, int width,
                              int height)
{
    if (height < 3 || width < 12)
        return;
    g_autofree char *name = g_strndup(m->drives[ui->selected].name, 4);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool has_row = false, has_message = false;
    for (unsigned i = 0; lines[i]; i++) {
        has_row |= g_str_has_prefix(lines[i], ui->glyphs->cursor) && strstr(lines[i], name);
        has_message |= strstr(lines[i], "X does") != NULL;
    }
    if (!has_row || !has_message)
        g_error("%dx%d: no selected row or no message:\n%s", width, height, text);
}

static void test_all_sizes(void)
{
    struct model scenes[5];
    scene_copy(&scenes[0]);
    scene_plan(&scenes[1]);
    scene_connect(&scenes[2], true);
    scene_finished(&scenes[3], false);
    scene_copy(&scenes[4]);
    for (int i = 0; i < 40; i++) /* more rows than lines, long and wide names */
        scene_drive(&scenes[4], i % 2 ? "数据磁盘-with-a-very-long-name-indeed" : "d", UINT64_MAX / 64, i,
                    MODEL_RUN, 1);
    struct ui ui;
    for (unsigned o = 0; o < G_N_ELEMENTS(overlays) * 5; o++) {
        const struct model *m = &scenes[o % 5];
        ui_init(&ui, glyphs_find(o % 2 ? "unicode" : "ascii"));
        ui_tick(&ui, m, 0);
        ui.selected = m->n_drives / 2;
        overlays[o / 5](&ui, m);
        for (int width = 1; width <= 130; width += o == 0 ? 1 : 3)
            for (int height = 1; height <= 45; height += o && height > 16 ? 4 : 1) {
                g_autofree char *text = drawn(&ui, m, width, height);
                assert_fits(text, width, height);
                if (o < 5 && m->n_drives)
                    assert_essentials(text, &ui, m, width, height);
                if (ui.glyphs->is_ascii)
                    for (const char *at = text; *at; at++)
                        g_assert_cmpint(*at & 0x80, ==, 0);
            }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(scenes); i++)
        model_clear(&scenes[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/screens/main", test_main);
    g_test_add_func("/ui/screens/main-trouble", test_main_trouble);
    g_test_add_func("/ui/screens/connect", test_connect);
    g_test_add_func("/ui/screens/plan", test_plan);
    g_test_add_func("/ui/screens/finished", test_finished);
    g_test_add_func("/ui/screens/overlays", test_overlays);
    g_test_add_func("/ui/screens/all-sizes", test_all_sizes);
    return g_test_run();
}
