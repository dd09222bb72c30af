// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where an archive goes: a file, a block device, standard output, a FIFO, a command. One write at a time, in order.
 *
 *     struct sink *s = sink_open(loop, "x.vma", &options, &error);   // before QEMU depends on us
 *     sink_write(s, iov, n, on_written, user);                       // bytes stay the caller's until then
 *     sink_rewrite(s, 0, iov, n, on_rewritten, user);                // only where sink_can_rewrite()
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
    bool force;        /* replace an existing file (at the rename, not before), or what a block device holds */
    uint64_t expected; /* bytes that will come: refused when the target has less room; 0, UINT64_MAX = unknown */
};
/* The error of a full target (ENOSPC, EDQUOT, EFBIG) is of domain SINK_ERROR, code SINK_ERROR_FULL; what was
 * written of the failed write is undone (the position is where it was), so it can be tried again. A target that
 * another run writes is VMB_ERROR_HELD; all other errors are of VMB_ERROR with code TARGET, and lasting. */
#define SINK_ERROR sink_error_quark()
GQuark sink_error_quark(void);
enum sink_error { SINK_ERROR_FULL };

/* Comes once for each operation, from the loop, never from inside the call that asked for it; it may call
 * anything of this header. error is borrowed, NULL = done; VMB_ERROR_CANCELLED when sink_abort() ended it. */
typedef void (*sink_done)(void *user, const GError *error);

/* target: a path; "-" = standard output; "|COMMAND" = into a command (sh -c), in a session of its own, whose
 * standard error (and output, where that is a terminal) is kept for the message when it fails. An existing FIFO
 * or character device is written as it is; an existing file is refused without force; a file becomes
 * TARGET.partial, 0600, until it is finished. A block device is written in place, with force only, and never while it
 * is mounted or part of something: its first sector stays zeros until all else is durable. What a dead run left under
 * that name is replaced. Refused when the directory does not exist or cannot be written, when nobody reads the FIFO,
 * when standard output is a terminal. From now on SIGPIPE and SIGXFSZ are ignored by the process: a write says what
 * they say. */
struct sink *sink_open(uv_loop_t *loop, const char *target, const struct sink_options *options, GError **error);
/* What the operator knows it as, safe to show: the absolute path, "standard output", "|COMMAND". */
const char *sink_name(const struct sink *s);
/* To be opened: the absolute path of a file, byte for byte; NULL for everything else. Not safe to show. */
const char *sink_path(const struct sink *s);
/* A block device: written in place. */
bool sink_is_device(const struct sink *s);
/* False on pipes, and where standard output appends to a file. */
bool sink_can_rewrite(const struct sink *s);
/* What was written can be read back and cut off, too: a file of its own. */
bool sink_can_cut(const struct sink *s);
/* Length of the archive so far; on a pipe part of the operation under way is in it. */
uint64_t sink_written(const struct sink *s);
/* Free bytes at the target: asked of the file system by the thread pool, at most every second; the latest
 * answer known (the first is there at once), UINT64_MAX on pipes and where the file system does not say. */
uint64_t sink_free_bytes(struct sink *s);
/* For how long an operation has been under way, where that is more than SINK_STUCK_MS (a frozen disk, a reader that
 * does not read), else 0. */
#define SINK_STUCK_MS 3000
uint64_t sink_stuck_ms(const struct sink *s);
/* "a write to", "the fsync of", … the target: the operation under way; NULL = none. */
const char *sink_doing(const struct sink *s);

/* Appends. At most one operation (write, rewrite, read, punch, cut, finish) is under way at a time. The vector is
 * copied, the bytes are not. */
void sink_write(struct sink *s, const struct iovec *iov, unsigned n, sink_done done, void *user);
/* Over bytes that were written before. */
void sink_rewrite(struct sink *s, uint64_t offset, const struct iovec *iov, unsigned n, sink_done done, void *user);
/* Bytes that were written before; fewer than `len` are an error. */
void sink_read(struct sink *s, uint64_t offset, void *bytes, size_t len, sink_done done, void *user);
/* The range is of no more use: gives its blocks back where the file system can; it reads as zeros, or not. */
void sink_punch(struct sink *s, uint64_t offset, uint64_t len, sink_done done, void *user);
/* The archive ends at `length`, from where it goes on. */
void sink_cut(struct sink *s, uint64_t length, sink_done done, void *user);
/* fsync, rename over the final name (with force) or without replacing, fsync of the directory; a pipe is
 * closed; a command's exit status must be 0. When all bytes are durable and only the name could not be given,
 * the file stays as TARGET.partial even if sink_abort(s, false) follows: the error says so. */
void sink_finish(struct sink *s, sink_done done, void *user);
/* Ends it unfinished, or does nothing when it is finished: the partial file is removed (or kept), a command is
 * killed (its own process group: SIGTERM, after 2 s SIGKILL). Does not wait. The operation under way ends soon
 * by its done, and until then its bytes may still be read; if it is stuck in the pool, its done never comes. */
void sink_abort(struct sink *s, bool keep_partial);
/* Aborts what is not finished. The memory goes when the last handle has closed and the last request has
 * returned; a done that is still to come does come. If a request never returns, the sink leaks, and the loop
 * has that request for ever: leave by _exit(). */
void sink_free(struct sink *s);
