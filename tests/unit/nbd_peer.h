// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The other side of an NBD connection, for tests: builds what a client sends, takes apart what it receives,
 * and offers an export that writes down what was done to it.
 *
 *     struct recorder r; recorder_init(&r, 1 << 20);
 *     nbd_exports_add(set, &(struct nbd_export){"d", r.size, .ops = &recorder_ops, .user = &r});
 *     GByteArray *says = g_byte_array_new();
 *     peer_flags(says, 3);
 *     peer_go(says, "d");
 *     peer_request(says, NBD_CMD_WRITE, 0, 1, 0, 512);
 *     peer_fill(says, 512, 7);
 *     peer_feed(server, says->data, says->len, NULL);
 *     … r.log->str, nbd_server_output(server) …
 */
#include <errno.h>
#include <glib.h>
#include "base/be.h"
#include "nbd/server.h"
#include "nbd/wire.h"

/* --- what the client says --- */

static inline void peer_be16(GByteArray *to, uint16_t value)
{
    be16_put(&value, value);
    g_byte_array_append(to, (const uint8_t *)&value, sizeof value);
}

static inline void peer_be32(GByteArray *to, uint32_t value)
{
    be32_put(&value, value);
    g_byte_array_append(to, (const uint8_t *)&value, sizeof value);
}

static inline void peer_be64(GByteArray *to, uint64_t value)
{
    be64_put(&value, value);
    g_byte_array_append(to, (const uint8_t *)&value, sizeof value);
}

static inline void peer_text(GByteArray *to, const char *text)
{
    g_byte_array_append(to, (const uint8_t *)text, strlen(text));
}

static inline void peer_fill(GByteArray *to, uint32_t len, uint8_t byte)
{
    g_byte_array_set_size(to, to->len + len);
    memset(to->data + to->len - len, byte, len);
}

static inline void peer_flags(GByteArray *to, uint32_t flags)
{
    peer_be32(to, flags);
}

/* The header of an option; `len` bytes of data are to follow. */
static inline void peer_option(GByteArray *to, uint32_t option, uint32_t len)
{
    peer_be64(to, NBD_OPTION_MAGIC);
    peer_be32(to, option);
    peer_be32(to, len);
}

static inline void peer_export_name(GByteArray *to, const char *name)
{
    peer_option(to, NBD_OPT_EXPORT_NAME, strlen(name));
    peer_text(to, name);
}

/* INFO or GO, asking for one kind of information. */
static inline void peer_ask(GByteArray *to, uint32_t option, const char *name, uint16_t info)
{
    peer_option(to, option, 4 + strlen(name) + 2 + 2);
    peer_be32(to, strlen(name));
    peer_text(to, name);
    peer_be16(to, 1);
    peer_be16(to, info);
}

static inline void peer_request(GByteArray *to, uint16_t type, uint16_t flags, uint64_t cookie, uint64_t offset,
                                uint32_t len)
{
    peer_be32(to, NBD_REQUEST_MAGIC);
    peer_be16(to, flags);
    peer_be16(to, type);
    peer_be64(to, cookie);
    peer_be64(to, offset);
    peer_be32(to, len);
}

/* --- how it arrives --- */

/* Puts as much as `n` bytes into what the server wants. Returns how much went in; 0 when nothing is wanted.
 */
static inline size_t peer_put(struct nbd_server *s, const uint8_t *data, size_t n)
{
    struct iovec pieces[NBD_WANT_PIECES];
    unsigned count = nbd_server_want_pieces(s, pieces);
    size_t put = 0;

    for (unsigned i = 0; i < count && put < n; i++) {
        size_t part = MIN(n - put, pieces[i].iov_len);
        memcpy(pieces[i].iov_base, data + put, part);
        put += part;
    }
    return put;
}

/* Feeds all of it, in pieces of random length (as large as possible without `random`). */
static inline enum nbd_verdict peer_feed(struct nbd_server *s, const uint8_t *data, size_t len, GRand *random)
{
    enum nbd_verdict verdict = nbd_server_got(s, 0);

    while (len > 0 && verdict == NBD_GOES_ON) {
        size_t most = random ? (size_t)g_rand_int_range(random, 1, 2 << g_rand_int_range(random, 0, 20)) : len;
        size_t n = peer_put(s, data, MIN(len, most));
        verdict = nbd_server_got(s, n);
        data += n;
        len -= n;
    }
    return verdict;
}

/* --- what it receives --- */

struct peer_reply {
    uint32_t option, type, len; /* of an option reply */
    const uint8_t *data;
};

