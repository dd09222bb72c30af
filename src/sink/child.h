// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* "|COMMAND": a pipe into `sh -c COMMAND`, and what became of the command. */
#include "sink/backend.h"

struct sink *child_open(uv_loop_t *loop, const char *command, GError **error);
