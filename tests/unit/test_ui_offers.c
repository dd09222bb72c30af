// SPDX-License-Identifier: GPL-2.0-or-later
/* What the screen offers, and what it does not: keys that would do nothing, answers that would do harm; the log. */
#include <string.h>

#include "ui_desk.h"

static bool is_offered(struct desk *d, const char *item)
{
    struct canvas *c = canvas_new(110, 24, true);
    ui_draw(&d->ui, &d->m, SCENE_NOW_S, c);
    g_autofree char *text = canvas_dump(c);
    canvas_free(c);
    return strstr(strrchr(g_strchomp(text), '\n'), item) != NULL;
}

/* What a row does not take is not offered where no row does; pressed all the same, the key says why. */
static void test_refusals(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    g_assert_true(is_offered(&d, "c Cancel"));
    type(&d, "s"); /* the RAM, by a background snapshot */
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_nonnull(strstr(d.ui.message, "vmstate cannot be slowed"));
    d.m.sink.is_pipe = true;
    d.ui.selected = 2;
    g_assert_false(is_offered(&d, "c Cancel"));
    type(&d, "c");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_nonnull(strstr(d.ui.message, "pipe"));
    d.m.drives[5].may_retry = false;
    g_assert_false(is_offered(&d, "r Retry"));
    g_assert_true(is_offered(&d, "p Pause"));
    for (unsigned i = 0; i < d.m.n_drives; i++)
        d.m.drives[i].state = MODEL_OK;
    g_assert_false(is_offered(&d, "p Pause") || is_offered(&d, "s Limit"));
    model_clear(&d.m);
}

static bool is_refused(struct desk *d, const char *key, const char *why)
{
    ui_say(&d->ui, MODEL_INFO, "-");
    return type(d, key).does == UI_NOTHING && !d->ui.dialog && strstr(d->ui.message, why);
}

/* As the table of a drive's states has it: a failed one can be cancelled while its frozen image stands, and one that
 * is tried again by itself has not failed. */
static void test_states(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 5;
    type(&d, "c");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_DROP);
    press(&d, UI_KEY_ESC);
    d.m.drives[5].keeps_instant = false;
    g_assert_true(is_refused(&d, "c", "is not being saved"));
    g_assert_true(is_refused(&d, "p", "is not being copied"));
    g_assert_cmpint(type(&d, "r").command.verb, ==, COMMAND_RETRY);
    d.m.drives[5].state = MODEL_RETRY;
    g_assert_true(is_refused(&d, "r", "has not failed"));
    g_assert_cmpint(type(&d, "p").command.verb, ==, COMMAND_PAUSE);
    model_clear(&d.m);
}

static void test_log(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    model_log(&d.m, MODEL_ERROR, SCENE_NOW_S, "scsi2 read error");
    model_log(&d.m, MODEL_INFO, SCENE_NOW_S, "something else");
    type(&d, "e"); /* the newest first */
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_LOG);
    g_assert_cmpuint(d.ui.back, ==, 1);
    type(&d, "E"); /* the one before, with its hint */
    g_assert_cmpuint(d.ui.back, ==, 3);
    type(&d, "e");
    g_assert_cmpuint(d.ui.back, ==, 1);
    type(&d, "e"); /* past the newest: the oldest */
    g_assert_cmpuint(d.ui.back, ==, 3);
    type(&d, "/SCSI2");
    g_assert_cmpuint(log_count(&d.m, d.ui.filter), ==, 1);
    press(&d, UI_KEY_ENTER);
    g_assert_cmpstr(d.ui.filter, ==, "SCSI2");
    type(&d, "/");
    press(&d, UI_KEY_ESC);
    g_assert_cmpuint(log_count(&d.m, d.ui.filter), ==, d.m.n_log);
    model_clear(&d.m);
}

/* What was looked for stands out wherever it stands, in whichever case. */
static void test_matches(void)
{
    struct desk d;
    unsigned n = 0;
    desk_open(&d, scene_copy);
    struct canvas *c = canvas_new(80, 24, true);
    type(&d, "/SCSI");
    press(&d, UI_KEY_ENTER);
    ui_draw(&d.ui, &d.m, SCENE_NOW_S, c);
    for (int i = 80; i < 80 * 22; i++) /* below the title, which names it too */
        n += c->cells[i].role == ROLE_LOG_MATCH;
    g_assert_cmpuint(n, ==, strlen("scsi")); /* "scsi1 limit 200M > 120M" is all there is */
    canvas_free(c);
    model_clear(&d.m);
}

