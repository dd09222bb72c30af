// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console: the loop that carries both the run and its screen. Frames come twice a second, after a key at
 * once; nothing here ever waits for the terminal. When the terminal is lost, or given back, a run of ours
 * goes on without it; one that is only watched does so anyway.
 */
#include "console/app_inside.h"

#include <signal.h>
#include <stdio.h>

#include "base/signals_uv.h"
#include "console/report.h"
#include "console/themes.h"
#include "front/headless.h"
#include "model/json.h"
#include "ui/tty.h"

#define FRAME_MS      500
#define SLOW_FRAME_MS 1000 /* when the terminal had not taken the last one yet */
#define KEY_FRAME_MS  30
#define FIRST_MS      300 /* a connect that is quicker is not shown */
#define WHEEL_ROWS    3
#define STOP_SURE_MS  5000

static const int caught[APP_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};

static void on_event(void *user, const struct model_event *e);
static void on_done(void *user);
static void on_detach(void *user);
static const struct feed_listener listener = {on_event, on_done, on_detach};

static void on_clock(uv_timer_t *timer);
static void on_tty(uv_poll_t *poll, int status, int events);

/* ---- frames ---- */

static void draw_in(struct app *a, uint64_t ms)
{
    if (a->screen && (!uv_is_active((uv_handle_t *)&a->clock) || uv_timer_get_due_in(&a->clock) > ms))
        uv_timer_start(&a->clock, on_clock, ms, 0);
}

/* The terminal is watched for room only while there is something to write. */
static void watch_tty(struct app *a)
{
    int events = UV_READABLE | UV_DISCONNECT | (term_pending(a->screen->term) ? UV_WRITABLE : 0);
    uv_poll_start(&a->tty, events, on_tty);
}

/* ---- the clock ---- */

/* In the background the terminal is left alone, and looked at again by and by: touching it would stop us, and
 * a stopped backup stalls its guest. */
static bool has_terminal(struct app *a)
{
    if (tty_is_gone(a->screen->fd)) {
        app_go_headless(a);
        return false;
    }
    bool is_ours = tty_is_ours(a->screen->fd);
    if (!is_ours) {
        uv_poll_stop(&a->tty);
        draw_in(a, FRAME_MS);
    } else if (a->is_background) {
        screen_resume(a->screen);
    }
    a->is_background = !is_ours;
    return is_ours;
}

/* "26% web-01": for who looks at the window's title, or a list of windows. */
static void show_title(struct app *a, const struct model *m)
{
    char title[MODEL_TEXT_LEN];
    if (m->phase == MODEL_DONE)
        model_set(title, "%s %s", m->end.exit_status ? "FAILED" : "saved", m->guest);
    else
        model_set(title, "%u%% %s", model_percent(m->done, m->total), m->guest);
    if (!a->wants_title || !*m->guest || g_str_equal(title, a->title))
        return;
    term_title(a->screen->term, title);
    g_strlcpy(a->title, title, sizeof a->title);
}

static void on_clock(uv_timer_t *timer)
{
    struct app *a = timer->data;
    const struct model *m = feed_model(a->feed);
    if (!has_terminal(a))
        return;
    bool is_shown = screen_draw(a->screen, m);
    a->was_drawn = true;
    if (term_pump(a->screen->term)) {
        show_title(a, m);
        term_pump(a->screen->term);
    }
    watch_tty(a);
    /* Nothing moves any more: no clock. A message still has to go. */
    if (ui_is_moving(m) || a->screen->ui.message_until_ms > a->screen->ui.now_ms || !is_shown)
        draw_in(a, is_shown ? FRAME_MS : SLOW_FRAME_MS);
}

/* ---- keys ---- */

static void on_written(void *user, const char *said, const GError *error)
{
    struct app *a = user;
    if (!a->screen)
        return;
    ui_say(&a->screen->ui, error ? MODEL_ERROR : MODEL_INFO, "%s", error ? error->message : said);
    draw_in(a, 0);
}

static void report(struct app *a)
{
    const struct model *m = feed_model(a->feed);
    int64_t now_us = g_get_real_time();
    struct json_stream *json = json_stream_new("vmabackup-tui", feed_run_id(a->feed));
    g_autofree char *base = report_base(m);
    report_write(&a->loop, ui_report(&a->screen->ui, m, now_us / G_USEC_PER_SEC), json_stream_state(json, m, now_us),
                 base, on_written, a);
    json_stream_free(json);
}

