// SPDX-License-Identifier: GPL-2.0-or-later
/* What a press of the mouse does: what it is pressed on says which key it is. */
#include <string.h>

#include "ui/screen.h"
#include "ui_scenes.h"

struct desk {
    struct model m;
    struct ui ui;
    struct canvas *canvas;
    int64_t now_ms;
};

static void desk_open(struct desk *d, void (*scene)(struct model *))
{
    *d = (struct desk){.now_ms = 1000, .canvas = canvas_new(80, 24, false)};
    scene(&d->m);
    ui_init(&d->ui, glyphs_find("unicode"));
    ui_tick(&d->ui, &d->m, d->now_ms);
}

static void desk_close(struct desk *d)
{
    canvas_free(d->canvas);
    model_clear(&d->m);
}

static struct ui_action key(struct desk *d, uint32_t key)
{
    d->now_ms += UI_DIALOG_DEAF_MS;
    return ui_key(&d->ui, key, &d->m, d->now_ms);
}

/* Where the text stands; its last place. */
static bool find(const struct desk *d, const char *text, int *x, int *y)
{
    g_autofree char *all = canvas_dump(d->canvas);
    g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
    bool is_there = false;
    for (int i = 0; lines[i]; i++) {
        const char *at = strstr(lines[i], text);
        if (!at)
            continue;
        is_there = true;
        *y = i;
        *x = (int)g_utf8_strlen(lines[i], at - lines[i]);
    }
    return is_there;
}

/* As on the last frame; a press on what is no key does nothing. */
static struct ui_action press(struct desk *d, const char *text)
{
    int x = 0, y = 0;
    ui_draw(&d->ui, &d->m, SCENE_NOW_S, d->canvas);
    if (!find(d, text, &x, &y))
        g_error("no '%s' on the screen", text);
    uint32_t link = canvas_link_at(d->canvas, x, y);
    return link ? key(d, link) : (struct ui_action){UI_NOTHING};
}

static void test_rows(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    press(&d, "run   scsi2");
    g_assert_cmpstr(d.m.drives[d.ui.selected].name, ==, "scsi2");
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    press(&d, "run   scsi2"); /* what is selected is opened */
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_DETAIL);
    press(&d, "size"); /* nothing of it leads anywhere, */
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_DETAIL);
    press(&d, "?Help"); /* but the keys below it do */
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_HELP);
    d.m.n_drives = 1; /* a row that is gone meanwhile */
    key(&d, UI_KEY_ROW + 5);
    g_assert_cmpuint(d.ui.selected, <, 5);
    desk_close(&d);
}

static void test_bar(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    press(&d, "run   scsi2");
    g_assert_cmpint(press(&d, "p Pause").command.verb, ==, COMMAND_PAUSE);
    press(&d, "q Quit");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_QUIT);
    desk_close(&d);
}

/* A dialog wants its answer by a key: what can harm is not done by a press that went astray. */
static void test_dialog(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    press(&d, "run   scsi2");
    press(&d, "c Cancel");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_DROP);
    ui_draw(&d.ui, &d.m, SCENE_NOW_S, d.canvas);
    for (int i = 0; i < 80 * 24; i++)
        g_assert_cmpuint(d.canvas->cells[i].link, ==, 0);
    key(&d, UI_KEY_ROW);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_DROP);
    desk_close(&d);
}

static void test_themes(void)
{
    struct desk d;
    g_autoptr(GArray) themes = theme_list(NULL);
    desk_open(&d, scene_copy);
    d.ui.themes = themes;
    g_assert_cmpint(key(&d, 't').does, ==, UI_LOAD_THEMES);
    struct ui_action a = press(&d, "contrast");
    g_assert_cmpint(a.does, ==, UI_SHOW_THEME);
    g_assert_cmpuint(a.theme, ==, 3);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_THEME);
    desk_close(&d);
}

static void refused(struct model *m)
{
    scene_connect(m, true);
}

static void test_plan_and_nearby(void)
{
    struct desk d;
    desk_open(&d, scene_plan);
    press(&d, "virtio3  ");
    g_assert_cmpstr(d.m.drives[d.ui.selected].name, ==, "virtio3");
    g_assert_cmpint(press(&d, "B Begin").command.verb, ==, COMMAND_BEGIN);
    desk_close(&d);
    desk_open(&d, refused);
    model_set(d.m.link.nearby[0].address, "/run/a.qmp");
    model_set(d.m.link.nearby[1].address, "/run/b.qmp");
    d.m.link.n_nearby = 2;
    g_assert_cmpint(press(&d, "/run/b.qmp").does, ==, UI_NOTHING);
    struct ui_action a = press(&d, "/run/b.qmp");
    g_assert_cmpint(a.command.verb, ==, COMMAND_CONNECT);
    g_assert_cmpstr(a.command.text, ==, "/run/b.qmp");
    desk_close(&d);
}

/* Some terminals keep F1 to themselves. */
static void test_escape_digit(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    key(&d, UI_KEY_ESC);
    key(&d, '1');
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_HELP);
    key(&d, UI_KEY_ESC);
    key(&d, 'j');
    key(&d, '1');
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    key(&d, UI_KEY_ESC);
    d.now_ms += UI_ESCAPE_MS;
    key(&d, '1');
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    desk_close(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/press/rows", test_rows);
    g_test_add_func("/ui/press/bar", test_bar);
    g_test_add_func("/ui/press/dialog", test_dialog);
    g_test_add_func("/ui/press/themes", test_themes);
    g_test_add_func("/ui/press/plan-and-nearby", test_plan_and_nearby);
    g_test_add_func("/ui/press/escape-digit", test_escape_digit);
    return g_test_run();
}
