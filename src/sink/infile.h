// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The bytes of an archive's file as they lie there, front to back, for those who unpack them.
 *
 *     size_t n = infile_want(in, 18, &error);        // 18 of them, or fewer where the file ends
 *     parse(infile_at(in), n);
 *     infile_used(in, used);
 *
 * A descriptor and a buffer; blocking.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <glib.h>

#define INFILE_SIZE (256u << 10)

struct infile {
    int fd;
    bool is_borrowed;           /* standard input */
    bool is_regular, is_stream; /* neither: a block device */
    bool is_at_eof;
    uint64_t size;     /* of a regular file, else 0 */
    uint64_t position; /* read from fd so far */
    uint8_t *buffer;   /* INFILE_SIZE */
    size_t at, len;    /* what is in it and not used yet: buffer[at…len) */
};

/* path: "-" = standard input. False with error set (FAILED). */
bool infile_open(struct infile *in, const char *path, GError **error);
void infile_close(struct infile *in);
/* Sees to it that `want` (<= INFILE_SIZE) bytes are in the buffer; returns how many are there: fewer only at
 * the end of the file. -1 with error set: read error. */
ssize_t infile_want(struct infile *in, size_t want, GError **error);
/* As many as there are without waiting for more, but at least one unless the file is over. */
ssize_t infile_some(struct infile *in, GError **error);
/* Straight to memory, what is in the buffer first; fewer only at the end of the file. */
ssize_t infile_read(struct infile *in, uint8_t *to, size_t len, GError **error);
/* Drops the next bytes, fewer at the end of the file. */
bool infile_skip(struct infile *in, uint64_t len, GError **error);
/* Passes zeros. 1: up to the end of the file, 0: something else comes next, -1 with error set. */
int infile_pass_zeros(struct infile *in, GError **error);
/* Goes on at this place of a regular file. */
bool infile_seek(struct infile *in, uint64_t offset, GError **error);

static inline const uint8_t *infile_at(const struct infile *in)
{
    return in->buffer + in->at;
}

static inline size_t infile_held(const struct infile *in)
{
    return in->len - in->at;
}

static inline void infile_used(struct infile *in, size_t n)
{
    in->at += n;
}

/* Where in the file the next unused byte stands. */
static inline uint64_t infile_offset(const struct infile *in)
{
    return in->position - infile_held(in);
}
