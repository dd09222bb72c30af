// SPDX-License-Identifier: GPL-2.0-or-later
/* Meta contexts: base:allocation is the only one, for exports that tell what is a hole. */
#include <string.h>
#include "nbd/inside.h"
#include "base/be.h"

/* As many as one reply holds. The client asks on behind them. */
#define MAX_EXTENTS 8192

/* The data of both options: u32 length of the name · name · u32 count · count × (u32 length · query). */
struct meta_request {
    const uint8_t *name, *queries, *end;
    uint32_t name_len, count;
};

/* Next query; false when there is none, or not all of it. */
static bool next_query(struct meta_request *ask, const uint8_t **query, uint32_t *len)
{
    if (ask->end - ask->queries < 4)
        return false;
    *len = be32_get(ask->queries);
    *query = ask->queries + 4;
    if (*len > (size_t)(ask->end - *query))
        return false;
    ask->queries = *query + *len;
    return true;
}

static bool parse(const struct nbd_server *s, struct meta_request *ask)
{
    const uint8_t *query;
    uint32_t len;

    if (s->option_len < 8)
        return false;
    ask->name_len = be32_get(s->option_data);
    if (ask->name_len > NBD_MAX_NAME_BYTES || ask->name_len > s->option_len - 8)
        return false;
    ask->name = s->option_data + 4;
    ask->count = be32_get(ask->name + ask->name_len);
    ask->queries = ask->name + ask->name_len + 4;
    ask->end = s->option_data + s->option_len;

    struct meta_request all = *ask;
    for (uint32_t i = 0; i < ask->count; i++)
        if (!next_query(&all, &query, &len))
            return false;
    return all.queries == all.end;
}

static bool is_wanted(const uint8_t *query, uint32_t len, bool is_list)
{
    static const char name[] = NBD_META_ALLOCATION;
    bool is_all_of_base = is_list && len == strlen("base:");

    return (len == strlen(name) || is_all_of_base) && memcmp(query, name, len) == 0;
}

static bool asks_for_allocation(const struct meta_request *request, bool is_list)
{
    struct meta_request ask = *request;
    const uint8_t *query;
    uint32_t len;

    while (ask.count-- && next_query(&ask, &query, &len))
        if (is_wanted(query, len, is_list))
            return true;
    return is_list && request->count == 0; /* no query: all there are */
}

static void reply_allocation(struct nbd_server *s, bool is_list)
{
    size_t len = strlen(NBD_META_ALLOCATION);
    uint8_t *to = nbd_reply_begin_option(s, NBD_REP_META, 4 + len);

    be32_put(to, is_list ? 0 : NBD_META_ALLOCATION_ID);
    memcpy(to + 4, NBD_META_ALLOCATION, len);
}

static bool has_status(const struct nbd_server *s)
{
    const struct nbd_export *export;

    for (unsigned i = 0; (export = nbd_exports_at(s->exports, i)); i++)
        if (export->ops->status)
            return true;
    return false;
}

void nbd_meta_answer(struct nbd_server *s)
{
    bool is_list = s->option == NBD_OPT_LIST_META_CONTEXT;
    const struct nbd_export *export;
    struct meta_request ask;
    uint32_t error;

    if (!has_status(s))
        return nbd_reply_option(s, NBD_REP_ERR_UNSUP);
    if (!is_list)
        s->meta_export = NULL; /* each one replaces what was set before */
    if (!s->is_structured || !parse(s, &ask))
        return nbd_reply_option(s, NBD_REP_ERR_INVALID);
    export = nbd_handshake_find(s, ask.name, ask.name_len, &error);
    if (!export)
        return nbd_reply_option(s, error);
    if (export->ops->status && asks_for_allocation(&ask, is_list)) {
        reply_allocation(s, is_list);
        if (!is_list)
            s->meta_export = export;
    }
    nbd_reply_option(s, NBD_REP_ACK);
}

void nbd_meta_status(struct nbd_server *s)
{
    bool is_one = s->rq.flags & NBD_CMD_FLAG_REQ_ONE;
    g_autofree struct nbd_extent *extents = g_new(struct nbd_extent, is_one ? 1 : MAX_EXTENTS);
    unsigned n = s->export->ops->status(s->export->user, &s->rq, extents, is_one ? 1 : MAX_EXTENTS);
    uint8_t *to;

    g_assert(n > 0);
    to = nbd_reply_extend(s, NBD_CHUNK_BYTES + 4 + 8 * (size_t)n);
    nbd_reply_put_chunk(to, s->rq.cookie, NBD_CHUNK_BLOCK_STATUS, 4 + 8 * n);
    be32_put(to + NBD_CHUNK_BYTES, NBD_META_ALLOCATION_ID);
    for (unsigned i = 0; i < n; i++) {
        be32_put(to + NBD_CHUNK_BYTES + 4 + 8 * i, extents[i].len);
        be32_put(to + NBD_CHUNK_BYTES + 8 + 8 * i, extents[i].state);
    }
}
