// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys do: to the screen, and as commands for the run. */
#include <string.h>

#include "base/units.h"
#include "ui/screen.h"
#include "ui_desk.h"

static void test_move(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    press(&d, UI_KEY_UP);
    g_assert_cmpuint(d.ui.selected, ==, 0);
    type(&d, "jj");
    press(&d, UI_KEY_DOWN);
    g_assert_cmpuint(d.ui.selected, ==, 3);
    type(&d, "G");
    g_assert_cmpuint(d.ui.selected, ==, d.m.n_drives - 1);
    press(&d, UI_KEY_PAGE_UP);
    g_assert_cmpuint(d.ui.selected, ==, 0);
    d.ui.selected = 99; /* rows may go away */
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpuint(d.ui.selected, ==, d.m.n_drives - 1);
    model_clear(&d.m);
}

static void test_limit(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    type(&d, "s");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_LIMIT);
    g_assert_cmpint(type(&d, "15o").does, ==, UI_NOTHING);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING); /* bad text: Enter does nothing, */
    g_assert_cmpstr(d.ui.input, ==, "15o");                        /* and it stays */
    press(&d, UI_KEY_BACKSPACE);
    type(&d, "0M");
    struct ui_action a = press(&d, UI_KEY_ENTER);
    g_assert_cmpint(a.does, ==, UI_COMMAND);
    g_assert_cmpint(a.command.verb, ==, COMMAND_LIMIT);
    g_assert_cmpstr(a.command.target, ==, "scsi1");
    g_assert_cmpuint(a.command.rate, ==, 150 * M);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_cmpuint(d.m.drives[2].limit, ==, 120 * M); /* shown is only what QEMU has confirmed */
    model_clear(&d.m);
}

static void test_limit_relative(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    type(&d, "s+10%");
    struct ui_action a = press(&d, UI_KEY_ENTER);
    g_assert_false(a.command.is_relative); /* to the byte what the dialog has shown */
    g_assert_cmpuint(a.command.rate, ==, command_relative_rate(120 * M, 10));
    type(&d, "S-25%"); /* the backup has none yet: of what it moves at */
    a = press(&d, UI_KEY_ENTER);
    g_assert_cmpstr(a.command.target, ==, "all");
    g_assert_cmpuint(a.command.rate, ==, command_relative_rate(412 * M, -25));
    type(&d, "s");
    press(&d, UI_KEY_UP);
    g_assert_cmpstr(d.ui.input, ==, "130M");
    press(&d, UI_KEY_DOWN);
    press(&d, UI_KEY_DOWN);
    g_assert_cmpstr(d.ui.input, ==, "110M");
    press(&d, UI_KEY_TAB);
    g_assert_cmpstr(press(&d, UI_KEY_ENTER).command.target, ==, "all");
    model_clear(&d.m);
}

/* Holes pass at gigabytes a second, and no limit means them. */
static void test_limit_of_data(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.m.in_rate = 5000 * M;
    d.m.drives[3].rate = 4900 * M;
    d.m.data_rate = 100 * M;
    d.m.drives[3].data_rate = 30 * M;
    type(&d, "S-25%");
    g_assert_cmpuint(press(&d, UI_KEY_ENTER).command.rate, ==, command_relative_rate(100 * M, -25));
    d.ui.selected = 3;
    g_assert_cmpuint(type(&d, "-").command.rate, ==, command_relative_rate(30 * M, -10));
    type(&d, "S300M");
    g_assert_true(is_shown(&d, "It would not hold it back: it moves at 100M/s"));
    model_clear(&d.m);
}

/* + and - at once, and from what they asked for last, though QEMU has not confirmed it yet; z takes all of it
 * back. */