/* Another run in the place of the one that is over. */
static void begin_anew(struct app *a)
{
    struct backup_options options;
    if (!a->is_done || !feed_next(a->feed, &options))
        return;
    app_judge(a);
    a->outcome[0] = '\0';
    feed_free(a->feed); /* nothing of it is in the loop any more: its end was an event before this key */
    a->feed = feed_of_run(&a->loop, &options, &listener, a);
    backup_options_clear(&options);
    a->is_done = false;
    ui_begin_anew(&a->screen->ui);
    feed_start(a->feed);
}

static void on_themes(void *user, GArray *themes)
{
    struct app *a = user;
    a->is_reading = false;
    if (a->screen)
        screen_take_themes(a->screen, themes);
    else
        g_array_unref(themes);
    draw_in(a, 0);
}

static void act(struct app *a, const struct ui_action *action)
{
    g_autoptr(GError) error = NULL;
    enum model_phase phase = feed_model(a->feed)->phase;
    switch (action->does) {
    case UI_COMMAND:
        if (!feed_command(a->feed, &action->command, &error))
            ui_say(&a->screen->ui, MODEL_ERROR, "%s", error->message);
        break;
    case UI_LEAVE:
        app_end(a, !feed_is_own(a->feed) ? 0 : phase <= MODEL_CONNECT_FAILED ? 5 : 4, "operator");
        break;
    case UI_DETACH:
        app_detach(a);
        break;
    case UI_REDRAW:
        term_redraw(a->screen->term);
        break;
    case UI_MOUSE:
        screen_toggle_mouse(a->screen);
        break;
    case UI_LOAD_THEMES:
        a->is_reading = a->is_reading || themes_read(&a->loop, a->screen->theme_file, on_themes, a);
        break;
    case UI_SHOW_THEME:
        screen_show_theme(a->screen, action->theme);
        break;
    case UI_REPORT:
        report(a);
        break;
    case UI_NEW:
        begin_anew(a);
        break;
    case UI_NOTHING:
        break;
    }
}

/* A notch of the wheel is three rows. */
static void take_key(struct app *a, uint32_t key)
{
    unsigned notches = key == UI_KEY_WHEEL_UP || key == UI_KEY_WHEEL_DOWN ? WHEEL_ROWS : 0;
    for (unsigned i = 0; i < notches; i++)
        take_key(a, key == UI_KEY_WHEEL_UP ? UI_KEY_UP : UI_KEY_DOWN);
    if (notches)
        return;
    struct ui_action action = ui_key(&a->screen->ui, key, feed_model(a->feed), g_get_monotonic_time() / 1000);
    act(a, &action);
    while (a->screen && ui_more(&a->screen->ui, feed_model(a->feed), &action))
        act(a, &action);
    draw_in(a, a->was_drawn ? KEY_FRAME_MS : 0);
}

static void on_tty(uv_poll_t *poll, int status, int events)
{
    struct app *a = poll->data;
    uint32_t key;
    if (!has_terminal(a))
        return;
    while (a->screen && (events & UV_READABLE) && screen_key(a->screen, &key))
        take_key(a, key);
    if (!a->screen)
        return;
    term_pump(a->screen->term);
    watch_tty(a);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int number);

/* Stopping us stalls what the guest writes: it takes a second Ctrl-Z. */
static bool is_sure_to_stop(struct app *a)
{
    int64_t now_ms = g_get_monotonic_time() / 1000;
    if (!app_is_begun(a) || (a->stop_asked_ms && now_ms - a->stop_asked_ms < STOP_SURE_MS))
        return true;
    a->stop_asked_ms = now_ms;
    ui_say(&a->screen->ui, MODEL_WARNING, "stopping stalls the guest's writes: Ctrl-Z again does it, q d detaches");
    draw_in(a, 0);
    return false;
}

