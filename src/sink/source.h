// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive being read from front to back: told by its content, unpacked, from a file or a pipe. Blocking.
 *
 *     g_autoptr(source_t) s = source_open("x.vma.zst", &error);        // "-" = standard input
 *     while ((n = source_read(s, buffer, sizeof buffer, &error)) > 0) …
 *
 * zstd: any chain of frames, skippable ones among them; gzip, lzop: any chain of members. One that ends early
 * is an error, never an end. What is random access is in sink/random.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <glib.h>

enum source_form { SOURCE_PLAIN, SOURCE_ZSTD, SOURCE_GZIP, SOURCE_LZOP, SOURCE_STORE };

struct source;
/* Errors: cannot be opened or read (FAILED); something else than an archive, or packed in a way that is
 * not known here (FAILED, with the way round). */
struct source *source_open(const char *path, GError **error);
struct unpack;
/* An archive that is no file: `unpack` (taken) makes all of it, without its infile, where it only counts `position` up
 * to `size`. */
struct source *source_of(struct unpack *unpack, uint64_t size);
void source_free(struct source *s);
/* Bytes read (as many as fit, unless the end or damage comes), 0 at the end, -1 with error set: FAILED when
 * it cannot be read, DAMAGED when the packed data is damaged or ends early. After DAMAGED it may be called
 * again: it goes on behind what is damaged, where source_lost() bytes are missing, or says 0 when that place
 * cannot be found. `source` is a struct source *. */
ssize_t source_read(void *source, void *buffer, size_t len, GError **error);
/* After DAMAGED: bytes of the plain archive that are missing between what was read and what comes next. */
uint64_t source_lost(const struct source *s);
enum source_form source_form(const struct source *s);
/* "none", "zstd", … */
const char *source_form_name(enum source_form form);
/* A pipe or a terminal: reading may wait for somebody. */
bool source_is_stream(const struct source *s);
/* A block device: what stands behind the archive's end mark is no part of it. */
bool source_is_device(const struct source *s);
/* Of the file as it lies there (SOURCE_STORE: of what is not zeros): bytes read so far, and all (0 when unknown: a
 * pipe). */
uint64_t source_position(const struct source *s);
uint64_t source_size(const struct source *s);

typedef struct source source_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(source_t, source_free)
