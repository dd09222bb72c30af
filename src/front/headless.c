// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/headless.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/signals_uv.h"
#include "front/input.h"
#include "front/supervise.h"
#include "log/textout.h"
#include "model/json.h"
#include "model/plain.h"

#define CLOSING_MS 5000 /* longest that what is closing is waited for */

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

struct headless {
    const struct headless_options *options;
    uv_loop_t loop;
    uv_signal_t signals[G_N_ELEMENTS(caught)];
    struct feed *feed;
    struct plain *plain; /* one of the two */
    struct json_stream *json;
    struct textout *out; /* NULL: detached, nobody listens */
    struct input *input;
    bool is_leaving; /* only this program ends, not the run: */
    int left_with;   /* with this status */
};

/* --- telling ------------------------------------------------------------------------------------ */

static void on_event(void *user, const struct model_event *e)
{
    struct headless *h = user;
    const struct model *m = feed_model(h->feed);
    if (!h->out)
        return;
    if (!h->json && !h->plain) /* only now is the run's name known */
        h->json = json_stream_new(h->options->program, feed_run_id(h->feed));
    g_autofree char *text = h->json ? json_stream_event(h->json, m, e, g_get_real_time())
                                    : plain_event(h->plain, m, e, g_get_real_time() / G_USEC_PER_SEC);
    textout_write(h->out, text);
}

/* --- leaving ------------------------------------------------------------------------------------ */

static void on_done(void *user)
{
    struct headless *h = user;
    signals_uv_close(h->signals, G_N_ELEMENTS(h->signals));
    input_close(g_steal_pointer(&h->input));
    uv_stop(&h->loop);
}

/* A run of ours goes on by itself; any other does so anyway. */
static void on_detach(void *user)
{
    struct headless *h = user;
    input_close(g_steal_pointer(&h->input));
    h->is_leaving = !feed_is_own(h->feed);
    if (h->is_leaving) {
        feed_cancel(h->feed, 0, NULL);
        return;
    }
    textout_close(g_steal_pointer(&h->out), false);
    supervise_release();
}

static void on_line(void *user, const char *line, size_t len)
{
    struct headless *h = user;
    feed_line(h->feed, line);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct headless *h = handle->data;
    if (number == SIGINT || number == SIGTERM) {
        h->is_leaving = !feed_is_own(h->feed);
        h->left_with = 128 + number;
        feed_cancel(h->feed, h->left_with, number == SIGINT ? "SIGINT" : "SIGTERM");
    } else if (number == SIGTSTP && feed_is_own(h->feed)) {
        fprintf(stderr, "%s: not stopping: a stopped backup would stall the guest's writes\n", h->options->program);
    } else if (number == SIGTSTP) {
        raise(SIGSTOP);
    } /* SIGHUP: a lost terminal never costs a backup */
}

/* --- its life ----------------------------------------------------------------------------------- */

static struct feed *open_feed(struct headless *h, GError **error)
{
    static const struct feed_listener listener = {on_event, on_done, on_detach};
    const struct headless_options *o = h->options;
    if (o->remote)
        return feed_of_remote(&h->loop, o->remote, &listener, h, error);
    if (o->recording)
        return feed_of_file(&h->loop, o->recording, 0, &listener, h, error);
    return feed_of_run(&h->loop, o->run, &listener, h);
}

/* Standard output is the archive's, or the command's; JSON was asked for and stays there. */
static int out_fd(const struct headless_options *o)
{
    const char *target = o->run && o->run->target ? o->run->target : "";
    return g_str_equal(target, "-") || (*target == '|' && !o->is_json) ? STDERR_FILENO : STDOUT_FILENO;
}

/* Standard error has a reader of its own: cron's mail, or a log. */
static bool is_stderr_apart(void)
{
    struct stat out, err;
    return !isatty(STDOUT_FILENO) && fstat(STDERR_FILENO, &err) == 0 &&
           (fstat(STDOUT_FILENO, &out) < 0 || out.st_dev != err.st_dev || out.st_ino != err.st_ino);
}

/* Standard output may go to /dev/null. */
static void tell_of_failure(const struct headless *h)
{
    const struct model_end *end = &feed_model(h->feed)->end;
    if (end->exit_status && is_stderr_apart())
        fprintf(stderr, "%s: %s%s%s\n", h->options->program, end->outcome, *end->next ? "; next: " : "", end->next);
}

static int exit_status(struct headless *h)
{
    const GError *error = feed_error(h->feed);
    if (!error && !h->is_leaving && !h->options->recording)
        tell_of_failure(h);
    if (error)
        fprintf(stderr, "%s: %s\n", h->options->program, error->message);
    return error                   ? vmb_error_exit_status(error)
           : h->is_leaving         ? h->left_with
           : h->options->recording ? 0
                                   : feed_model(h->feed)->end.exit_status;
}

static void on_patience_over(uv_timer_t *timer)
{
    timer->data = NULL;
}

/* The removal of an unfinished file may still be in the thread pool, and a busy machine takes its time. */
void headless_close_loop(uv_loop_t *loop, int status)
{
    uv_timer_t patience;

    uv_timer_init(loop, &patience);
    patience.data = loop;
    uv_timer_start(&patience, on_patience_over, CLOSING_MS, 0);
    uv_unref((uv_handle_t *)&patience);
    while (patience.data && uv_loop_alive(loop))
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    if (uv_loop_close(loop) != 0) {
        fflush(NULL);
        _exit(status);
    }
}

static int run(struct headless *h)
{
    h->out = textout_new(&h->loop, out_fd(h->options), false);
    h->plain = h->options->is_json ? NULL : plain_new(h->options->interval_s);
    signal(SIGPIPE, SIG_IGN);
    signals_uv_catch(&h->loop, h->signals, caught, G_N_ELEMENTS(caught), on_signal, h);
    h->input = input_open(&h->loop, on_line, h);
    feed_start(h->feed);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    textout_close(h->out, true);
    int status = exit_status(h);
    headless_close_loop(&h->loop, status);
    feed_free(h->feed);
    g_clear_pointer(&h->plain, plain_free);
    g_clear_pointer(&h->json, json_stream_free);
    return status;
}

int headless_run(const struct headless_options *o)
{
    struct headless h = {.options = o};
    g_autoptr(GError) error = NULL;
    uv_loop_init(&h.loop);
    h.feed = open_feed(&h, &error);
    if (h.feed)
        return run(&h);
    uv_loop_close(&h.loop);
    fprintf(stderr, "%s: %s\n", o->program, error->message);
    return vmb_error_exit_status(error);
}