static void test_nudge(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    g_assert_cmpuint(type(&d, "+").command.rate, ==, 130 * M);
    g_assert_cmpuint(type(&d, "=").command.rate, ==, 140 * M);
    g_assert_cmpuint(type(&d, "-").command.rate, ==, 130 * M);
    struct ui_action a = type(&d, "z");
    g_assert_cmpstr(a.command.target, ==, "scsi1");
    g_assert_cmpuint(a.command.rate, ==, 120 * M);
    g_assert_cmpint(type(&d, "z").does, ==, UI_NOTHING); /* once */
    d.ui.selected = 3;                                   /* without a limit: from the rate */
    g_assert_cmpuint(type(&d, "-").command.rate, ==, command_relative_rate(294 * M, -10));
    d.now_ms += UI_UNDO_MS;
    g_assert_cmpint(type(&d, "z").does, ==, UI_NOTHING);
    d.ui.selected = 0; /* the RAM has none */
    g_assert_cmpint(type(&d, "+").does, ==, UI_NOTHING);
    model_clear(&d.m);
}

/* All that the key asked for: "scsi1 150M, scsi2 150M". */
static char *all_of(struct desk *d, struct ui_action a)
{
    GString *text = g_string_new(NULL);
    while (a.does == UI_COMMAND) {
        char rate[UNITS_LEN];
        g_string_append_printf(text, "%s%s %s", text->len ? ", " : "", a.command.target,
                               a.command.verb == COMMAND_LIMIT ? units_format_size(a.command.rate, rate)
                                                               : command_entry_of(a.command.verb)->word);
        if (!ui_more(&d->ui, &d->m, &a))
            break;
    }
    return g_string_free(text, FALSE);
}

static void assert_all(struct desk *d, struct ui_action a, const char *wanted)
{
    g_autofree char *is = all_of(d, a);
    g_assert_cmpstr(is, ==, wanted);
}

static void test_marks(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    type(&d, "jj jj ");                           /* scsi1, virtio3 */
    assert_all(&d, type(&d, "p"), "scsi1 pause"); /* the other one is paused already */
    type(&d, "s150M");
    g_assert_cmpint(d.ui.scope, ==, UI_MARKED);
    assert_all(&d, press(&d, UI_KEY_ENTER), "scsi1 150M, virtio3 150M");
    assert_all(&d, type(&d, "z"), "scsi1 120M, virtio3 50.0M");
    assert_all(&d, type(&d, "u"), "scsi1 0, virtio3 0");
    press(&d, UI_KEY_ESC);
    assert_all(&d, type(&d, "p"), "virtio3 resume"); /* no mark any more: the selected row */
    type(&d, "a");
    assert_all(&d, type(&d, "p"), "scsi1 pause, scsi2 pause, virtio4 pause, efidisk0 pause"); /* as the engine does */
    type(&d, "a");
    for (unsigned i = 0; i < d.m.n_drives; i++)
        g_assert_false(d.ui.marked[i]);
    model_clear(&d.m);
}

/* Opens on "keep"; only the letter cancels. */
static void test_drop(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    type(&d, "c");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_DROP);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    struct ui_action a = type(&d, "cc");
    g_assert_cmpint(a.command.verb, ==, COMMAND_CANCEL);
    g_assert_true(a.command.is_confirmed);
    g_assert_cmpstr(a.command.target, ==, "scsi1");
    d.ui.selected = 1; /* what is saved is not thrown away */
    type(&d, "c");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_nonnull(strstr(d.ui.message, "saved already"));
    type(&d, "gjj jj"); /* scsi1 is marked */
    press(&d, ' ');
    assert_all(&d, type(&d, "cc"), "scsi1 cancel, virtio3 cancel");
    model_clear(&d.m);
}

static void test_retry(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    g_assert_cmpint(type(&d, "r").does, ==, UI_NOTHING); /* has not failed */
    d.ui.selected = 5;
    assert_all(&d, type(&d, "r"), "virtio4 retry");
    assert_all(&d, type(&d, "R"), "all retry");
    d.ui.selected = 4; /* what was cancelled can be had again */
    d.m.drives[4].state = MODEL_CANCELLED;
    d.m.drives[4].may_retry = true;
    assert_all(&d, type(&d, "r"), "virtio3 retry");
    model_clear(&d.m);
}

