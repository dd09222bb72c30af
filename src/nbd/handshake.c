// SPDX-License-Identifier: GPL-2.0-or-later
/* Client flags and options, until an export is chosen: fixed newstyle. */
#include "nbd/inside.h"
#include "base/be.h"

void nbd_handshake_begin(struct nbd_server *s)
{
    nbd_reply_greeting(s);
    nbd_server_expect(s, NBD_STAGE_FLAGS, NBD_CLIENT_FLAGS_BYTES);
}

static void expect_option(struct nbd_server *s)
{
    nbd_server_expect(s, NBD_STAGE_OPTION, NBD_OPTION_BYTES);
}

void nbd_handshake_flags(struct nbd_server *s)
{
    uint32_t flags = be32_get(s->head);

    if (flags & ~(uint32_t)(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
        return nbd_server_break(s, "handshake: unknown client flags 0x%08x", flags);
    s->is_fixed = flags & NBD_FLAG_FIXED_NEWSTYLE;
    s->is_without_zeroes = flags & NBD_FLAG_NO_ZEROES;
    expect_option(s);
}

void nbd_handshake_header(struct nbd_server *s)
{
    if (be64_get(s->head) != NBD_OPTION_MAGIC)
        return nbd_server_break(s, "handshake: bad option magic 0x%016" G_GINT64_MODIFIER "x", be64_get(s->head));
    s->option = be32_get(s->head + 8);
    s->option_len = be32_get(s->head + 12);
    if (!s->is_fixed && s->option != NBD_OPT_EXPORT_NAME)
        return nbd_server_break(s, "handshake: option %u without fixed newstyle", s->option);
    if (s->option_len == 0)
        return nbd_handshake_option(s);
    if (s->option_len <= NBD_MAX_OPTION_BYTES)
        nbd_server_expect(s, NBD_STAGE_OPTION_DATA, s->option_len);
    else
        nbd_server_expect(s, NBD_STAGE_OPTION_SWALLOW, s->option_len);
}

static bool is_structured_refused(const struct nbd_server *s)
{
    const struct nbd_export *export;

    /* The option comes before an export is chosen: one that must not have it decides for all. */
    for (unsigned i = 0; (export = nbd_exports_at(s->exports, i)); i++)
        if (export->no_structured)
            return true;
    return false;
}

/* The empty name stands for the only export, if there is one only. */
const struct nbd_export *nbd_handshake_find(const struct nbd_server *s, const uint8_t *name, uint32_t len,
                                            uint32_t *error)
{
    g_autofree char *text = g_strndup((const char *)name, len);
    const struct nbd_export *export = NULL;

    *error = NBD_REP_ERR_UNKNOWN;
    if (strlen(text) == len) /* no NUL inside */
        export = nbd_exports_find(s->exports, text);
    if (!export && len == 0 && !nbd_exports_at(s->exports, 1))
        export = nbd_exports_at(s->exports, 0);
    if (export && export->no_structured && s->is_structured) { /* it came after the option */
        *error = NBD_REP_ERR_POLICY;
        return NULL;
    }
    return export;
}

static void choose(struct nbd_server *s, const struct nbd_export *export)
{
    s->export = export;
    nbd_server_expect(s, NBD_STAGE_REQUEST, NBD_REQUEST_BYTES);
}

/* This option alone has no way to say no. */
static void answer_export_name(struct nbd_server *s)
{
    const struct nbd_export *export;
    uint32_t error;

    if (s->option_len > NBD_MAX_NAME_BYTES)
        return nbd_server_break(s, "handshake: an export name of %u bytes", s->option_len);
    export = nbd_handshake_find(s, s->option_data, s->option_len, &error);
    if (!export)
        return nbd_server_break(s, "handshake: the client asked for an export that does not exist");
    nbd_reply_export_name(s, export);
    choose(s, export);
}

static void answer_abort(struct nbd_server *s)
{
    nbd_reply_option(s, NBD_REP_ACK);
    nbd_server_finish(s);
}

static void answer_list(struct nbd_server *s)
{
    const struct nbd_export *export;

    if (s->option_len != 0)
        return nbd_reply_option(s, NBD_REP_ERR_INVALID);
    for (unsigned i = 0; (export = nbd_exports_at(s->exports, i)); i++)
        nbd_reply_listed(s, export);
    nbd_reply_option(s, NBD_REP_ACK);
}

static void answer_structured_reply(struct nbd_server *s)
{
    if (s->option_len != 0)
        return nbd_reply_option(s, NBD_REP_ERR_INVALID);
    if (is_structured_refused(s))
        return nbd_reply_option(s, NBD_REP_ERR_UNSUP);
    s->is_structured = true;
    nbd_reply_option(s, NBD_REP_ACK);
}

/* The data of INFO and GO: u32 length of the name · name · u16 count · count × u16 NBD_INFO_*. */
struct info_request {
    const uint8_t *name, *infos;
    uint32_t name_len;
    uint16_t count;
};

static bool parse_info_request(const struct nbd_server *s, struct info_request *ask)
{
    const uint8_t *data = s->option_data;

    if (s->option_len < 6)
        return false;
    ask->name_len = be32_get(data);
    if (ask->name_len > NBD_MAX_NAME_BYTES || ask->name_len > s->option_len - 6)
        return false;
    ask->name = data + 4;
    ask->count = be16_get(ask->name + ask->name_len);
    ask->infos = ask->name + ask->name_len + 2;
    return s->option_len == 6 + ask->name_len + 2u * ask->count;
}

static bool is_asked(const struct info_request *ask, uint16_t info)
{
    for (unsigned i = 0; i < ask->count; i++)
        if (be16_get(ask->infos + 2 * i) == info)
            return true;
    return false;
}

static void answer_info_or_go(struct nbd_server *s)
{
    struct info_request ask;
    const struct nbd_export *export;
    uint32_t error;

    if (!parse_info_request(s, &ask))
        return nbd_reply_option(s, NBD_REP_ERR_INVALID);
    export = nbd_handshake_find(s, ask.name, ask.name_len, &error);
    if (!export)
        return nbd_reply_option(s, error);
    nbd_reply_info_export(s, export);
    if (is_asked(&ask, NBD_INFO_NAME))
        nbd_reply_info_name(s, export);
    if (is_asked(&ask, NBD_INFO_BLOCK_SIZE))
        nbd_reply_info_block_size(s);
    nbd_reply_option(s, NBD_REP_ACK);
    if (s->option == NBD_OPT_GO)
        choose(s, export);
}

/* What is not here (TLS, extended headers, whatever is invented yet) is refused. */
static const struct {
    uint32_t option;
    void (*answer)(struct nbd_server *s);
} answers[] = {
    {NBD_OPT_EXPORT_NAME, answer_export_name},
    {NBD_OPT_ABORT, answer_abort},
    {NBD_OPT_LIST, answer_list},
    {NBD_OPT_INFO, answer_info_or_go},
    {NBD_OPT_GO, answer_info_or_go},
    {NBD_OPT_STRUCTURED_REPLY, answer_structured_reply},
    {NBD_OPT_LIST_META_CONTEXT, nbd_meta_answer},
    {NBD_OPT_SET_META_CONTEXT, nbd_meta_answer},
};

static void answer(struct nbd_server *s)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++)
        if (answers[i].option == s->option)
            return answers[i].answer(s);
    nbd_reply_option(s, NBD_REP_ERR_UNSUP);
}

void nbd_handshake_option(struct nbd_server *s)
{
    bool is_swallowed = s->option_len > NBD_MAX_OPTION_BYTES;

    /* The default, unless the answer chooses an export or ends the connection. */
    expect_option(s);
    if (is_swallowed && s->option != NBD_OPT_EXPORT_NAME && s->option != NBD_OPT_ABORT)
        return nbd_reply_option(s, NBD_REP_ERR_TOO_BIG);
    answer(s);
}
