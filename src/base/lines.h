// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Bytes as they come from a socket or a terminal, cut into lines of bounded length.
 *
 *     struct lines *l = lines_new(4096, on_line, user);
 *     lines_feed(l, bytes, n);     // on_line(user, "limit scsi1 50M", 15) for each that is whole
 *
 * A line that is too long comes as NULL, once: half a command must not be taken for a whole one.
 */
#include <stddef.h>

struct lines;
/* The line ends in NUL instead of its '\n', and is good during the call. Bytes in it may be anything. */
typedef void (*lines_on_line)(void *user, const char *line, size_t len);

struct lines *lines_new(size_t max, lines_on_line on_line, void *user);
void lines_free(struct lines *l);
/* on_line may call lines_free(): nothing more comes then. */
void lines_feed(struct lines *l, const char *bytes, size_t len);
