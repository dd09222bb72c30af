// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A bounded queue of byte records in an unlinked temporary file, for what arrives while the target is slow.
 *
 *     struct spool *q = spool_open(loop, NULL, 1 << 30, &error);
 *     if (spool_has_room(q, bytes))
 *         spool_push(q, iov, n, on_pushed, user);   // the bytes stay the caller's until then
 *     spool_pop(q, on_popped, user);                // the oldest record comes back
 *     spool_close(q);
 *
 * First in, first out, whatever the disk has done so far. The file is a ring: space that was read is used
 * again. All disk work is done by the thread pool, one request at a time.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <glib.h>
#include <uv.h>

struct spool;
typedef void (*spool_pushed)(void *user, const GError *error);
/* bytes: g_free() them; NULL with an error, and the record is gone. Both kinds come from the loop, never from
 * inside the call that asked, and may call anything of this header. */
typedef void (*spool_popped)(void *user, uint8_t *bytes, size_t len, const GError *error);

/* dir: where; NULL = TMPDIR, or /var/tmp when that is not set or lies in RAM. A dir that was asked for and lies
 * in RAM (tmpfs) is refused: it would eat what the guests need. Errors: VMB_ERROR_FAILED. */
struct spool *spool_open(uv_loop_t *loop, const char *dir, uint64_t max_bytes, GError **error);
/* Where it goes when none is asked for. */
const char *spool_default_dir(void);
/* The file of a spool in dir, as spool_open() has it; *safe: the directory as it may be shown, in any case. -1 with
 * error. */
int spool_open_file(const char *dir, char **safe, GError **error);
/* A file without a name, 0600; -1 with errno. */
int spool_open_nameless(const char *dir);
/* Would a record of so many bytes be taken now? */
bool spool_has_room(const struct spool *q, uint64_t bytes);
/* Appends one record (there must be room). Several may be queued. An error of the disk comes through done:
 * that record is not in the spool then, those before it are, those after it are tried for themselves. */
void spool_push(struct spool *q, const struct iovec *iov, unsigned n, spool_pushed done, void *user);
/* Takes the oldest record that no earlier pop has taken (there must be one), even if it is not on the disk yet:
 * then it need not go there. If its push fails, the pop gets that error. Several may be queued. */
void spool_pop(struct spool *q, spool_popped done, void *user);
uint64_t spool_used(const struct spool *q); /* bytes of the ring that are taken, until they are read back */
uint64_t spool_max(const struct spool *q);
bool spool_is_busy(const struct spool *q);     /* a request of its is in the pool */
unsigned spool_records(const struct spool *q); /* that may still be popped */
/* Forgets everything. What is under way or queued ends with VMB_ERROR_CANCELLED, when the request in the pool has
 * returned (its bytes are used until then); file and memory go after that. NULL is allowed. */
void spool_close(struct spool *q);
