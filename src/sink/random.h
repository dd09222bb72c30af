// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive read at any place of it: a plain file, or one of zstd frames with a seek table.
 *
 *     struct random *r = random_open("x.vma.zst", &error);
 *     random_skim(r, offset, header, 512, &error);                   // blocking: little, here and there
 *     random_start(r, loop);
 *     random_read(r, pieces, n, on_read, user);                      // from the loop, by the thread pool
 *     random_free(r);                                                // nothing may be under way
 *
 * Unpacked frames are kept in a bounded cache. Offsets are those of the plain archive.
 *
 * Something else that comes in parts, which a worker has to make, is read the same way, but for skimming:
 *
 *     struct random *r = random_of_parts(&ops, user, size);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>

#define RANDOM_MAX_FRAME_BYTES (16u << 20) /* plain; ours are below 4 MiB */
#define RANDOM_CACHE_BYTES     (48u << 20)

struct random;
/* Errors: it cannot be opened, or not be read at random; why, and the way round (FAILED); its seek table is
 * damaged (DAMAGED). */
struct random *random_open(const char *path, GError **error);
/* What is to be had only as a whole: so many bytes from `at` on. Each has an index of its own. */
struct random_part {
    uint64_t index, at;
    uint32_t len; /* <= RANDOM_MAX_FRAME_BYTES */
};
struct random_ops {
    /* The one which that byte lies in; false: there is none. */
    bool (*find)(void *user, uint64_t offset, struct random_part *part);
    /* All of it; NULL, or what is wrong with it: one sentence, safe to print. By workers, several at a time. */
    char *(*load)(void *user, const struct random_part *part, uint8_t *to);
    void (*free)(void *user);
};
/* ops is borrowed, user is taken. */
struct random *random_of_parts(const struct random_ops *ops, void *user, uint64_t size);
void random_free(struct random *r);
/* Of the plain archive, in bytes; of a device, all of it: what stands behind the archive is no part of it. */
uint64_t random_size(const struct random *r);
bool random_is_device(const struct random *r);
/* Nothing but zeros from this place of the plain archive on. False with error set: it cannot be read. */
bool random_is_padding(struct random *r, uint64_t offset, GError **error);
/* All of it, or false with error set (FAILED; DAMAGED: beyond the end, or a frame is damaged). Cheap where
 * offsets go up: of a frame no more is unpacked than is needed. Blocking. */
bool random_skim(struct random *r, uint64_t offset, void *to, size_t len, GError **error);

struct random_piece {
    uint64_t offset;
    size_t len;
    uint8_t *to; /* the caller's, until it is done */
};
/* error: 0 or a positive errno. From the loop; maybe from inside random_read(). */
typedef void (*random_done)(void *user, int error);
/* Called from the loop when something is damaged: one sentence, safe to print. */
typedef void (*random_fault)(void *user, const char *text);

void random_start(struct random *r, uv_loop_t *loop, random_fault fault, void *user);
/* pieces are copied; they lie within the archive. */
void random_read(struct random *r, const struct random_piece *pieces, unsigned n, random_done done, void *user);
