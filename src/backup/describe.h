// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The archive's own description, the config blob vmabackup.json: what it holds, of which instant, and what it cannot hold. */

struct backup;
/* JSON text; more is known at the end than at the start. Caller frees with g_free. */
char *describe_run(const struct backup *b);