static void test_plan_keys(void)
{
    struct desk d;
    desk_open(&d, scene_plan);
    assert_all(&d, type(&d, " "), "vmstate exclude");
    d.ui.selected = 4;
    assert_all(&d, type(&d, " "), "virtio3 include");
    struct ui_action a = type(&d, "v");
    g_assert_cmpint(a.command.verb, ==, COMMAND_VMSTATE);
    g_assert_false(a.command.is_on);
    type(&d, "o");
    press(&d, UI_KEY_CTRL_U);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING); /* nowhere is no target */
    type(&d, "/mnt/b k.vma");
    a = press(&d, UI_KEY_ENTER);
    g_assert_cmpint(a.command.verb, ==, COMMAND_OUTPUT);
    g_assert_cmpstr(a.command.text, ==, "/mnt/b k.vma");
    type(&d, "z");
    a = press(&d, UI_KEY_DOWN);
    g_assert_cmpint(a.command.verb, ==, COMMAND_LEVEL);
    g_assert_cmpuint(a.command.number, ==, 2);
    press(&d, UI_KEY_ENTER);
    type(&d, "x");
    g_assert_cmpuint(press(&d, UI_KEY_UP).command.number, ==, 4);
    g_assert_true(type(&d, " ").command.is_on);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    model_clear(&d.m);
}

static void test_engine(void)
{
    struct desk d;
    desk_open(&d, scene_plan);
    struct ui_action a = type(&d, "p");
    g_assert_cmpint(a.command.verb, ==, COMMAND_ENGINE);
    g_assert_cmpint(a.command.engine, ==, ENGINE_PULL);
    model_set(d.m.engine.word, "pull");
    a = type(&d, "p");
    g_assert_cmpint(a.does, ==, UI_COMMAND);
    g_assert_cmpint(a.command.engine, ==, ENGINE_PUSH);
    model_set(d.m.engine.word, "push");
    model_set(d.m.engine.obstacle, "this monitor passes no descriptors");
    g_assert_cmpint(type(&d, "p").does, ==, UI_NOTHING);
    g_assert_cmpstr(d.ui.message, ==, "pull is not possible: this monitor passes no descriptors");
    model_clear(&d.m);
}

static void scene_refused(struct model *m)
{
    scene_connect(m, true);
}

static void test_nearby(void)
{
    struct desk d;
    desk_open(&d, scene_refused);
    struct ui_action a = type(&d, "j\r");
    g_assert_cmpint(a.command.verb, ==, COMMAND_CONNECT);
    g_assert_cmpstr(a.command.text, ==, "/run/qemu/mail.qmp");
    d.m.link.n_nearby = 0;
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpint(type(&d, "\r").does, ==, UI_NOTHING);
    type(&d, "o2");
    g_assert_cmpstr(press(&d, UI_KEY_ENTER).command.text, ==, "/run/qemu/web-01.qmp2");
    g_assert_cmpint(type(&d, "r").command.verb, ==, COMMAND_RECONNECT);
    model_clear(&d.m);
}

static void test_themes(void)
{
    struct desk d;
    g_autoptr(GArray) themes = theme_list(NULL);
    desk_open(&d, scene_copy);
    d.ui.themes = themes;
    type(&d, "t");
    struct ui_action a = type(&d, "j"); /* seen at once */
    g_assert_cmpint(a.does, ==, UI_SHOW_THEME);
    g_assert_cmpuint(a.theme, ==, 1);
    a = press(&d, UI_KEY_ESC); /* and put back */
    g_assert_cmpint(a.does, ==, UI_SHOW_THEME);
    g_assert_cmpuint(a.theme, ==, 0);
    type(&d, "tj");
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    model_clear(&d.m);
}

