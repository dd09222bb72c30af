// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Text to a descriptor that may hang: a log beside the archive, a terminal that is held (Ctrl-S), a pipe
 * whose reader sleeps. Written by the thread pool, one write at a time, so that the loop, and with it a
 * guest, never waits.
 *
 *     struct textout *t = textout_new(loop, 1, false);
 *     textout_write(t, "lines\n");
 *     textout_close(t, true);
 */
#include <stdbool.h>
#include <uv.h>

struct textout;
/* owns_fd: closes it at the end. */
struct textout *textout_new(uv_loop_t *loop, int fd, bool owns_fd);
/* Kept until it is written; when too much waits, what comes is lost. Errors are not told: no text ends a
 * backup. */
void textout_write(struct textout *t, const char *text);
/* Writes what is left, when nothing depends on the loop any more. may_wait: runs the loop until a write that
 * is under way has ended; else such a write, and what waits behind it, is left to itself. NULL is allowed. */
void textout_close(struct textout *t, bool may_wait);
