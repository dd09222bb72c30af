// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * $XDG_CONFIG_HOME/vmabackup/config, a key file: how an operator wants his console.
 *
 *     [screen]
 *     theme=dark
 *     mouse=true
 *     [keys]
 *     limit=L
 */
#include "console/options.h"

/* Fills in what the command line leaves open, and binds the keys. That there is no such file is no error;
 * VMB_ERROR_USAGE names file, line and key. */
bool config_load(struct console_options *o, GError **error);
