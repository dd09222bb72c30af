// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Lines from standard input, where somebody can command there: a terminal whose foreground we are, or a pipe. A file,
 * /dev/null and a background job's terminal cannot.
 *
 *     struct input *in = input_open(loop, on_line, user);     // NULL: nobody commands
 *     input_close(in);
 */
#include <stdbool.h>
#include <uv.h>
#include "base/lines.h"

struct input;
struct input *input_open(uv_loop_t *loop, lines_on_line on_line, void *user);
/* Frees it when its handle is closed. NULL is allowed. */
void input_close(struct input *in);