/* The option reply at *at, which moves on behind it. */
static inline struct peer_reply peer_next_reply(const GByteArray *from, size_t *at)
{
    struct peer_reply reply;

    g_assert_cmpuint(from->len, >=, *at + NBD_OPTION_REPLY_BYTES);
    g_assert_cmpuint(be64_get(from->data + *at), ==, NBD_OPTION_REPLY_MAGIC);
    reply.option = be32_get(from->data + *at + 8);
    reply.type = be32_get(from->data + *at + 12);
    reply.len = be32_get(from->data + *at + 16);
    reply.data = from->data + *at + NBD_OPTION_REPLY_BYTES;
    *at += NBD_OPTION_REPLY_BYTES + reply.len;
    g_assert_cmpuint(from->len, >=, *at);
    return reply;
}

/* --- an export that remembers --- */

struct recorder {
    uint8_t *memory;
    uint64_t size;
    uint32_t room_max;          /* write_room gives at most so much; 0: all */
    uint64_t begin_error_from;  /* WRITEs from this offset on fail at once with ENOSPC, … */
    uint64_t landed_error_from; /* … when they reach this one with EIO, … */
    uint64_t no_room_from;      /* … and have no memory from here on: the connection is dropped */
    int error;                  /* of zeroes, trim, flush and read */
    bool is_failed;             /* write_landed has returned an error: then it must not be called again */
    unsigned n_begun, n_ended, n_cut, n_errors;
    GString *log; /* one line for each thing done, whatever the pieces */
};

static inline void recorder_init(struct recorder *r, uint64_t size)
{
    *r = (struct recorder){.size = size, .begin_error_from = size, .landed_error_from = size, .no_room_from = size};
    r->memory = g_malloc0(size);
    r->log = g_string_new(NULL);
}

static inline void recorder_clear(struct recorder *r)
{
    g_assert_cmpuint(r->n_begun, ==, r->n_ended);
    g_free(r->memory);
    g_string_free(r->log, TRUE);
}

static inline void recorder_note(struct recorder *r, const char *what, const struct nbd_request *rq, int error)
{
    g_assert(rq->offset <= r->size && rq->len <= r->size - rq->offset && rq->len > 0);
    g_string_append_printf(r->log, "%s %" G_GUINT64_FORMAT "+%u %d\n", what, rq->offset, rq->len, error);
}

static inline int recorder_write_begin(void *user, struct nbd_request *rq)
{
    struct recorder *r = user;
    int error = rq->offset + rq->len > r->begin_error_from ? ENOSPC : 0;

    recorder_note(r, "begin", rq, error);
    rq->user = r;
    r->n_begun += error == 0;
    return error;
}

static inline void *recorder_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    struct recorder *r = user;

    g_assert(rq->user == r && !r->is_failed && done < rq->len);
    if (rq->offset + done >= r->no_room_from)
        return NULL;
    *room = r->room_max ? r->room_max : rq->len;
    *room = MIN(*room, r->no_room_from - rq->offset - done);
    return r->memory + rq->offset + done;
}

static inline int recorder_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    struct recorder *r = user;

    uint64_t end = rq->offset + done;

    g_assert(rq->user == r && !r->is_failed && done > 0 && done <= rq->len);
    if (end <= r->landed_error_from)
        return 0;
    /* How much has landed beyond depends on the pieces: forget it. */
    memset(r->memory + r->landed_error_from, 0, end - r->landed_error_from);
    r->is_failed = true;
    return EIO;
}

static inline void recorder_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    struct recorder *r = user;

    g_assert(rq->user == r);
    recorder_note(r, cut ? "cut" : "end", rq, error);
    r->is_failed = false;
    r->n_ended++;
    r->n_cut += cut;
}

static inline int recorder_zeroes(void *user, const struct nbd_request *rq)
{
    struct recorder *r = user;

    recorder_note(r, rq->type == NBD_CMD_TRIM ? "trim" : "zeroes", rq, r->error);
    if (r->error == 0)
        memset(r->memory + rq->offset, 0, rq->len);
    return r->error;
}

static inline int recorder_flush(void *user)
{
    struct recorder *r = user;

    g_string_append(r->log, "flush\n");
    return r->error;
}

static inline int recorder_read(void *user, const struct nbd_request *rq, void *to)
{
    struct recorder *r = user;

    recorder_note(r, "read", rq, r->error);
    memcpy(to, r->memory + rq->offset, rq->len);
    return r->error;
}

static inline void recorder_replied_error(void *user, const struct nbd_request *rq, int error)
{
    struct recorder *r = user;

    g_assert(error != 0);
    r->n_errors++;
}

static const struct nbd_export_ops recorder_ops = {
    .write_begin = recorder_write_begin,
    .write_room = recorder_write_room,
    .write_landed = recorder_write_landed,
    .write_end = recorder_write_end,
    .zeroes = recorder_zeroes,
    .trim = recorder_zeroes,
    .flush = recorder_flush,
    .read = recorder_read,
    .replied_error = recorder_replied_error,
};