/* Stops as the shell expects it, and is back when the shell continues us. */
static void stop(struct app *a)
{
    if (!is_sure_to_stop(a))
        return;
    a->stop_asked_ms = 0;
    screen_suspend(a->screen);
    for (unsigned i = 0; i < G_N_ELEMENTS(caught); i++)
        if (caught[i] == SIGTSTP) {
            uv_signal_stop(&a->signals[i]);
            signal(SIGTSTP, SIG_DFL);
            kill(0, SIGTSTP); /* not SIGSTOP: an orphaned group would hang */
            uv_signal_start(&a->signals[i], on_signal, SIGTSTP);
        }
    a->is_background = true; /* until seen otherwise */
    draw_in(a, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *a = handle->data;
    if (number == SIGTERM) {
        app_end(a, 128 + SIGTERM, "SIGTERM");
    } else if (!a->screen) {
        if (number == SIGINT)
            app_end(a, 128 + SIGINT, "SIGINT");
    } else if (number == SIGHUP) {
        app_go_headless(a);
    } else if (number == SIGINT) {
        take_key(a, UI_KEY_CTRL_C);
    } else if (number == SIGTSTP) {
        stop(a);
    } else if (number == SIGCONT) { /* somebody may have used the terminal meanwhile */
        a->is_background = true;
        draw_in(a, 0);
    } else if (number == SIGWINCH) {
        screen_resize(a->screen);
        draw_in(a, 0);
    }
}

/* ---- the run ---- */

static bool is_worth_a_bell(const struct model *m, const struct model_event *e)
{
    return e->type == MODEL_EV_RESULT ||
           (e->type == MODEL_EV_DRIVE && e->drive >= 0 && m->drives[e->drive].state == MODEL_FAIL);
}

static void on_event(void *user, const struct model_event *e)
{
    struct app *a = user;
    if (!a->screen)
        return;
    ui_event(&a->screen->ui, feed_model(a->feed), e);
    if (a->wants_bell && is_worth_a_bell(feed_model(a->feed), e))
        term_bell(a->screen->term);
    draw_in(a, e->type == MODEL_EV_PHASE ? 0 : FRAME_MS);
}

static void on_done(void *user)
{
    struct app *a = user;
    const GError *error = feed_error(a->feed);
    a->is_done = true;
    if (a->is_leaving || !a->screen || a->screen->ui.wants_to_leave) {
        app_leave(a);
        return;
    }
    if (error) /* what was last known stays on the screen */
        ui_say(&a->screen->ui, MODEL_WARNING, "%s", error->message);
    else if (feed_model(a->feed)->phase != MODEL_DONE)
        ui_say(&a->screen->ui, MODEL_INFO, "the recording ends here");
    draw_in(a, 0);
}

static void on_detach(void *user)
{
    app_detach(user);
}

static void start(struct app *a)
{
    signal(SIGTTOU, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    uv_poll_init(&a->loop, &a->tty, a->screen->fd);
    uv_timer_init(&a->loop, &a->clock);
    a->tty.data = a->clock.data = a;
    watch_tty(a);
    draw_in(a, FIRST_MS);
    signals_uv_catch(&a->loop, a->signals, caught, G_N_ELEMENTS(caught), on_signal, a);
    screen_is_guarded(a->screen);
    feed_start(a->feed);
}

static struct feed *open_feed(struct app *a, const struct console_options *o, GError **error)
{
    struct backup_options options = o->backup;
    if (o->attach)
        return feed_of_remote(&a->loop, o->attach, &listener, a, error);
    if (o->replay)
        return feed_of_file(&a->loop, o->replay, o->speed, &listener, a, error);
    options.wait_for_begin = !o->begins_at_once;
    options.reconnect_forever = true;
    return feed_of_run(&a->loop, &options, &listener, a);
}

static void adapt_screen(struct app *a)
{
    struct ui *ui = &a->screen->ui;
    bool is_own = feed_is_own(a->feed);
    ui->is_visitor = !is_own;
    ui->may_detach = is_own;
    ui->is_readonly |= feed_is_recorded(a->feed);
}

int app_run(const struct console_options *o, struct screen *screen, GError **error)
{
    struct app a = {.screen = screen, .wants_title = o->wants_title, .wants_bell = o->wants_bell};
    a.said = g_string_new(NULL);
    uv_loop_init(&a.loop);
    a.feed = open_feed(&a, o, error);
    if (!a.feed) {
        uv_loop_close(&a.loop);
        screen_close(screen);
        g_string_free(a.said, TRUE);
        return -1;
    }
    adapt_screen(&a);
    start(&a);
    uv_run(&a.loop, UV_RUN_DEFAULT);
    fputs(a.said->str, stdout);
    g_string_free(a.said, TRUE);
    headless_close_loop(&a.loop, a.exit_status);
    feed_free(a.feed);
    return a.exit_status;
}
