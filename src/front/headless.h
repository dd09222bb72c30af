// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A feed without a screen: told in plain or JSON lines on standard output, steered by commands on standard input, ended
 * by SIGINT and SIGTERM. Both programs use it.
 *
 *     struct headless_options o = {.program = "vmabackup", .run = &options, .interval_s = 60};
 *     return headless_run(&o);
 */
#include "front/feed.h"

struct headless_options {
    const char *program;
    /* one of the three */
    const struct backup_options *run;
    const char *remote; /* path of a control socket */
    const char *recording;
    bool is_json;
    unsigned interval_s; /* progress at least this often, 0 = 60 */
};
/* The exit status. */
int headless_run(const struct headless_options *o);
/* Lets what is closing close, and the loop; what hangs on a disk that does not answer cannot be ended, so the process
 * is. */
void headless_close_loop(uv_loop_t *loop, int exit_status);
