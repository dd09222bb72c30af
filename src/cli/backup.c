// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup backup`: a run without a screen, told in plain or JSON lines, steered by commands on standard input. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "backup/backup.h"
#include "backup/options.h"
#include "backup/textout.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cli.h"
#include "model/json.h"
#include "model/plain.h"

struct app {
    uv_loop_t loop;
    struct backup *backup;
    struct plain *plain;
    struct json_stream *json;
    struct textout *out;
    uv_signal_t signals[4];
    uv_pipe_t input;
    uv_tty_t tty;
    uv_stream_t *stdin_stream; /* NULL: nobody commands */
    GString *line;
    char read_buffer[1024];
    int exit_status;
    bool is_done;
};

/* --- telling ------------------------------------------------------------------------------------ */

static void tell(struct app *a, const struct model_event *e)
{
    const struct model *m = backup_model(a->backup);
    g_autofree char *text = a->json ? json_stream_event(a->json, m, e, g_get_real_time())
                                    : plain_event(a->plain, m, e, g_get_real_time() / G_USEC_PER_SEC);

    if (text)
        textout_write(a->out, text);
}

static void on_event(void *user, const struct model_event *e)
{
    tell(user, e);
}

/* --- commands ----------------------------------------------------------------------------------- */

static char *status_line(struct app *a)
{
    const struct model *m = backup_model(a->backup);
    GString *s = g_string_new(model_phase_word(m->phase));
    char done[UNITS_LEN], total[UNITS_LEN], rate[UNITS_LEN];

    g_string_append_printf(s, ": %s of %s, %s", units_format_size(m->done, done), units_format_size(m->total, total),
                           units_format_rate(m->in_rate, rate));
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (d->is_included)
            g_string_append_printf(s, "; %s %s %s of %s", d->name, model_state_word(d->state),
                                   units_format_size(d->done, done), units_format_size(d->size, total));
    }
    return g_string_free(s, FALSE);
}

static void reply(struct app *a, int64_t id, bool ok, const char *text)
{
    tell(a, &(struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .id = id, .ok = ok, .text = text});
}

static void run_command(struct app *a, const char *line)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    struct command c;
    bool is_json = line[strspn(line, " \t")] == '{';

    if (!line[strspn(line, " \t\r")])
        return;
    command_init(&c, COMMAND_NONE);
    if (!(is_json ? command_parse_json(line, &c, &error) : command_parse_line(line, &c, &error))) {
        reply(a, c.id, false, error->message);
        return;
    }
    if (c.verb == COMMAND_STATUS)
        text = status_line(a);
    else if (c.verb == COMMAND_HELP)
        text = command_describe();
    else if (!backup_command(a->backup, &c, &error)) {
        reply(a, c.id, false, error->message);
        return;
    }
    reply(a, c.id, true, text);
}

static void take_input(struct app *a, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n') {
            if (a->line->len < sizeof a->read_buffer)
                g_string_append_c(a->line, bytes[i] ? bytes[i] : '?');
            continue;
        }
        run_command(a, a->line->str);
        g_string_truncate(a->line, 0);
        if (a->is_done)
            return;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct app *a = handle->data;

    (void)suggested;
    *buf = uv_buf_init(a->read_buffer, sizeof a->read_buffer);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct app *a = stream->data;

    if (n < 0)
        uv_read_stop(stream);
    else
        take_input(a, buf->base, n);
}

/* A terminal or a pipe can command; a file, /dev/null or a background job's terminal cannot. */
static void open_input(struct app *a)
{
    uv_handle_type type = uv_guess_handle(0);
    bool is_foreground = tcgetpgrp(0) == getpgrp();

    if (type == UV_TTY && is_foreground && uv_tty_init(&a->loop, &a->tty, 0, 1) == 0)
        a->stdin_stream = (uv_stream_t *)&a->tty;
    else if (type == UV_NAMED_PIPE && uv_pipe_init(&a->loop, &a->input, 0) == 0) {
        a->stdin_stream = (uv_stream_t *)&a->input;
        if (uv_pipe_open(&a->input, 0) < 0) {
            uv_close((uv_handle_t *)&a->input, NULL);
            a->stdin_stream = NULL;
        }
    }
    if (!a->stdin_stream)
        return;
    a->stdin_stream->data = a;
    uv_read_start(a->stdin_stream, on_alloc, on_input);
}

