// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The options of a backup as both programs take them.
 *
 *     GOptionContext *context = g_option_context_new("MONITOR");
 *     g_option_context_set_main_group(context, backup_options_group(&options));
 *     if (!g_option_context_parse(context, &argc, &argv, &error) || !backup_options_check(&options, &error)) …
 */
#include <stdbool.h>
#include <glib.h>
#include "backup/backup.h"

/* `o` must have been initialised and outlive the group. */
GOptionGroup *backup_options_group(struct backup_options *o);
/* Only those about the archive, its target and its spool: for who drives QEMU himself. */
GOptionGroup *backup_options_archive_group(struct backup_options *o);
/* After parsing: options that contradict each other, values that cannot be. VMB_ERROR_USAGE. */
bool backup_options_check(struct backup_options *o, GError **error);
/* The command line that means the same, quoted for a shell: "vmabackup backup --limit=scsi1=120M -o … MONITOR". g_free() it. */
char *backup_options_line(const struct backup_options *o);
