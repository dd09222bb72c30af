// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The commands of `vmabackup` and what they share.
 *
 *     int cli_list(int argc, char **argv)        // argv[0] = the command's name; returns the exit status
 *     {
 *         g_autoptr(GError) error = NULL;
 *         if (!cli_parse(&argc, &argv, options, "ARCHIVE", "Says what an archive holds.", &error))
 *             return cli_fail(error);
 *
 * Standard output carries data or the report that was asked for, standard error everything else.
 */
#include <stdbool.h>
#include <glib.h>

int cli_backup(int argc, char **argv);
int cli_boot(int argc, char **argv);
int cli_cancel(int argc, char **argv);
int cli_cleanup(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_extract(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_limit(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_pause(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_resume(int argc, char **argv);
int cli_retry(int argc, char **argv);
int cli_runs(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_write(int argc, char **argv);

/* Takes the options (before, between or behind the arguments) out of argv; --help and --version end the program.
 * Errors are VMB_ERROR_USAGE. arguments and summary are for the help. options may be NULL. */
bool cli_parse(int *argc, char ***argv, const GOptionEntry *options, const char *arguments, const char *summary,
               GError **error);
/* The same with a group of options shared with vmabackup-tui; takes the group. */
bool cli_parse_group(int *argc, char ***argv, const GOptionEntry *options, GOptionGroup *group, const char *arguments,
                     const char *summary, GError **error);
/* The same, and there must be min…max arguments: argv[1]…. */
bool cli_parse_counted(int *argc, char ***argv, const GOptionEntry *options, const char *arguments, const char *summary,
                       int min, int max, GError **error);
/* The --timeout of those who ask a monitor. */
#define CLI_TIMEOUT_S 30
bool cli_check_timeout(int timeout_s, GError **error);
/* "vmabackup: MESSAGE" as one safe line on standard error; returns the exit status that belongs to it. */
int cli_fail(const GError *error);