/* Opened by itself, on the answer that changes nothing; c answers otherwise. */
static void test_leftovers(void)
{
    struct desk d;
    struct model_event planned = {.type = MODEL_EV_PHASE, .drive = -1};
    desk_open(&d, scene_plan);
    ui_event(&d.ui, &d.m, &planned);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_cmpint(type(&d, "c").does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    d.m.left.n = 3;
    model_set(d.m.left.what, "3 nodes");
    ui_event(&d.ui, &d.m, &planned);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_LEFTOVERS);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_cmpint(type(&d, "cc").command.verb, ==, COMMAND_CLEANUP);
    d.ui.is_readonly = true;
    ui_event(&d.ui, &d.m, &planned);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    model_clear(&d.m);
}

static void finished(struct model *m)
{
    scene_finished(m, true);
}

/* What can be done with the archive, by who made it; h means that, and nothing else there. */
static void test_afterwards(void)
{
    struct desk d;
    desk_open(&d, finished);
    g_assert_cmpint(type(&d, "V").command.verb, ==, COMMAND_VERIFY);
    g_assert_cmpint(type(&d, "h").command.verb, ==, COMMAND_CHECKSUM);
    g_assert_cmpint(type(&d, "w").does, ==, UI_REPORT);
    g_assert_cmpint(type(&d, "n").does, ==, UI_NEW);
    d.m.end.reading = MODEL_READING_TO_VERIFY;
    g_assert_true(ui_is_moving(&d.m));
    g_assert_cmpint(type(&d, "n").does, ==, UI_NOTHING); /* it would take the archive away from under it */
    d.ui.is_visitor = true;
    g_assert_cmpint(type(&d, "V").does, ==, UI_NOTHING);
    g_assert_nonnull(strstr(d.ui.message, "another process's"));
    g_assert_cmpint(type(&d, "w").does, ==, UI_REPORT);
    model_clear(&d.m);
}

/* The file has the summary, nobody's cursor or keys, and every line of the log. */
static void test_report(void)
{
    struct desk d;
    desk_open(&d, finished);
    g_autofree char *text = ui_report(&d.ui, &d.m, SCENE_NOW_S);
    g_assert_nonnull(strstr(text, "all 7 devices saved"));
    g_assert_nonnull(strstr(text, "exit status 0"));
    for (unsigned i = 0; i < d.m.n_log; i++)
        g_assert_nonnull(strstr(text, d.m.log[i].text));
    g_assert_null(strstr(text, "\n>"));
    g_assert_null(strstr(text, "Quit"));
    model_clear(&d.m);
}

static void test_anew(void)
{
    struct desk d;
    desk_open(&d, finished);
    d.ui.is_readonly = d.ui.may_detach = true;
    d.ui.graph = UI_GRAPH_HIDDEN;
    type(&d, "jj?");
    ui_begin_anew(&d.ui);
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    g_assert_cmpuint(d.ui.selected, ==, 0);
    g_assert_cmpuint(d.ui.history.n, ==, 0);
    g_assert_true(d.ui.is_readonly && d.ui.may_detach);
    g_assert_cmpint(d.ui.graph, ==, UI_GRAPH_HIDDEN);
    model_clear(&d.m);
}

static void planned(struct model *m)
{
    scene_plan(m);
    m->forecast.rate = 400 * M;
    m->forecast.ms = m->total * 1000 / m->forecast.rate;
}

/* For how long a target may breathe is the engine's to say: what it tells is shown. */
static void test_stuck(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    g_assert_false(is_shown(&d, "no answer for"));
    d.m.sink.stuck_ms = 1500;
    g_assert_true(is_shown(&d, "no answer for 1.5s"));
    model_clear(&d.m);
}

/* What the time of a plan is judged by: how fast it was, or the limit that is slower. */
static void test_forecast(void)
{
    struct desk d;
    desk_open(&d, planned);
    g_assert_true(is_shown(&d, "by the last run's 400M/s"));
    d.m.global_limit = 100 * M;
    d.m.forecast.ms *= 3;
    g_assert_true(is_shown(&d, "by the limit of 100M/s"));
    d.m.forecast.ms = 0;
    g_assert_false(is_shown(&d, " by the "));
    model_clear(&d.m);
}

