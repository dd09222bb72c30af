// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a store does with files so that a power cut cannot hurt it. Blocking. `folder` is for messages.
 *
 *     durable_write(fd, folder, "x.new", 0600, bytes, len, &error) &&
 *         durable_sync_all(fd, folder, &error) &&                          // before it has its name
 *         durable_rename(fd, folder, "x.new", "x", &error) &&
 *         durable_sync_folder(fd, folder, &error);                         // now it is there
 *
 * Errors: SINK_ERROR_FULL where there is no room, else TARGET.
 */
#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

bool durable_fail(GError **error, const char *folder, const char *name, const char *what, int error_number);
/* -1 with error. Symbolic links are followed. */
int durable_open_folder(const char *path, GError **error);
/* It may be there. */
bool durable_make_folder(int folder_fd, const char *folder, const char *name, unsigned mode, GError **error);
/* All of it, or an errno. */
int durable_write_all(int fd, const void *bytes, size_t len);
/* A new file over whatever has that name; not synced. */
bool durable_write(int folder_fd, const char *folder, const char *name, unsigned mode, const void *bytes, size_t len,
                   GError **error);
/* Everything that was written to this file system, whoever wrote it, and its names: one syncfs. */
bool durable_sync_all(int folder_fd, const char *folder, GError **error);
bool durable_sync_file(int folder_fd, const char *folder, const char *name, GError **error);
/* The names in this folder. */
bool durable_sync_folder(int folder_fd, const char *folder, GError **error);
bool durable_rename(int folder_fd, const char *folder, const char *from, const char *to, GError **error);
/* A file goes, or a folder with all in it but what is mounted there; that it is not there is no error. */
bool durable_remove(int folder_fd, const char *folder, const char *name, GError **error);
/* char *, all but "." and ".."; sorted. */
GPtrArray *durable_names(int folder_fd, const char *folder, GError **error);
