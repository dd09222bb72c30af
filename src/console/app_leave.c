// SPDX-License-Identifier: GPL-2.0-or-later
/* How the console ends: by its operator, with the run, without its terminal; and the lines it leaves behind. */
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "base/signals_uv.h"
#include "console/app_inside.h"
#include "front/supervise.h"

static void close_screen(struct app *a)
{
    if (!a->screen)
        return;
    uv_close((uv_handle_t *)&a->tty, NULL);
    uv_close((uv_handle_t *)&a->clock, NULL);
    screen_close(a->screen);
    a->screen = NULL;
}

/* The one line that stays on the normal screen. */
static void note_outcome(struct app *a, const char *outcome, const char *next)
{
    const struct model *m = feed_model(a->feed);
    model_set(a->outcome, "%s: %s%s%s", *m->guest ? m->guest : m->monitor, outcome, *next ? "; " : "", next);
}

/* A run that was only planned, after one that has ended, is not. */
static bool is_worth_telling(struct app *a)
{
    return !a->said->len || feed_model(a->feed)->started_s;
}

static void say_outcome(struct app *a)
{
    const struct model *m = feed_model(a->feed);
    g_string_append_printf(a->said, "%s\n", a->outcome);
    if (*m->end.sha256)
        g_string_append_printf(a->said, "%s  %s\n", m->end.sha256, m->target);
}

void app_judge(struct app *a)
{
    const struct model *m = feed_model(a->feed);
    const GError *error = feed_error(a->feed);
    bool is_over = m->phase == MODEL_DONE && !feed_is_recorded(a->feed);
    if (!is_worth_telling(a))
        return;
    a->exit_status = error ? vmb_error_exit_status(error) : is_over ? m->end.exit_status : a->exit_status;
    if (!*a->outcome && error)
        model_set(a->outcome, "%s", error->message);
    else if (!*a->outcome && feed_is_recorded(a->feed))
        note_outcome(a, "end of the replay", "");
    else if (!*a->outcome)
        note_outcome(a, *m->end.outcome ? m->end.outcome : "nothing was saved", m->end.next);
    say_outcome(a);
}

void app_leave(struct app *a)
{
    app_judge(a);
    close_screen(a);
    signals_uv_close(a->signals, G_N_ELEMENTS(a->signals));
    uv_stop(&a->loop);
}

bool app_is_begun(struct app *a)
{
    if (!feed_is_own(a->feed))
        return false;
    enum model_phase phase = feed_model(a->feed)->phase;
    return phase >= MODEL_PREPARE && phase != MODEL_DONE;
}

void app_end(struct app *a, int exit_status, const char *by_whom)
{
    const struct model *m = feed_model(a->feed);
    bool is_own = feed_is_own(a->feed);
    a->is_leaving = true;
    if (is_worth_telling(a)) /* of a run that is not ours, or not over */
        a->exit_status = exit_status;
    if (!a->is_done && is_own && !app_is_begun(a))
        note_outcome(a, "nothing was saved", m->phase == MODEL_CONNECT_FAILED ? m->link.failure : "");
    else if (!a->is_done && !is_own)
        note_outcome(a, feed_is_recorded(a->feed) ? "end of the replay" : "the backup goes on", "");
    if (a->is_done)
        app_leave(a);
    else
        feed_cancel(a->feed, exit_status, by_whom);
}

/* The terminal is lost. A backup under way goes on, its log tells the rest; without one there is nothing to
 * do. */
void app_go_headless(struct app *a)
{
    close_screen(a);
    a->is_leaving = true;
    if (app_is_begun(a))
        supervise_release();
    else
        app_end(a, 128 + SIGHUP, "a lost terminal");
}

/* The operator gives it back; how to come again stays on the screen. */
void app_detach(struct app *a)
{
    if (!app_is_begun(a)) {
        app_end(a, 0, "operator");
        return;
    }
    const char *guest = feed_model(a->feed)->guest;
    close_screen(a);
    fputs(a->said->str, stdout);
    g_string_truncate(a->said, 0);
    printf("%s: the backup goes on; vmabackup-tui --attach %s shows it again\n", guest, feed_run_id(a->feed));
    fflush(stdout);
    a->is_leaving = true;
    supervise_release();
}