static void test_unlimit(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 2;
    struct ui_action a = type(&d, "u");
    g_assert_cmpint(a.does, ==, UI_COMMAND);
    g_assert_cmpuint(a.command.rate, ==, 0);
    d.ui.selected = 3;
    g_assert_cmpint(type(&d, "u").does, ==, UI_NOTHING); /* has none */
    model_clear(&d.m);
}

static void test_pause(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.selected = 3;
    struct ui_action a = type(&d, "p");
    g_assert_cmpint(a.command.verb, ==, COMMAND_PAUSE);
    g_assert_cmpstr(a.command.target, ==, "scsi2");
    d.ui.selected = 4;
    g_assert_cmpint(type(&d, "p").command.verb, ==, COMMAND_RESUME);
    g_assert_cmpint(type(&d, "P").does, ==, UI_NOTHING); /* mixed: all of them stop first, but it asks */
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    g_assert_cmpint(type(&d, "PP").command.verb, ==, COMMAND_PAUSE);
    for (unsigned i = 0; i < d.m.n_drives; i++)
        d.m.drives[i].paused.by_operator = true;
    a = type(&d, "P");
    g_assert_cmpint(a.command.verb, ==, COMMAND_RESUME);
    g_assert_cmpstr(a.command.target, ==, "all");
    d.ui.selected = 0; /* the RAM never */
    g_assert_cmpint(type(&d, "p").does, ==, UI_NOTHING);
    g_assert_nonnull(strstr(d.ui.message, "cannot be paused"));
    model_clear(&d.m);
}

static void test_cancel_wants_the_name(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    type(&d, "Cweb-0");
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_CANCEL);
    type(&d, "1");
    press(&d, UI_KEY_TAB);
    struct ui_action a = press(&d, UI_KEY_ENTER);
    g_assert_cmpint(a.command.verb, ==, COMMAND_CANCEL_ALL);
    g_assert_cmpstr(a.command.confirmation, ==, "web-01");
    g_assert_true(a.command.keep_partial);
    g_assert_false(d.ui.wants_to_leave);
    type(&d, "Cweb-01");
    press(&d, UI_KEY_ESC);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    model_clear(&d.m);
}

/* What was typed ahead decides nothing. */
static void test_dialogs_are_deaf_first(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    ui_key(&d.ui, 'q', &d.m, 5000);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_QUIT);
    ui_key(&d.ui, 'C', &d.m, 5000 + UI_DIALOG_DEAF_MS - 1);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_QUIT);
    ui_key(&d.ui, 'C', &d.m, 5000 + UI_DIALOG_DEAF_MS);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_CANCEL);
    ui_key(&d.ui, 'w', &d.m, 5001 + UI_DIALOG_DEAF_MS);
    g_assert_cmpstr(d.ui.input, ==, "");
    model_clear(&d.m);
}

static void test_quit(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    g_assert_cmpint(type(&d, "q").does, ==, UI_NOTHING);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING); /* opens on "stay" */
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    for (int i = 0; i < 5; i++) /* no number of Ctrl-C kills a backup */
        g_assert_cmpint(press(&d, UI_KEY_CTRL_C).does, ==, UI_NOTHING);
    press(&d, UI_KEY_ESC);
    type(&d, "qCweb-01");
    g_assert_cmpint(press(&d, UI_KEY_ENTER).command.verb, ==, COMMAND_CANCEL_ALL);
    g_assert_true(d.ui.wants_to_leave);
    model_clear(&d.m);
    static const enum model_phase idle[] = {MODEL_CONNECTING, MODEL_CONNECT_FAILED, MODEL_PLAN, MODEL_DONE};
    for (unsigned i = 0; i < G_N_ELEMENTS(idle); i++) {
        desk_open(&d, scene_copy);
        d.m.phase = idle[i];
        g_assert_cmpint(type(&d, "q").does, ==, UI_LEAVE);
        model_clear(&d.m);
    }
}

