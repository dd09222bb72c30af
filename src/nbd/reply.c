// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything that goes out: layouts are in nbd/wire.h. */
#include <errno.h>
#include "nbd/inside.h"
#include "base/be.h"

#define SHARED_BYTES 16384 /* an output of this size takes no more replies */

void nbd_reply_push(struct nbd_server *s, GByteArray *piece)
{
    s->output_bytes += piece->len;
    g_queue_push_tail(s->outputs, piece);
}

/* Small replies go together; a large one stays alone. */
uint8_t *nbd_reply_extend(struct nbd_server *s, size_t len)
{
    GByteArray *last = g_queue_peek_tail(s->outputs);
    size_t at;

    if (!last || last->len >= SHARED_BYTES)
        g_queue_push_tail(s->outputs, last = g_byte_array_new());
    at = last->len;
    g_byte_array_set_size(last, at + len);
    s->output_bytes += len;
    return last->data + at;
}

void nbd_reply_greeting(struct nbd_server *s)
{
    uint8_t *to = nbd_reply_extend(s, NBD_GREETING_BYTES);

    be64_put(to, NBD_MAGIC);
    be64_put(to + 8, NBD_OPTION_MAGIC);
    be16_put(to + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
}

uint8_t *nbd_reply_begin_option(struct nbd_server *s, uint32_t type, uint32_t len)
{
    uint8_t *to = nbd_reply_extend(s, NBD_OPTION_REPLY_BYTES + len);

    be64_put(to, NBD_OPTION_REPLY_MAGIC);
    be32_put(to + 8, s->option);
    be32_put(to + 12, type);
    be32_put(to + 16, len);
    return to + NBD_OPTION_REPLY_BYTES;
}

void nbd_reply_option(struct nbd_server *s, uint32_t type)
{
    nbd_reply_begin_option(s, type, 0);
}

void nbd_reply_listed(struct nbd_server *s, const struct nbd_export *export)
{
    uint32_t len = strlen(export->name);
    uint8_t *to = nbd_reply_begin_option(s, NBD_REP_SERVER, 4 + len);

    be32_put(to, len);
    memcpy(to + 4, export->name, len);
}

static uint16_t transmission_flags(const struct nbd_server *s, const struct nbd_export *export)
{
    uint16_t flags = NBD_FLAG_HAS_FLAGS;

    if (!export->no_flush)
        flags |= NBD_FLAG_SEND_FLUSH;
    if (s->is_structured)
        flags |= NBD_FLAG_SEND_DF;
    if (export->read_only) /* several connections see the same: nothing changes */
        return flags | NBD_FLAG_READ_ONLY | NBD_FLAG_CAN_MULTI_CONN;
    if (export->ops->zeroes)
        flags |= NBD_FLAG_SEND_WRITE_ZEROES;
    if (export->ops->trim)
        flags |= NBD_FLAG_SEND_TRIM;
    return flags;
}

void nbd_reply_info_export(struct nbd_server *s, const struct nbd_export *export)
{
    uint8_t *to = nbd_reply_begin_option(s, NBD_REP_INFO, 12);

    be16_put(to, NBD_INFO_EXPORT);
    be64_put(to + 2, export->size);
    be16_put(to + 10, transmission_flags(s, export));
}

void nbd_reply_info_name(struct nbd_server *s, const struct nbd_export *export)
{
    size_t len = strlen(export->name);
    uint8_t *to = nbd_reply_begin_option(s, NBD_REP_INFO, 2 + len);

    be16_put(to, NBD_INFO_NAME);
    memcpy(to + 2, export->name, len);
}

void nbd_reply_info_block_size(struct nbd_server *s)
{
    uint8_t *to = nbd_reply_begin_option(s, NBD_REP_INFO, 14);

    be16_put(to, NBD_INFO_BLOCK_SIZE);
    be32_put(to + 2, 1); /* a larger minimum would break drives of odd sizes */
    be32_put(to + 6, NBD_PREFERRED_REQUEST_BYTES);
    be32_put(to + 10, NBD_MAX_REQUEST_BYTES);
}

void nbd_reply_export_name(struct nbd_server *s, const struct nbd_export *export)
{
    size_t zeroes = s->is_without_zeroes ? 0 : NBD_EXPORT_NAME_ZEROES;
    uint8_t *to = nbd_reply_extend(s, 10 + zeroes);

    be64_put(to, export->size);
    be16_put(to + 8, transmission_flags(s, export));
    memset(to + 10, 0, zeroes);
}

uint32_t nbd_reply_wire_error(int error)
{
    switch (error) {
    case 0:
        return 0;
    case EPERM:
    case EROFS:
        return NBD_EPERM;
    case ENOMEM:
        return NBD_ENOMEM;
    case EINVAL:
        return NBD_EINVAL;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return NBD_ENOSPC;
    case ENOTSUP:
        return NBD_ENOTSUP;
    case ESHUTDOWN:
        return NBD_ESHUTDOWN;
    default: /* EOVERFLOW too: the wire has it for READ with DF only, and those we answer whole */
        return NBD_EIO;
    }
}

static void put_simple(uint8_t *to, uint64_t cookie, int error)
{
    be32_put(to, NBD_SIMPLE_REPLY_MAGIC);
    be32_put(to + 4, nbd_reply_wire_error(error));
    be64_put(to + 8, cookie);
}

/* Each of our replies is one chunk, which is therefore the last. */
void nbd_reply_put_chunk(uint8_t *to, uint64_t cookie, uint16_t type, uint32_t len)
{
    be32_put(to, NBD_CHUNK_MAGIC);
    be16_put(to + 4, NBD_CHUNK_FLAG_DONE);
    be16_put(to + 6, type);
    be64_put(to + 8, cookie);
    be32_put(to + 16, len);
}

static void put_error_chunk(struct nbd_server *s, int error)
{
    uint8_t *to = nbd_reply_extend(s, NBD_CHUNK_BYTES + 6);

    nbd_reply_put_chunk(to, s->rq.cookie, NBD_CHUNK_ERROR, 6);
    be32_put(to + NBD_CHUNK_BYTES, nbd_reply_wire_error(error));
    be16_put(to + NBD_CHUNK_BYTES + 4, 0);
}

void nbd_reply_result(struct nbd_server *s, int error)
{
    bool has_data = s->rq.type == NBD_CMD_READ || s->rq.type == NBD_CMD_BLOCK_STATUS;

    /* Structured replies are a must for these, and a choice for everything else. */
    if (s->is_structured && has_data && error)
        put_error_chunk(s, error);
    else
        put_simple(nbd_reply_extend(s, NBD_SIMPLE_REPLY_BYTES), s->rq.cookie, error);
    if (error && s->export->ops->replied_error)
        s->export->ops->replied_error(s->export->user, &s->rq, error);
}

/* Worth a hole: all zeros, and more of them than the hole's own header has bytes. */
static bool is_hole_data(const uint8_t *data, size_t len)
{
    return len >= 512 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

size_t nbd_reply_read_head(const struct nbd_server *s)
{
    return s->is_structured ? NBD_CHUNK_BYTES + 8 : NBD_SIMPLE_REPLY_BYTES;
}

void nbd_reply_finish_read(GByteArray *reply, bool is_structured, const struct nbd_request *rq)
{
    uint8_t *to = reply->data;
    bool is_hole = is_structured && is_hole_data(to + NBD_CHUNK_BYTES + 8, rq->len);

    if (!is_structured)
        return put_simple(to, rq->cookie, 0);
    nbd_reply_put_chunk(to, rq->cookie, is_hole ? NBD_CHUNK_OFFSET_HOLE : NBD_CHUNK_OFFSET_DATA,
                        8 + (is_hole ? 4 : rq->len));
    be64_put(to + NBD_CHUNK_BYTES, rq->offset);
    if (is_hole) {
        be32_put(to + NBD_CHUNK_BYTES + 8, rq->len);
        g_byte_array_set_size(reply, NBD_CHUNK_BYTES + 12);
    }
}

static void reply_read_nothing(struct nbd_server *s)
{
    if (s->is_structured)
        nbd_reply_put_chunk(nbd_reply_extend(s, NBD_CHUNK_BYTES), s->rq.cookie, NBD_CHUNK_NONE, 0);
    else
        put_simple(nbd_reply_extend(s, NBD_SIMPLE_REPLY_BYTES), s->rq.cookie, 0);
}

void nbd_reply_read(struct nbd_server *s)
{
    size_t head = nbd_reply_read_head(s);
    GByteArray *reply;
    int error;

    if (s->rq.len == 0)
        return reply_read_nothing(s);
    reply = g_byte_array_new();
    g_byte_array_set_size(reply, head + s->rq.len);
    error = s->export->ops->read(s->export->user, &s->rq, reply->data + head);
    if (error) {
        g_byte_array_unref(reply);
        return nbd_reply_result(s, error);
    }
    nbd_reply_finish_read(reply, s->is_structured, &s->rq);
    nbd_reply_push(s, reply);
}