/* ---- what must hold of all of them ---- */

static void refused(struct model *m)
{
    scene_connect(m, true);
}

static void left_over(struct model *m)
{
    scene_plan(m);
    m->left.n = 3;
    model_set(m->left.what, "3 nodes");
}

/* Enter in a dialog that has just opened changes nothing: at most it asks for what is so already. */
static void assert_harmless(void (*scene)(struct model *), const char *keys)
{
    for (; *keys; keys++) {
        struct desk d;
        desk_open(&d, scene);
        GArray *themes = theme_list(NULL);
        d.ui.themes = themes;
        d.ui.selected = 2;
        enum ui_does does = press(&d, (uint32_t)*keys).does;
        g_assert_true(does == UI_NOTHING || does == UI_LOAD_THEMES);
        if (!d.ui.dialog)
            g_error("%c opens nothing", *keys);
        struct ui_action a = press(&d, UI_KEY_ENTER);
        bool is_same =
            a.does == UI_COMMAND && g_str_equal(a.command.text, d.m.phase == MODEL_PLAN ? d.m.target : d.m.monitor);
        if (a.does != UI_NOTHING && !is_same)
            g_error("Enter behind %c does something", *keys);
        g_array_unref(themes);
        model_clear(&d.m);
    }
}

static void test_harmless(void)
{
    assert_harmless(scene_copy, "sScPCqt/");
    assert_harmless(scene_plan, "sSozxt/");
    assert_harmless(left_over, "c");
    assert_harmless(refused, "ot/");
}

static bool is_plain(const char *key)
{
    static const char *const named[] = {"Enter", "Esc", "Space", "Up", "Down", "Left", "Right", NULL};
    return (!key[1] && g_ascii_isalpha(*key)) || g_strv_contains(named, key);
}

/* Every command has a key among letters, arrows, Enter, Esc and Space, but for those that only save some presses. */
static void test_plain_keys(void)
{
    static const enum command_verb shortcuts[] = {COMMAND_PAGE_UP, COMMAND_PAGE_DOWN, COMMAND_FASTER, COMMAND_SLOWER,
                                                  COMMAND_REDRAW};
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        g_auto(GStrv) keys = g_strsplit(entry->keys ? entry->keys : "Enter", " ", -1);
        bool has_plain = false;
        for (unsigned k = 0; keys[k]; k++)
            has_plain |= is_plain(keys[k]);
        for (unsigned k = 0; k < G_N_ELEMENTS(shortcuts); k++)
            has_plain |= shortcuts[k] == entry->verb;
        if (!has_plain)
            g_error("%s has no plain key", entry->help);
    }
}

/* The help tells the keys that are in force, not those of the table. */
static void test_help_of_bound(void)
{
    static const char text[] = "[keys]\ntoggle-pause=y\n";
    g_autoptr(GKeyFile) file = g_key_file_new();
    struct desk d;
    desk_open(&d, scene_copy);
    g_assert_true(g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, NULL));
    g_assert_true(keymap_load(file, text, "test", NULL));
    struct canvas *c = canvas_new(120, 50, true);
    type(&d, "?");
    ui_draw(&d.ui, &d.m, SCENE_NOW_S, c);
    g_autofree char *shown = canvas_dump(c);
    g_assert_nonnull(strstr(shown, " y             pause, or resume"));
    keymap_reset();
    canvas_free(c);
    model_clear(&d.m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/offers/refusals", test_refusals);
    g_test_add_func("/ui/offers/states", test_states);
    g_test_add_func("/ui/offers/log", test_log);
    g_test_add_func("/ui/offers/matches", test_matches);
    g_test_add_func("/ui/offers/leftovers", test_leftovers);
    g_test_add_func("/ui/offers/afterwards", test_afterwards);
    g_test_add_func("/ui/offers/report", test_report);
    g_test_add_func("/ui/offers/anew", test_anew);
    g_test_add_func("/ui/offers/forecast", test_forecast);
    g_test_add_func("/ui/offers/stuck", test_stuck);
    g_test_add_func("/ui/offers/harmless", test_harmless);
    g_test_add_func("/ui/offers/plain-keys", test_plain_keys);
    g_test_add_func("/ui/offers/help-of-bound", test_help_of_bound);
    return g_test_run();
}
