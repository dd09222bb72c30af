// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The two faces of a run in this program. Both return the exit status. */
#include "console/options.h"
#include "console/screen.h"

/* With a screen, which is opened already and given back here. */
int app_run(const struct console_options *o, struct screen *screen);
/* In lines, where there is no terminal. */
int lines_run(const struct console_options *o);
/* Closes the loop; what hangs on a disk that does not answer cannot be ended, so the process is. */
void app_close_loop(uv_loop_t *loop, int exit_status);
