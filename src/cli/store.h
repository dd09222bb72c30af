// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The words of `vmabackup store`: each returns the exit status. */
#include <stdbool.h>

int cli_store_stat(const char *path, bool is_json);
int cli_store_check(const char *path, bool is_json);
