// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/error.h"
#include "ui/glyphs.h"
#include "ui/theme.h"

#define HEAD "[theme]\nformat=1\nname=Test\n"

static struct theme parsed(const char *text)
{
    struct theme t;
    g_autoptr(GError) error = NULL;
    theme_parse(text, "/some/where/test.theme", &t, &error);
    g_assert_no_error(error);
    return t;
}

static void assert_style(const struct theme *t, enum theme_depth depth, enum ui_role role, int32_t fg, int32_t bg,
                         unsigned attributes)
{
    const struct theme_style *style = theme_style(t, depth, role);
    g_assert_cmphex((guint32)style->fg, ==, (guint32)fg);
    g_assert_cmphex((guint32)style->bg, ==, (guint32)bg);
    g_assert_cmphex(style->attributes, ==, attributes);
}

static void test_values(void)
{
    struct theme t = parsed(HEAD "[palette]\nrun=#56b4e9\n[roles]\ntext=252;#12161c\nstate-run=$run;default;bold\n"
                                 "state-fail=bright-red;default;bold,reverse\nkey= red ; 17 ; underline \n"
                                 "[roles-16]\nstate-run=cyan;default\n[roles-mono]\nstate-run=reverse\n");
    g_assert_cmpstr(t.name, ==, "test");
    g_assert_cmpstr(t.title, ==, "Test");
    g_assert_cmpstr(t.warning, ==, "");
    assert_style(&t, THEME_256, ROLE_TEXT, 252, THEME_RGB | 0x12161c, 0);
    assert_style(&t, THEME_256, ROLE_STATE_RUN, THEME_RGB | 0x56b4e9, THEME_DEFAULT, THEME_BOLD);
    assert_style(&t, THEME_16, ROLE_STATE_RUN, 6, THEME_DEFAULT, 0);
    assert_style(&t, THEME_MONO, ROLE_STATE_RUN, THEME_DEFAULT, THEME_DEFAULT, THEME_REVERSE);
    assert_style(&t, THEME_256, ROLE_STATE_FAIL, 9, THEME_DEFAULT, THEME_BOLD | THEME_REVERSE);
    assert_style(&t, THEME_MONO, ROLE_STATE_FAIL, THEME_DEFAULT, THEME_DEFAULT, THEME_BOLD | THEME_REVERSE);
    assert_style(&t, THEME_256, ROLE_KEY, 1, 17, THEME_UNDERLINE);
}

static void test_inheritance(void)
{
    struct theme t = parsed(HEAD "[roles]\ntext=7;0\nstate-*=5;0\nstate-run=6;0\ndialog=4;0\n");
    assert_style(&t, THEME_256, ROLE_STATE_RUN, 6, 0, 0);    /* its own */
    assert_style(&t, THEME_256, ROLE_STATE_FAIL, 5, 0, 0);   /* the family's */
    assert_style(&t, THEME_256, ROLE_DIALOG_TITLE, 4, 0, 0); /* what it is named after */
    assert_style(&t, THEME_256, ROLE_LOG_INFO, 7, 0, 0);     /* text */
    t = parsed(HEAD "[roles]\nkey=1;0\n");
    struct theme builtin;
    theme_load_builtin(&builtin);
    for (enum ui_role role = 0; role < UI_ROLES_END; role++)
        if (role != ROLE_KEY && role != ROLE_KEY_LABEL)
            g_assert_cmpmem(theme_style(&t, THEME_256, role), sizeof(struct theme_style),
                            theme_style(&builtin, THEME_256, role), sizeof(struct theme_style));
}

/* File and line are named, and the theme that was there stays. */
static void test_bad(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {HEAD "[roles]\ntext=default\nstate-run=gren;default\n", "test.theme:6: state-run: unknown colour 'gren'"},
        {HEAD "[roles]\nstate-run=$nix\n", "test.theme:5: state-run: unknown colour '$nix'"},
        {HEAD "[roles]\ntext=#12345\n", "test.theme:5: text: unknown colour"},
        {HEAD "[roles]\ntext=256\n", "test.theme:5: text: unknown colour"},
        {HEAD "[roles]\ntext=red;default;blink\n", "test.theme:5: text: unknown attribute 'blink'"},
        {HEAD "[roles]\ntext=red;default;bold;more\n", "test.theme:5: text: more than"},
        {HEAD "[roles]\n\ntext=red\nthis is junk\n", "test.theme:7: neither"},
        {HEAD "[roles-16]\nstate-run=nope\n", "test.theme:5: state-run: unknown colour 'nope'"},
        {HEAD "[roles-mono]\nselect=bald\n", "test.theme:5: select: unknown attribute 'bald'"},
        {"[theme]\nformat=2\n", "test.theme:2: format: must be 1"},
        {"", "format: must be 1"},
        {HEAD "[roles]\ntext=\033[2J\n", "unknown colour '?[2J'"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct theme t, before;
        theme_load_builtin(&t);
        before = t;
        g_autoptr(GError) error = NULL;
        g_assert_false(theme_parse(bad[i].text, "/x/test.theme", &t, &error));
        g_assert_error(error, VMB_ERROR, VMB_ERROR_USAGE);
        if (!strstr(error->message, bad[i].says))
            g_error("says '%s', expected '%s'", error->message, bad[i].says);
        g_assert_cmpmem(&t, sizeof t, &before, sizeof before);
    }
}

