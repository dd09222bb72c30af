// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests and the payload of WRITE, once an export is chosen. */
#include <errno.h>
#include "nbd/inside.h"
#include "base/be.h"

static void expect_request(struct nbd_server *s)
{
    nbd_server_expect(s, NBD_STAGE_REQUEST, NBD_REQUEST_BYTES);
}

static bool is_in_range(const struct nbd_server *s)
{
    return s->rq.offset <= s->export->size && s->rq.len <= s->export->size - s->rq.offset;
}

/* FUA is allowed everywhere: "the server must not fail on it where it means nothing". */
static bool has_only(const struct nbd_server *s, uint16_t flags)
{
    return (s->rq.flags & ~(NBD_CMD_FLAG_FUA | flags)) == 0;
}

/* What everything that changes the export must pass: 0 or an errno. */
static int check_change(const struct nbd_server *s, bool is_supported, uint16_t flags, int beyond_end)
{
    if (s->export->read_only)
        return EPERM;
    if (!is_supported || !has_only(s, flags))
        return EINVAL;
    return is_in_range(s) ? 0 : beyond_end;
}

static int flush(const struct nbd_server *s)
{
    return s->export->ops->flush ? s->export->ops->flush(s->export->user) : 0;
}

/* A change with FUA is answered when it is as safe as FLUSH would make it. */
static int flush_if_fua(const struct nbd_server *s, int error)
{
    return error == 0 && (s->rq.flags & NBD_CMD_FLAG_FUA) ? flush(s) : error;
}

static void begin_write(struct nbd_server *s)
{
    const struct nbd_export *export = s->export;

    if (s->rq.len > NBD_MAX_REQUEST_BYTES)
        return nbd_server_break(s, "export %s: a write of %u bytes; the limit is %u", export->name, s->rq.len,
                                NBD_MAX_REQUEST_BYTES);
    s->rq_error = check_change(s, export->ops->write_begin != NULL, 0, ENOSPC);
    if (s->rq_error == 0 && s->rq.len > 0) {
        s->rq_error = export->ops->write_begin(export->user, &s->rq);
        s->is_begun = s->rq_error == 0;
    }
    s->room_len = 0;
    nbd_server_expect(s, s->rq_error ? NBD_STAGE_SWALLOW : NBD_STAGE_PAYLOAD, s->rq.len);
    if (s->rq.len == 0)
        nbd_transmission_end_write(s);
}

bool nbd_transmission_find_room(struct nbd_server *s)
{
    size_t left = s->need - s->filled;

    if (s->room_len > 0)
        return true;
    s->room = s->export->ops->write_room(s->export->user, &s->rq, s->filled, &s->room_len);
    if (!s->room) {
        s->room_len = 0;
        return false;
    }
    g_assert(s->room_len > 0);
    s->room_len = MIN(s->room_len, left);
    return true;
}

void nbd_transmission_landed(struct nbd_server *s, size_t n)
{
    s->room += n;
    s->room_len -= n;
    s->rq_error = s->export->ops->write_landed(s->export->user, &s->rq, s->filled);
    if (s->rq_error)
        s->stage = NBD_STAGE_SWALLOW;
}

void nbd_transmission_end_write(struct nbd_server *s)
{
    bool is_begun = s->is_begun;

    s->is_begun = false;
    s->rq_error = flush_if_fua(s, s->rq_error);
    nbd_reply_result(s, s->rq_error);
    if (is_begun)
        s->export->ops->write_end(s->export->user, &s->rq, s->rq_error, false);
    expect_request(s);
}

void nbd_transmission_cut(struct nbd_server *s)
{
    if (!s->is_begun)
        return;
    s->is_begun = false;
    s->export->ops->write_end(s->export->user, &s->rq, s->rq_error, true);
}

/* WRITE_ZEROES and TRIM: one call, no payload. */
static int change(const struct nbd_server *s, int (*op)(void *user, const struct nbd_request *rq))
{
    if (!op || s->rq.len == 0)
        return 0;
    return flush_if_fua(s, op(s->export->user, &s->rq));
}

static int write_zeroes(const struct nbd_server *s)
{
    int (*op)(void *, const struct nbd_request *) = s->export->ops->zeroes;
    int error = check_change(s, op != NULL, NBD_CMD_FLAG_NO_HOLE, ENOSPC);

    return error ? error : change(s, op);
}

static int trim(const struct nbd_server *s)
{
    int error = check_change(s, true, 0, EINVAL);

    return error ? error : change(s, s->export->ops->trim);
}

static int check_read(const struct nbd_server *s)
{
    uint16_t flags = s->is_structured ? NBD_CMD_FLAG_DF : 0;

    bool has_read = s->export->ops->read || s->export->ops->start_read;

    if (!has_read || !has_only(s, flags) || s->rq.len > NBD_MAX_REQUEST_BYTES || !is_in_range(s))
        return EINVAL;
    return 0;
}

static void read_or_refuse(struct nbd_server *s)
{
    int error = check_read(s);

    if (error)
        nbd_reply_result(s, error);
    else if (s->export->ops->start_read && s->rq.len > 0)
        nbd_read_start(s);
    else
        nbd_reply_read(s);
}

static void status_or_refuse(struct nbd_server *s)
{
    bool is_told = s->is_structured && s->meta_export == s->export && s->export->ops->status;

    if (!is_told || !has_only(s, NBD_CMD_FLAG_REQ_ONE) || s->rq.len == 0 || !is_in_range(s))
        nbd_reply_result(s, EINVAL);
    else
        nbd_meta_status(s);
}

static bool parse_request(struct nbd_server *s)
{
    const uint8_t *head = s->head;

    if (be32_get(head) != NBD_REQUEST_MAGIC)
        return false;
    s->rq = (struct nbd_request){
        .flags = be16_get(head + 4),
        .type = be16_get(head + 6),
        .cookie = be64_get(head + 8),
        .offset = be64_get(head + 16),
        .len = be32_get(head + 24),
    };
    s->rq_error = 0;
    return true;
}

void nbd_transmission_request(struct nbd_server *s)
{
    if (!parse_request(s))
        return nbd_server_break(s, "export %s: bad request magic 0x%08x", s->export->name, be32_get(s->head));
    expect_request(s);
    switch (s->rq.type) {
    case NBD_CMD_READ:
        return read_or_refuse(s);
    case NBD_CMD_WRITE:
        return begin_write(s);
    case NBD_CMD_DISC:
        return nbd_server_finish(s);
    case NBD_CMD_FLUSH:
        return nbd_reply_result(s, has_only(s, 0) ? flush(s) : EINVAL);
    case NBD_CMD_TRIM:
        return nbd_reply_result(s, trim(s));
    case NBD_CMD_WRITE_ZEROES:
        return nbd_reply_result(s, write_zeroes(s));
    case NBD_CMD_BLOCK_STATUS:
        return status_or_refuse(s);
    default:
        return nbd_reply_result(s, EINVAL);
    }
}
