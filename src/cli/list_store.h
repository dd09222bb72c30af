// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* `vmabackup list STORE`, `vmabackup list STORE/GUEST`: its snapshots by time. */
#include <stdbool.h>

/* The exit status. */
int list_store(const char *path, bool is_json);
