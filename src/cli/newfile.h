// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A file being made: PATH.partial until it is whole, then PATH. Nothing is ever overwritten.
 *
 *     g_autoptr(newfile_t) f = newfile_create("/dir/scsi0.raw", &error);
 *     write to newfile_partial(f), or to newfile_fd(f); newfile_sync(f, &error);
 *     newfile_publish(f, &error);
 *     newfile_free(f);                                    // removes what was not published
 */
#include <stdbool.h>
#include <glib.h>

struct newfile;
/* Refused when PATH or PATH.partial exists. Mode 0600. Errors are VMB_ERROR_TARGET. */
struct newfile *newfile_create(const char *path, GError **error);
void newfile_free(struct newfile *f);
int newfile_fd(const struct newfile *f);
const char *newfile_path(const struct newfile *f);
const char *newfile_partial(const struct newfile *f);
bool newfile_sync(struct newfile *f, GError **error);
bool newfile_publish(struct newfile *f, GError **error);
/* "file PATH: WHAT: strerror(errno)"; returns false. */
bool newfile_fail(const struct newfile *f, const char *what, GError **error);

typedef struct newfile newfile_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(newfile_t, newfile_free)