static void test_begin(void)
{
    struct desk d;
    desk_open(&d, scene_plan);
    g_assert_cmpint(press(&d, UI_KEY_ENTER).does, ==, UI_NOTHING); /* never Enter */
    g_assert_cmpint(type(&d, "b").does, ==, UI_NOTHING);
    g_assert_cmpint(type(&d, "B").command.verb, ==, COMMAND_BEGIN);
    model_clear(&d.m);
}

static void test_unknown_keys(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    g_assert_cmpint(type(&d, "x").does, ==, UI_NOTHING);
    g_assert_cmpstr(d.ui.message, ==, "x does nothing here, ? for help");
    type(&d, "B"); /* of another screen */
    g_assert_cmpstr(d.ui.message, ==, "B does nothing here, ? for help");
    press(&d, UI_KEY_UNKNOWN);
    g_assert_cmpstr(d.ui.message, ==, "this key does nothing here, ? for help");
    model_clear(&d.m);
}

static void test_readonly(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.ui.is_readonly = true;
    for (const char *key = "sSupPC"; *key; key++) {
        g_assert_cmpint(press(&d, (uint32_t)*key).does, ==, UI_NOTHING);
        g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
        g_assert_nonnull(strstr(d.ui.message, "read-only"));
    }
    type(&d, "qC");
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_QUIT);
    model_clear(&d.m);
}

static void test_views(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    type(&d, "?");
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_HELP);
    type(&d, "?");
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    type(&d, "lkk");
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_LOG);
    g_assert_cmpuint(d.ui.back, ==, 2);
    press(&d, UI_KEY_ESC);
    g_assert_cmpint(d.ui.view, ==, UI_VIEW_MAIN);
    g_assert_cmpint(press(&d, UI_KEY_CTRL_L).does, ==, UI_REDRAW);
    model_clear(&d.m);
}

/* A pause by the target comes and goes many times a second: on the screen it stays for a while. */
static void test_held_without_flicker(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    struct canvas *c = canvas_new(80, 24, true);
    d.m.drives[3].paused.by_target = false;
    for (int ms = 0; ms < UI_HELD_MS + 1000; ms += 500) {
        ui_tick(&d.ui, &d.m, d.now_ms + ms);
        ui_draw(&d.ui, &d.m, SCENE_NOW_S, c);
        g_autofree char *text = canvas_dump(c);
        g_assert_cmpint(strstr(text, "target\n") != NULL, ==, ms < UI_HELD_MS);
    }
    canvas_free(c);
    model_clear(&d.m);
}

static void test_events(void)
{
    struct desk d;
    desk_open(&d, scene_copy);
    d.m.drives[4].limit = 1 * M; /* somebody else: the log tells, not the message line */
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpstr(d.ui.message, ==, "");
    d.ui.selected = 2;
    type(&d, "s200M");
    press(&d, UI_KEY_ENTER);
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_nonnull(strstr(d.ui.message, "asked"));
    d.m.drives[2].limit = 200 * M; /* QEMU has confirmed */
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpstr(d.ui.message, ==, "scsi1 limit 120M/s > 200M/s   (z undoes)");
    d.m.drives[2].limit = 0;
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpstr(d.ui.message, ==, "scsi1 limit 200M/s > none   (z undoes)");
    d.m.drives[2].limit = d.m.drives[3].limit = 50 * M;
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpstr(d.ui.message, ==, "2 drives have a new limit");
    struct model_event e = {.type = MODEL_EV_REPLY, .ok = false, .text = "no such drive"};
    ui_event(&d.ui, &d.m, &e);
    g_assert_cmpstr(d.ui.message, ==, "no such drive");
    type(&d, "s");
    d.m.phase = MODEL_DONE; /* a question about a run that is over is none */
    ui_tick(&d.ui, &d.m, d.now_ms);
    g_assert_cmpint(d.ui.dialog, ==, UI_DIALOG_NONE);
    model_clear(&d.m);
}

