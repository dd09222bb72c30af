// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A run with a screen. Without one it is backup/headless.h. */
#include "console/options.h"
#include "console/screen.h"

/* The screen is opened already, and given back here. Returns the exit status, -1 with an error where there is nothing
 * to show. */
int app_run(const struct console_options *o, struct screen *screen, GError **error);
