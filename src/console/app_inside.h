// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the files of app.h share: app.c (the loop, keys, frames), app_leave.c (how it ends, and what is told then). */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "console/app.h"
#include "front/feed.h"

#define APP_SIGNALS 6

struct app {
    uv_loop_t loop;
    uv_poll_t tty;
    uv_timer_t clock;
    uv_signal_t signals[APP_SIGNALS];
    struct feed *feed;
    struct screen *screen; /* NULL: the terminal is lost, or given back */
    bool is_done;          /* the run is */
    bool is_leaving;       /* as soon as it is */
    bool was_drawn;
    bool is_background;    /* the shell has the terminal */
    int64_t stop_asked_ms; /* Ctrl-Z, once */
    bool wants_title, wants_bell;
    bool is_reading; /* themes */
    char title[MODEL_TEXT_LEN];
    char outcome[MODEL_TEXT_LEN * 2];
    GString *said;   /* the lines that stay on the normal screen */
    int exit_status; /* of the last run that has begun */
};

/* A run of ours that leaving would end. */
bool app_is_begun(struct app *a);
/* How the run has ended, in a line and as a number. */
void app_judge(struct app *a);
void app_leave(struct app *a);
/* Only asked where nothing runs, or after the run was cancelled. */
void app_end(struct app *a, int exit_status, const char *by_whom);
/* The terminal is lost. */
void app_go_headless(struct app *a);
/* The operator gives it back. */
void app_detach(struct app *a);
