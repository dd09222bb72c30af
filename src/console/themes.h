// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The list of themes (ui/theme.h) read by a worker: its files may lie on a disk that hangs. One at a time. */
#include <uv.h>
#include "ui/theme.h"

typedef void (*themes_cb)(void *user, GArray *themes);
/* file: a theme of its own, NULL = none; must stay. False when it cannot be begun; else on_read takes the list. */
bool themes_read(uv_loop_t *loop, const char *file, themes_cb on_read, void *user);