static void test_unknown_role(void)
{
    struct theme t = parsed(HEAD "[roles]\ntext=7\nstate-dancing=1\n");
    g_assert_nonnull(strstr(t.warning, "test.theme:6: unknown role 'state-dancing'"));
    assert_style(&t, THEME_256, ROLE_TEXT, 7, THEME_DEFAULT, 0);
}

static void test_nearest(void)
{
    g_assert_cmpint(theme_nearest_256(0x000000), ==, 16);
    g_assert_cmpint(theme_nearest_256(0xffffff), ==, 231);
    g_assert_cmpint(theme_nearest_256(0x5fd7ff), ==, 81);
    g_assert_cmpint(theme_nearest_256(0x080808), ==, 232);
    g_assert_cmpint(theme_nearest_16(0xff0000), ==, 9);
    g_assert_cmpint(theme_nearest_16(0x008000), ==, 2);
    g_assert_cmpint(theme_nearest_16(0xffffff), ==, 15);
    g_assert_cmpint(theme_nearest_16(0x000000), ==, 0);
}

/* Each built-in theme is good, says what it is, and is the file of its name. */
static void test_builtin(void)
{
    unsigned n = 0;
    for (const char *name; (name = theme_builtin_name(n)); n++) {
        g_autofree char *path = g_strdup_printf("%s/../themes/%s.theme", TEST_DATA, name), *text = NULL;
        g_autoptr(GError) error = NULL;
        struct theme t;
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(theme_builtin(name), ==, text);
        theme_load(path, &t, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(t.name, ==, name);
        g_assert_cmpstr(t.warning, ==, "");
        g_assert_cmpstr(t.description, !=, "");
    }
    g_assert_cmpuint(n, ==, 6);
    g_assert_null(theme_builtin("other"));
}

static void test_palette_16(void)
{
    struct theme t = parsed(HEAD "[palette]\nrun=#56b4e9\nbg=#002b36\n[palette-16]\nbg=black\n"
                                 "[roles]\nstate-run=$run;$bg\n");
    assert_style(&t, THEME_256, ROLE_STATE_RUN, THEME_RGB | 0x56b4e9, THEME_RGB | 0x002b36, 0);
    assert_style(&t, THEME_16, ROLE_STATE_RUN, 14, 0, 0);
}

static void test_signs(void)
{
    struct theme t = parsed(HEAD "[roles]\ntext=7\n[glyphs]\nrun=>\nbar=.oO\nfail=漢\n");
    struct glyphs own;
    glyphs_of_theme(glyphs_find("unicode"), &t, &own);
    g_assert_cmpstr(own.states[MODEL_RUN], ==, ">");
    g_assert_cmpstr(own.states[MODEL_FAIL], ==, "✗");                 /* too wide: as it was, */
    g_assert_nonnull(strstr(t.warning, "test.theme:9: sign 'fail'")); /* and said */
    g_assert_cmpuint(own.n_parts, ==, 2);
    g_assert_cmpstr(own.bar_parts[1], ==, "o");
    g_assert_cmpstr(own.bar_full, ==, "O");
    glyphs_of_theme(glyphs_find("ascii"), &t, &own);
    g_assert_cmpstr(own.states[MODEL_RUN], ==, "*");
    g_assert_cmpstr(own.bar_full, ==, "#");
}

/* In the default theme words keep the terminal's own colour, and nothing is blue, black or dim. */
static void test_words_are_uncoloured(void)
{
    static const enum ui_role words[] = {
        ROLE_TEXT,   ROLE_TEXT_DIM, ROLE_TEXT_STRONG, ROLE_NUM,    ROLE_UNIT,     ROLE_HEADER,  ROLE_HEADER_ALERT,
        ROLE_TITLE,  ROLE_KEY,      ROLE_KEY_LABEL,   ROLE_SELECT, ROLE_TOAST,    ROLE_MESSAGE, ROLE_LOG_TIME,
        ROLE_DIALOG, ROLE_INPUT,    ROLE_BUTTON,      ROLE_DANGER, ROLE_INPUT_BAD};
    struct theme t;
    theme_load_builtin(&t);
    for (enum theme_depth depth = THEME_MONO; depth < THEME_DEPTHS; depth++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
            g_assert_cmpint(theme_style(&t, depth, words[i])->fg, ==, THEME_DEFAULT);
        for (enum ui_role role = 0; role < UI_ROLES_END; role++) {
            g_assert_cmpint(theme_style(&t, depth, role)->fg, !=, 0);
            g_assert_cmpint(theme_style(&t, depth, role)->fg, !=, 4);
            g_assert_cmpint(theme_style(&t, depth, role)->bg, ==, THEME_DEFAULT);
        }
    }
}

static void test_find(void)
{
    struct theme t;
    g_autoptr(GError) error = NULL;
    g_assert_false(theme_load("no-such-theme", &t, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_USAGE);
    g_assert_true(theme_load("mono", &t, NULL));
    for (enum ui_role role = 0; role < UI_ROLES_END; role++)
        g_assert_cmpint(theme_style(&t, THEME_256, role)->fg, ==, THEME_DEFAULT);
}

static void write_theme(const char *name, const char *text)
{
    g_autofree char *folder = g_build_filename(g_get_user_config_dir(), "vmabackup", "themes", NULL);
    g_autofree char *path = g_strdup_printf("%s/%s.theme", folder, name);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* What the picker shows: g_test_init() has given this test a configuration folder of its own. */
static void test_list(void)
{
    write_theme("night", HEAD "description=after ten\n[roles]\ntext=7\n");
    write_theme("broken", HEAD "[roles]\nstate-run=gren\n");
    write_theme("solar", HEAD "[roles]\ntext=9\n");
    g_autoptr(GArray) list = theme_list(NULL);
    const struct theme_entry *at = (struct theme_entry *)list->data;
    g_assert_cmpuint(list->len, ==, 8);
    g_assert_cmpstr(at[0].theme.name, ==, "default");
    g_assert_cmpstr(at[0].origin, ==, "built in");
    g_assert_cmpstr(at[0].problem, ==, "");
    g_assert_cmpstr(at[4].theme.name, ==, "solar");
    g_assert_cmpstr(at[4].origin, ==, "yours");
    assert_style(&at[4].theme, THEME_256, ROLE_TEXT, 9, THEME_DEFAULT, 0);
    g_assert_cmpstr(at[6].theme.name, ==, "broken");
    g_assert_cmpstr(at[6].problem, ==, "line 5: state-run: unknown colour 'gren'");
    g_assert_cmpstr(at[7].theme.name, ==, "night");
    g_assert_cmpstr(at[7].theme.description, ==, "after ten");
    g_assert_cmpstr(at[7].problem, ==, "");
}

/* One that is asked for by its path stands in the list, too, so that it can be worked on; in the place of any of its
 * name. */
static void test_list_with_file(void)
{
    g_autofree char *path = g_build_filename(g_get_user_config_dir(), "dark.theme", NULL);
    g_assert_true(g_file_set_contents(path, HEAD "[roles]\ntext=7\n", -1, NULL));
    for (int is_broken = 0; is_broken < 2; is_broken++) {
        g_autoptr(GArray) list = theme_list(path);
        unsigned place = theme_place(list, "dark");
        const struct theme_entry *at = &g_array_index(list, struct theme_entry, place);
        g_assert_cmpuint(place, ==, list->len - 1);
        g_assert_cmpstr(at->origin, ==, "this file");
        g_assert_cmpstr(at->problem, ==, is_broken ? "line 5: state-run: unknown colour 'gren'" : "");
        g_assert_true(g_file_set_contents(path, HEAD "[roles]\nstate-run=gren\n", -1, NULL));
    }
}

int main(int argc, char **argv)
{
    /* A home of its own; GLib's G_TEST_OPTION_ISOLATE_DIRS leaks. */
    g_autofree char *home = g_dir_make_tmp("themes-XXXXXX", NULL);
    g_autofree char *remove_home = g_strdup_printf("rm -r '%s'", home);

    g_setenv("XDG_CONFIG_HOME", home, TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/theme/values", test_values);
    g_test_add_func("/ui/theme/inheritance", test_inheritance);
    g_test_add_func("/ui/theme/bad", test_bad);
    g_test_add_func("/ui/theme/unknown-role", test_unknown_role);
    g_test_add_func("/ui/theme/nearest", test_nearest);
    g_test_add_func("/ui/theme/builtin", test_builtin);
    g_test_add_func("/ui/theme/palette-16", test_palette_16);
    g_test_add_func("/ui/theme/signs", test_signs);
    g_test_add_func("/ui/theme/list", test_list);
    g_test_add_func("/ui/theme/list-with-file", test_list_with_file);
    g_test_add_func("/ui/theme/words-are-uncoloured", test_words_are_uncoloured);
    g_test_add_func("/ui/theme/find", test_find);
    int status = g_test_run();
    return system(remove_home) == 0 ? status : 1;
}
