// SPDX-License-Identifier: GPL-2.0-or-later
/* The same run where there is no screen: one fact per line, no commands. `vmabackup backup` has more of it.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "backup/textout.h"
#include "console/app.h"
#include "model/plain.h"

#define INTERVAL_S 60

struct lines {
    uv_loop_t loop;
    uv_signal_t signals[4];
    struct backup *backup;
    struct plain *plain;
    struct textout *out;
    int exit_status;
};

static void on_event(void *user, const struct model_event *e)
{
    struct lines *l = user;
    g_autofree char *text =
        plain_event(l->plain, backup_model(l->backup), e, g_get_real_time() / G_USEC_PER_SEC);
    if (text)
        textout_write(l->out, text);
}

static void on_done(void *user)
{
    struct lines *l = user;
    l->exit_status = backup_model(l->backup)->exit_status;
    for (unsigned i = 0; i < G_N_ELEMENTS(l->signals); i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
    uv_stop(&l->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct lines *l = handle->data;
    if (number == SIGINT || number == SIGTERM)
        backup_cancel(l->backup, 128 + number, number == SIGINT ? "SIGINT" : "SIGTERM");
    else if (number == SIGTSTP)
        fputs("vmabackup-tui: not stopping: a stopped backup stalls the guest's writes\n", stderr);
}

void app_close_loop(uv_loop_t *loop, int exit_status)
{
    for (unsigned i = 0; i < 100 && uv_loop_alive(loop); i++)
        uv_run(loop, UV_RUN_NOWAIT);
    if (uv_loop_close(loop) != 0) {
        fflush(NULL);
        _exit(exit_status);
    }
}

int lines_run(const struct console_options *o)
{
    static const struct backup_listener listener = {.on_event = on_event, .on_done = on_done};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
    int fd = g_strcmp0(o->backup.target, "-") == 0 ? STDERR_FILENO : STDOUT_FILENO;
    struct lines l = {0};
    uv_loop_init(&l.loop);
    l.out = textout_new(&l.loop, fd, false);
    l.plain = plain_new(INTERVAL_S);
    l.backup = backup_new(&l.loop, &o->backup, &listener, &l);
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        uv_signal_init(&l.loop, &l.signals[i]);
        l.signals[i].data = &l;
        uv_signal_start(&l.signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&l.signals[i]);
    }
    backup_connect(l.backup);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    textout_close(l.out, true);
    app_close_loop(&l.loop, l.exit_status);
    backup_free(l.backup);
    plain_free(l.plain);
    return l.exit_status;
}