/* --- signals ------------------------------------------------------------------------------------ */

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *a = handle->data;

    switch (number) {
    case SIGINT:
    case SIGTERM:
        backup_cancel(a->backup, 128 + number, number == SIGINT ? "SIGINT" : "SIGTERM");
        break;
    case SIGTSTP:
        fputs("vmabackup: not stopping: a stopped backup would stall the guest's writes\n", stderr);
        break;
    default: /* SIGHUP: a lost terminal never costs a backup */
        break;
    }
}

static void catch_signals(struct app *a)
{
    static const int numbers[G_N_ELEMENTS(a->signals)] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        uv_signal_init(&a->loop, &a->signals[i]);
        a->signals[i].data = a;
        uv_signal_start(&a->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&a->signals[i]);
    }
}

/* --- the run ------------------------------------------------------------------------------------ */

static void on_done(void *user)
{
    struct app *a = user;

    a->is_done = true;
    a->exit_status = backup_model(a->backup)->exit_status;
    for (unsigned i = 0; i < G_N_ELEMENTS(a->signals); i++)
        uv_close((uv_handle_t *)&a->signals[i], NULL);
    if (a->stdin_stream)
        uv_close((uv_handle_t *)a->stdin_stream, NULL);
    uv_stop(&a->loop);
}

/* What is still open after the end hangs in the pool on a disk that does not answer: nothing can end that. */
static void leave_if_stuck(struct app *a)
{
    for (unsigned i = 0; i < 100 && uv_loop_alive(&a->loop); i++)
        uv_run(&a->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&a->loop) != 0) {
        fflush(NULL);
        _exit(a->exit_status);
    }
}

static int run(const struct backup_options *options, bool is_json, unsigned interval_s)
{
    static const struct backup_listener listener = {.on_event = on_event, .on_done = on_done};
    struct app *a = g_new0(struct app, 1);
    g_autofree char *job = g_strdup_printf("%08x", g_random_int());
    bool is_other;
    int status;

    uv_loop_init(&a->loop);
    /* Standard output is the archive's, or the command's; JSON was asked for and stays there. */
    is_other = g_strcmp0(options->target, "-") == 0 || (*options->target == '|' && !is_json);
    a->out = textout_new(&a->loop, is_other ? STDERR_FILENO : STDOUT_FILENO, false);
    a->line = g_string_new(NULL);
    if (is_json)
        a->json = json_stream_new("vmabackup", job);
    else
        a->plain = plain_new(interval_s);
    a->backup = backup_new(&a->loop, options, &listener, a);
    catch_signals(a);
    open_input(a);
    backup_connect(a->backup);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    textout_close(a->out, true);
    leave_if_stuck(a);
    backup_free(a->backup);
    g_clear_pointer(&a->plain, plain_free);
    g_clear_pointer(&a->json, json_stream_free);
    g_string_free(a->line, TRUE);
    status = a->exit_status;
    g_free(a);
    return status;
}

static bool parse(int *argc, char ***argv, struct backup_options *o, gboolean *is_json, int *interval_s, GError **error)
{
    gboolean is_plain = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, is_json, "Tell progress as JSON lines", NULL},
        {"plain", 0, 0, G_OPTION_ARG_NONE, &is_plain, "Tell progress as plain lines (default)", NULL},
        {"interval", 0, 0, G_OPTION_ARG_INT, interval_s, "Progress at least this often (default 60)", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    if (!cli_parse_group(argc, argv, entries, backup_options_group(o), "MONITOR",
                         "Saves a running guest into a VMA archive.", error))
        return false;
    if (*argc != 2 || !o->target || *interval_s < 1) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "%s; see `vmabackup backup --help`",
                    *argc != 2 ? "name one monitor" : !o->target ? "name a target by -o" : "interval must be at least 1");
        return false;
    }
    o->monitor = g_strdup((*argv)[1]);
    return backup_options_check(o, error);
}

int cli_backup(int argc, char **argv)
{
    struct backup_options options;
    g_autoptr(GError) error = NULL;
    gboolean is_json = FALSE;
    int interval_s = 60, status;

    backup_options_init(&options);
    if (!parse(&argc, &argv, &options, &is_json, &interval_s, &error))
        status = cli_fail(error);
    else
        status = run(&options, is_json, interval_s);
    backup_options_clear(&options);
    return status;
}
