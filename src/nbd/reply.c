// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything that goes out: layouts are in nbd/wire.h. */
#include <errno.h>
#include "nbd/inside.h"
#include "base/be.h"

/* Room for `len` bytes more at the end of what goes out. Valid until the next call. */
static uint8_t *extend(struct nbd_server *s, size_t len)
{
    size_t at = s->output->len;

    g_byte_array_set_size(s->output, at + len);
    return s->output->data + at;
}

void nbd_reply_greeting(struct nbd_server *s)
{
    uint8_t *to = extend(s, NBD_GREETING_BYTES);

    be64_put(to, NBD_MAGIC);
    be64_put(to + 8, NBD_OPTION_MAGIC);
    be16_put(to + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
}

/* An option reply's fixed part; returns where its `len` bytes of data go. */
static uint8_t *begin_option(struct nbd_server *s, uint32_t type, uint32_t len)
{
    uint8_t *to = extend(s, NBD_OPTION_REPLY_BYTES + len);

    be64_put(to, NBD_OPTION_REPLY_MAGIC);
    be32_put(to + 8, s->option);
    be32_put(to + 12, type);
    be32_put(to + 16, len);
    return to + NBD_OPTION_REPLY_BYTES;
}

void nbd_reply_option(struct nbd_server *s, uint32_t type)
{
    begin_option(s, type, 0);
}

void nbd_reply_listed(struct nbd_server *s, const struct nbd_export *export)
{
    uint32_t len = strlen(export->name);
    uint8_t *to = begin_option(s, NBD_REP_SERVER, 4 + len);

    be32_put(to, len);
    memcpy(to + 4, export->name, len);
}

static uint16_t transmission_flags(const struct nbd_server *s, const struct nbd_export *export)
{
    uint16_t flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH;

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
    uint8_t *to = begin_option(s, NBD_REP_INFO, 12);

    be16_put(to, NBD_INFO_EXPORT);
    be64_put(to + 2, export->size);
    be16_put(to + 10, transmission_flags(s, export));
}

void nbd_reply_info_name(struct nbd_server *s, const struct nbd_export *export)
{
    size_t len = strlen(export->name);
    uint8_t *to = begin_option(s, NBD_REP_INFO, 2 + len);

    be16_put(to, NBD_INFO_NAME);
    memcpy(to + 2, export->name, len);
}

void nbd_reply_info_block_size(struct nbd_server *s)
{
    uint8_t *to = begin_option(s, NBD_REP_INFO, 14);

    be16_put(to, NBD_INFO_BLOCK_SIZE);
    be32_put(to + 2, 1); /* a larger minimum would break drives of odd sizes */
    be32_put(to + 6, NBD_PREFERRED_REQUEST_BYTES);
    be32_put(to + 10, NBD_MAX_REQUEST_BYTES);
}

void nbd_reply_export_name(struct nbd_server *s, const struct nbd_export *export)
{
    size_t zeroes = s->is_without_zeroes ? 0 : NBD_EXPORT_NAME_ZEROES;
    uint8_t *to = extend(s, 10 + zeroes);

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

static void put_simple(const struct nbd_server *s, uint8_t *to, int error)
{
    be32_put(to, NBD_SIMPLE_REPLY_MAGIC);
    be32_put(to + 4, nbd_reply_wire_error(error));
    be64_put(to + 8, s->rq.cookie);
}

/* Each of our replies is one chunk, which is therefore the last. */
static void put_chunk(const struct nbd_server *s, uint8_t *to, uint16_t type, uint32_t len)
{
    be32_put(to, NBD_CHUNK_MAGIC);
    be16_put(to + 4, NBD_CHUNK_FLAG_DONE);
    be16_put(to + 6, type);
    be64_put(to + 8, s->rq.cookie);
    be32_put(to + 16, len);
}

static void put_error_chunk(struct nbd_server *s, int error)
{
    uint8_t *to = extend(s, NBD_CHUNK_BYTES + 6);

    put_chunk(s, to, NBD_CHUNK_ERROR, 6);
    be32_put(to + NBD_CHUNK_BYTES, nbd_reply_wire_error(error));
    be16_put(to + NBD_CHUNK_BYTES + 4, 0);
}

void nbd_reply_result(struct nbd_server *s, int error)
{
    /* Structured replies are a must for READ, and a choice for everything else. */
    if (s->is_structured && s->rq.type == NBD_CMD_READ && error)
        put_error_chunk(s, error);
    else
        put_simple(s, extend(s, NBD_SIMPLE_REPLY_BYTES), error);
    if (error && s->export->ops->replied_error)
        s->export->ops->replied_error(s->export->user, &s->rq, error);
}

/* Worth a hole: all zeros, and more of them than the hole's own header has bytes. */
static bool is_hole_data(const uint8_t *data, size_t len)
{
    return len >= 512 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* The data of a structured READ stands at `at`, behind its headers: writes these, or makes it a hole. */
static void finish_chunk(struct nbd_server *s, size_t at)
{
    uint8_t *to = s->output->data + at;
    uint32_t len = s->rq.len;
    bool is_hole = is_hole_data(to + NBD_CHUNK_BYTES + 8, len);

    put_chunk(s, to, is_hole ? NBD_CHUNK_OFFSET_HOLE : NBD_CHUNK_OFFSET_DATA, 8 + (is_hole ? 4 : len));
    be64_put(to + NBD_CHUNK_BYTES, s->rq.offset);
    if (is_hole) {
        be32_put(to + NBD_CHUNK_BYTES + 8, len);
        g_byte_array_set_size(s->output, at + NBD_CHUNK_BYTES + 12);
    }
}

static void reply_read_nothing(struct nbd_server *s)
{
    if (s->is_structured)
        put_chunk(s, extend(s, NBD_CHUNK_BYTES), NBD_CHUNK_NONE, 0);
    else
        put_simple(s, extend(s, NBD_SIMPLE_REPLY_BYTES), 0);
}

void nbd_reply_read(struct nbd_server *s)
{
    size_t at = s->output->len;
    size_t head = s->is_structured ? NBD_CHUNK_BYTES + 8 : NBD_SIMPLE_REPLY_BYTES;
    uint8_t *to;
    int error;

    if (s->rq.len == 0)
        return reply_read_nothing(s);
    to = extend(s, head + s->rq.len);
    error = s->export->ops->read(s->export->user, &s->rq, to + head);
    if (error) {
        g_byte_array_set_size(s->output, at);
        return nbd_reply_result(s, error);
    }
    if (s->is_structured)
        finish_chunk(s, at);
    else
        put_simple(s, to, 0);
}