static void test_names_of_keys(void)
{
    char name[KEY_NAME_LEN];
    g_assert_cmpstr(keymap_name('x', name), ==, "x");
    g_assert_cmpstr(keymap_name(UI_KEY_CTRL_L, name), ==, "Ctrl-L");
    g_assert_cmpstr(keymap_name(UI_KEY_PAGE_UP, name), ==, "PgUp");
    g_assert_cmpstr(keymap_name(0x9b, name), ==, "this key");
    g_assert_cmpstr(keymap_name(0xd800, name), ==, "this key");
    /* Each key the table names is one that can be typed. */
    for (unsigned i = 0; i < command_table_len; i++) {
        g_auto(GStrv) keys = g_strsplit(command_table[i].keys ? command_table[i].keys : "", " ", -1);
        for (unsigned k = 0; keys[k]; k++) {
            bool is_known = false;
            for (uint32_t key = 1; key <= UI_KEY_UNKNOWN; key++)
                is_known |= g_str_equal(keymap_name(key, name), keys[k]);
            if (!is_known)
                g_error("no key is named %s", keys[k]);
        }
    }
}

/* Whatever has a key does something, in each phase in which it may be given. */
static void test_all_keys(void)
{
    for (unsigned i = 0; i < command_table_len * MODEL_PHASES; i++) {
        const struct command_entry *entry = &command_table[i / MODEL_PHASES];
        enum model_phase phase = i % MODEL_PHASES;
        struct desk d;
        if (!entry->keys || !(entry->phases & COMMAND_IN(phase)))
            continue;
        g_auto(GStrv) keys = g_strsplit(entry->keys, " ", -1);
        desk_open(&d, scene_copy);
        d.m.phase = phase;
        struct ui before = d.ui;
        struct ui_action a = press(&d, keymap_key(keys[0]));
        before.now_ms = d.ui.now_ms;
        before.escape_until_ms = d.ui.escape_until_ms;
        bool is_idle = !a.does && memcmp(&before, &d.ui, sizeof before) == 0;
        g_assert_true(!is_idle || g_str_equal(entry->group, "MOVE")); /* no further that way */
        model_clear(&d.m);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/keys/move", test_move);
    g_test_add_func("/ui/keys/limit", test_limit);
    g_test_add_func("/ui/keys/limit-relative", test_limit_relative);
    g_test_add_func("/ui/keys/limit-of-data", test_limit_of_data);
    g_test_add_func("/ui/keys/nudge", test_nudge);
    g_test_add_func("/ui/keys/marks", test_marks);
    g_test_add_func("/ui/keys/drop", test_drop);
    g_test_add_func("/ui/keys/retry", test_retry);
    g_test_add_func("/ui/keys/plan", test_plan_keys);
    g_test_add_func("/ui/keys/engine", test_engine);
    g_test_add_func("/ui/keys/nearby", test_nearby);
    g_test_add_func("/ui/keys/themes", test_themes);
    g_test_add_func("/ui/keys/unlimit", test_unlimit);
    g_test_add_func("/ui/keys/pause", test_pause);
    g_test_add_func("/ui/keys/cancel-wants-the-name", test_cancel_wants_the_name);
    g_test_add_func("/ui/keys/dialogs-are-deaf-first", test_dialogs_are_deaf_first);
    g_test_add_func("/ui/keys/quit", test_quit);
    g_test_add_func("/ui/keys/begin", test_begin);
    g_test_add_func("/ui/keys/unknown", test_unknown_keys);
    g_test_add_func("/ui/keys/readonly", test_readonly);
    g_test_add_func("/ui/keys/views", test_views);
    g_test_add_func("/ui/keys/held-without-flicker", test_held_without_flicker);
    g_test_add_func("/ui/keys/events", test_events);
    g_test_add_func("/ui/keys/names", test_names_of_keys);
    g_test_add_func("/ui/keys/all", test_all_keys);
    return g_test_run();
}
