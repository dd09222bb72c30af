// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where an archive goes: a file, standard output, a FIFO, a command. One write at a time, in order.
 *
 *     struct sink *s = sink_open(loop, "x.vma", &options, &error);   // before QEMU depends on us
 *     sink_write(s, iov, n, on_written, user);                       // bytes stay the caller's until then
 *     sink_rewrite(s, 0, header, len, on_rewritten, user);           // only where sink_can_rewrite()
 *     sink_finish(s, on_finished, user);                             // durable under its final name
 *     sink_abort(s, keep_partial); ... sink_free(s)
 *
 * Nothing blocks the loop: a file is written by the thread pool, pipes non-blocking by the loop. A stuck
 * disk never calls back; callers live with that.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <glib.h>
#include <uv.h>

struct sink;
struct sink_options {
    bool force;          /* replace an existing file (at the rename, not before) */
    uint64_t expected;   /* bytes that will come, for the check before: 0 = unknown */
};
/* The error of a full target (ENOSPC, EDQUOT, EFBIG) is of domain SINK_ERROR, code SINK_ERROR_FULL; what was
 * written of the failed write is undone (the position is where it was), so it can be tried again. All other
 * errors are of VMB_ERROR with code TARGET. */
#define SINK_ERROR sink_error_quark()
GQuark sink_error_quark(void);
enum sink_error { SINK_ERROR_FULL };

typedef void (*sink_done)(void *user, const GError *error);

/* target: a path; "-" = standard output; "|COMMAND" = into a command (sh -c). An existing FIFO or character
 * device is written as a pipe; an existing file is refused without force; a file becomes TARGET.partial,
 * 0600, until it is finished. Refused when the directory does not exist or cannot be written. */
struct sink *sink_open(uv_loop_t *loop, const char *target, const struct sink_options *options, GError **error);
/* What the operator knows it as: the absolute path, "standard output", "|COMMAND". */
const char *sink_name(const struct sink *s);
bool sink_can_rewrite(const struct sink *s);
uint64_t sink_written(const struct sink *s); /* bytes so far */
/* Free bytes at the target: asked of the file system by the thread pool, at most every second; the latest
 * answer known, UINT64_MAX on pipes and before the first answer. */
uint64_t sink_free_bytes(struct sink *s);
/* Appends. At most one operation (write, rewrite, finish) is under way at a time. done comes from the loop. */
void sink_write(struct sink *s, const struct iovec *iov, unsigned n, sink_done done, void *user);
void sink_rewrite(struct sink *s, uint64_t offset, const void *bytes, size_t len, sink_done done, void *user);
/* fsync, rename over the final name (with force) or link without replacing, fsync of the directory; a pipe is
 * drained and closed; a command's exit status must be 0. */
void sink_finish(struct sink *s, sink_done done, void *user);
/* Ends it unfinished: the partial file is removed (or kept), a command is killed (its own process group, SIGTERM).
 * Safe while a write is stuck in the pool: then done never comes. */
void sink_abort(struct sink *s, bool keep_partial);
/* After finish or abort; from the loop, when the last handle has closed. */
void sink_free(struct sink *s);
