// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The archive's own description, the config blob vmabackup.json: what it holds, of which instant, and what it cannot
 * hold. */

struct backup;
/* How QEMU was started, for boot: asked once, while it is there. */
void describe_find_command_line(struct backup *b);
/* JSON text; more is known at the end than at the start. Caller frees with g_free. */
char *describe_run(const struct backup *b);
