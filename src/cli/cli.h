// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The commands of `vmabackup` and what they share.
 *
 *     int cli_list(int argc, char **argv)        // argv[0] = the command's name; returns the exit status
 *     {
 *         g_autoptr(GError) error = NULL;
 *         if (!cli_parse_counted(&argc, &argv, options, "ARCHIVE", "Says what an archive holds.", 1, 1, &error))
 *             return cli_fail(error);
 *
 * Standard output carries data or the report that was asked for, standard error everything else.
 */
#include <stdbool.h>
#include <glib.h>

/* The table of commands, in the order of --help: a new one is a row here, and its function cli_NAME(). */
#define CLI_COMMANDS(ROW)                                                                                              \
    ROW(backup, "save a running guest")                                                                                \
    ROW(info, "say what a guest has and what of it can be saved")                                                      \
    ROW(cleanup, "take away what a dead backup left in QEMU")                                                          \
    ROW(runs, "list the backups that go on")                                                                           \
    ROW(status, "say how one of them stands")                                                                          \
    ROW(limit, "set its speed limit")                                                                                  \
    ROW(pause, "pause it, or one of its drives")                                                                       \
    ROW(resume, "let it go on")                                                                                        \
    ROW(cancel, "end it, or take a drive out of it")                                                                   \
    ROW(retry, "retry a drive that failed")                                                                            \
    ROW(list, "say what an archive or a store holds")                                                                  \
    ROW(verify, "read everything, check everything")                                                                   \
    ROW(config, "print a stored configuration, or list them")                                                          \
    ROW(extract, "unpack drives, RAM state and configurations")                                                        \
    ROW(restore, "write drives back to files, block devices or NBD exports")                                           \
    ROW(export, "make an archive of a snapshot in a store")                                                            \
    ROW(serve, "export drives by NBD without unpacking them")                                                          \
    ROW(boot, "start a guest straight from an archive")                                                                \
    ROW(store, "make, check and measure a store of snapshots")                                                         \
    ROW(prune, "remove old snapshots from a store")                                                                    \
    ROW(import, "make a snapshot in a store of an archive")                                                            \
    ROW(write, "make an archive of what a management tool sends by NBD")
#define CLI_DECLARED(name, help) int cli_##name(int argc, char **argv);
CLI_COMMANDS(CLI_DECLARED)

/* Takes the options (before, between or behind the arguments) out of argv; --help and --version end the program. There
 * must be min…max arguments then: argv[1]…. Errors are VMB_ERROR_USAGE. arguments and summary are for the help. options
 * may be NULL. */
bool cli_parse_counted(int *argc, char ***argv, const GOptionEntry *options, const char *arguments, const char *summary,
                       int min, int max, GError **error);
/* The same with a group of options shared with vmabackup-tui (taken, or NULL), and any number of arguments. */
bool cli_parse_group(int *argc, char ***argv, const GOptionEntry *options, GOptionGroup *group, const char *arguments,
                     const char *summary, GError **error);
/* The --timeout of those who ask a monitor. */
#define CLI_TIMEOUT_S 30
bool cli_check_timeout(int timeout_s, GError **error);
/* "vmabackup: MESSAGE" as one safe line on standard error; returns the exit status that belongs to it. */
int cli_fail(const GError *error);

struct json_object;
/* A text from outside, safe; NULL: null. */
struct json_object *cli_json_text(const char *text);
/* As one line on standard output; the object goes. */
void cli_json_print(struct json_object *o);
