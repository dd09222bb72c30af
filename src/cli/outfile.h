// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A file being unpacked: NAME.partial until it is whole, then NAME. Nothing is ever overwritten.
 *
 *     g_autoptr(outfile_t) o = outfile_open(directory, "scsi0.raw", &error);
 *     outfile_write(o, bytes, len, offset, &error);       // in any order; what is not written is a hole
 *     outfile_finish(o, size, &error);                    // exact size, on disk
 *     outfile_publish(o, &error);                         // its final name
 *     outfile_free(o);                                    // removes what was not published
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct outfile;
/* name: safe as a file name. Refused when NAME or NAME.partial exists. Mode 0600. Errors are VMB_ERROR_TARGET. */
struct outfile *outfile_open(const char *directory, const char *name, GError **error);
void outfile_free(struct outfile *o);
bool outfile_write(struct outfile *o, const uint8_t *bytes, size_t len, uint64_t offset, GError **error);
bool outfile_finish(struct outfile *o, uint64_t size, GError **error);
bool outfile_publish(struct outfile *o, GError **error);

typedef struct outfile outfile_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(outfile_t, outfile_free)
