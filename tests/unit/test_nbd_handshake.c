// SPDX-License-Identifier: GPL-2.0-or-later
/* Client flags and options: what is answered, byte by byte where it matters. */
#include "unit/nbd_peer.h"

enum { FIXED = NBD_FLAG_FIXED_NEWSTYLE, BOTH = NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES };

struct fixture {
    struct recorder r;
    struct nbd_exports *exports;
    struct nbd_server *server;
    GByteArray *says, *hears;
    size_t at; /* how much of `hears` is looked at */
};

static void add(struct fixture *f, const char *name, bool no_structured)
{
    nbd_exports_add(f->exports, &(struct nbd_export){.name = (char *)name,
                                                     .size = f->r.size,
                                                     .no_structured = no_structured,
                                                     .ops = &recorder_ops,
                                                     .user = &f->r});
}

static void set_up(struct fixture *f, gconstpointer unused)
{
    recorder_init(&f->r, 1000001);
    f->exports = nbd_exports_new();
    add(f, "disk", false);
    f->server = nbd_server_new(f->exports);
    f->says = g_byte_array_new();
    f->hears = g_byte_array_new();
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
    nbd_server_free(f->server);
    nbd_exports_free(f->exports);
    g_byte_array_unref(f->says);
    g_byte_array_unref(f->hears);
    recorder_clear(&f->r);
}

/* The server gets what was said since the last time; `hears` then holds what it answered to that. */
static enum nbd_verdict talk(struct fixture *f)
{
    enum nbd_verdict verdict = peer_feed(f->server, f->says->data, f->says->len, NULL);

    g_byte_array_set_size(f->says, 0);
    g_byte_array_unref(f->hears);
    f->hears = nbd_server_output(f->server);
    f->at = 0;
    return verdict;
}

/* Through the client flags, into the options. */
static void greet(struct fixture *f, uint32_t flags)
{
    peer_flags(f->says, flags);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    g_assert_cmpuint(f->hears->len, ==, NBD_GREETING_BYTES);
}

static struct peer_reply expect_reply(struct fixture *f, uint32_t option, uint32_t type)
{
    struct peer_reply reply = peer_next_reply(f->hears, &f->at);

    g_assert_cmpuint(reply.option, ==, option);
    g_assert_cmphex(reply.type, ==, type);
    return reply;
}

static void expect_no_more(struct fixture *f)
{
    g_assert_cmpuint(f->at, ==, f->hears->len);
}

/* What was said is answered by this one reply without data, and the connection goes on. */
static void expect_only(struct fixture *f, uint32_t option, uint32_t type)
{
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    g_assert_cmpuint(expect_reply(f, option, type).len, ==, 0);
    expect_no_more(f);
    g_assert_null(nbd_server_export(f->server));
}

static void expect_broken(struct fixture *f, const char *why)
{
    size_t room;

    g_assert_cmpint(talk(f), ==, NBD_BROKEN);
    g_assert_nonnull(strstr(nbd_server_why(f->server), why));
    g_assert_null(nbd_server_want(f->server, &room));
    g_assert_cmpuint(room, ==, 0);
}

static void test_greeting(struct fixture *f, gconstpointer unused)
{
    static const uint8_t greeting[] = "NBDMAGICIHAVEOPT\0\3";

    talk(f);
    g_assert_cmpmem(f->hears->data, f->hears->len, greeting, sizeof greeting - 1);
}

static void test_unknown_client_flags(struct fixture *f, gconstpointer unused)
{
    peer_flags(f->says, 4 | BOTH);
    expect_broken(f, "client flags");
}

static void test_bad_option_magic(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_fill(f->says, NBD_OPTION_BYTES, 'x');
    expect_broken(f, "magic");
}

static void test_old_client(struct fixture *f, gconstpointer unused)
{
    greet(f, 0);
    peer_export_name(f->says, "disk");
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    g_assert_cmpuint(f->hears->len, ==, 8 + 2 + 124);
    g_assert_nonnull(nbd_server_export(f->server));
}

static void test_old_client_may_not_list(struct fixture *f, gconstpointer unused)
{
    greet(f, 0);
    peer_option(f->says, NBD_OPT_LIST, 0);
    expect_broken(f, "fixed newstyle");
}

static void test_export_name(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_export_name(f->says, "disk");
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    g_assert_cmpuint(f->hears->len, ==, 8 + 2);
    g_assert_cmpuint(be64_get(f->hears->data), ==, f->r.size);
    g_assert_cmphex(be16_get(f->hears->data + 8), ==,
                    NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_TRIM);
    g_assert_cmpstr(nbd_server_export(f->server)->name, ==, "disk");
}

static void test_export_name_unknown(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_export_name(f->says, "disc");
    expect_broken(f, "does not exist");
}

static void test_export_name_too_long(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_EXPORT_NAME, 100000);
    peer_fill(f->says, 100000, 'd');
    expect_broken(f, "100000");
}

static void expect_info_export(struct fixture *f, uint32_t option)
{
    struct peer_reply reply = expect_reply(f, option, NBD_REP_INFO);

    g_assert_cmpuint(reply.len, ==, 12);
    g_assert_cmpuint(be16_get(reply.data), ==, NBD_INFO_EXPORT);
    g_assert_cmpuint(be64_get(reply.data + 2), ==, f->r.size);
}

static void test_go(struct fixture *f, gconstpointer unused)
{
    struct peer_reply reply;

    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_GO, "disk", NBD_INFO_BLOCK_SIZE);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_info_export(f, NBD_OPT_GO);
    reply = expect_reply(f, NBD_OPT_GO, NBD_REP_INFO);
    g_assert_cmpmem(reply.data, reply.len, "\0\3\0\0\0\1\0\1\0\0\2\0\0\0", 14);
    g_assert_cmpuint(expect_reply(f, NBD_OPT_GO, NBD_REP_ACK).len, ==, 0);
    expect_no_more(f);
    g_assert_nonnull(nbd_server_export(f->server));
}

static void test_info_does_not_choose(struct fixture *f, gconstpointer unused)
{
    struct peer_reply reply;

    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_INFO, "disk", NBD_INFO_NAME);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_info_export(f, NBD_OPT_INFO);
    reply = expect_reply(f, NBD_OPT_INFO, NBD_REP_INFO);
    g_assert_cmpmem(reply.data, reply.len, "\0\1disk", 6);
    expect_reply(f, NBD_OPT_INFO, NBD_REP_ACK);
    expect_no_more(f);
    g_assert_null(nbd_server_export(f->server));
}

static void test_read_only_flags(struct fixture *f, gconstpointer unused)
{
    struct peer_reply reply;

    nbd_exports_add(f->exports,
                    &(struct nbd_export){.name = (char *)"ro", .size = 1, .read_only = true, .ops = &recorder_ops});
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 0);
    expect_only(f, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK);
    peer_ask(f->says, NBD_OPT_INFO, "ro", NBD_INFO_EXPORT);
    talk(f);
    reply = expect_reply(f, NBD_OPT_INFO, NBD_REP_INFO);
    g_assert_cmphex(be16_get(reply.data + 10), ==,
                    NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_DF |
                        NBD_FLAG_CAN_MULTI_CONN);
}

static void test_go_without_flush(struct fixture *f, gconstpointer unused)
{
    struct peer_reply reply;

    nbd_exports_add(f->exports,
                    &(struct nbd_export){.name = (char *)"nf", .size = 1, .no_flush = true, .ops = &recorder_ops});
    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_INFO, "nf", NBD_INFO_EXPORT);
    talk(f);
    reply = expect_reply(f, NBD_OPT_INFO, NBD_REP_INFO);
    g_assert_cmphex(be16_get(reply.data + 10), ==,
                    NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_TRIM);
}

static void test_go_unknown(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_GO, "disc", NBD_INFO_BLOCK_SIZE);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
    peer_option(f->says, NBD_OPT_GO, 11); /* "disk", but with a NUL behind it */
    peer_be32(f->says, 5);
    g_byte_array_append(f->says, (const uint8_t *)"disk\0\0\0", 7);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
}

static void test_go_malformed(struct fixture *f, gconstpointer unused)
{
    static const struct {
        const char *data;
        uint32_t len;
    } bad[] = {
        {"", 0},
        {"\0\0\0\0\0", 5},                    /* no room for the count */
        {"\0\0\0\4disk\0", 9},                /* half a count */
        {"\0\0\0\5disk\0\0", 10},             /* the name reaches into the count */
        {"\0\0\0\4disk\0\1\0", 11},           /* half an info */
        {"\0\0\0\4disk\0\0\0\3", 12},         /* an info that is not counted */
        {"\0\0\0\4disk\377\377\0\3", 12},     /* more counted than there are */
        {"\377\377\377\377disk\0\1\0\3", 12}, /* a name beyond all bounds */
        {"\377\377\377\376disk\0\1\0\3", 12},
    };

    greet(f, BOTH);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        peer_option(f->says, NBD_OPT_GO, bad[i].len);
        g_byte_array_append(f->says, (const uint8_t *)bad[i].data, bad[i].len);
        expect_only(f, NBD_OPT_GO, NBD_REP_ERR_INVALID);
    }
}

static void test_go_long_name(struct fixture *f, gconstpointer unused)
{
    g_autofree char *longest = g_strnfill(NBD_MAX_NAME_BYTES, 'n');
    g_autofree char *longer = g_strnfill(NBD_MAX_NAME_BYTES + 1, 'n');

    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_GO, longest, NBD_INFO_NAME);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
    peer_ask(f->says, NBD_OPT_GO, longer, NBD_INFO_NAME);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_INVALID);
}

static void test_empty_name(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_ask(f->says, NBD_OPT_INFO, "", NBD_INFO_NAME);
    talk(f);
    expect_info_export(f, NBD_OPT_INFO);
    add(f, "another", false); /* now it would be ambiguous */
    peer_ask(f->says, NBD_OPT_INFO, "", NBD_INFO_NAME);
    expect_only(f, NBD_OPT_INFO, NBD_REP_ERR_UNKNOWN);
}

static void test_list(struct fixture *f, gconstpointer unused)
{
    struct peer_reply reply;

    add(f, "b", false);
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_LIST, 0);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    reply = expect_reply(f, NBD_OPT_LIST, NBD_REP_SERVER);
    g_assert_cmpmem(reply.data, reply.len, "\0\0\0\4disk", 8);
    reply = expect_reply(f, NBD_OPT_LIST, NBD_REP_SERVER);
    g_assert_cmpmem(reply.data, reply.len, "\0\0\0\1b", 5);
    expect_reply(f, NBD_OPT_LIST, NBD_REP_ACK);
    expect_no_more(f);
    peer_option(f->says, NBD_OPT_LIST, 1);
    peer_fill(f->says, 1, 0);
    expect_only(f, NBD_OPT_LIST, NBD_REP_ERR_INVALID);
}

static void test_abort(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_ABORT, 0);
    g_assert_cmpint(talk(f), ==, NBD_FINISHED);
    expect_reply(f, NBD_OPT_ABORT, NBD_REP_ACK);
    expect_no_more(f);
}

static void test_structured(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 2);
    peer_fill(f->says, 2, 0);
    expect_only(f, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_INVALID);
    peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 0);
    expect_only(f, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK);
    add(f, "filter", true); /* too late to refuse the option: so the export is refused */
    peer_ask(f->says, NBD_OPT_GO, "filter", NBD_INFO_BLOCK_SIZE);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_POLICY);
}

static void test_structured_refused_for_all(struct fixture *f, gconstpointer unused)
{
    add(f, "filter", true);
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 0);
    expect_only(f, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_UNSUP);
    nbd_exports_remove(f->exports, "filter");
    peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 0);
    expect_only(f, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK);
}

static void test_unsupported(struct fixture *f, gconstpointer unused)
{
    static const uint32_t options[] = {
        0,         4, NBD_OPT_STARTTLS, NBD_OPT_LIST_META_CONTEXT, NBD_OPT_SET_META_CONTEXT, NBD_OPT_EXTENDED_HEADERS,
        UINT32_MAX};

    greet(f, FIXED);
    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
        peer_option(f->says, options[i], 3 * i);
        peer_fill(f->says, 3 * i, 1);
        expect_only(f, options[i], NBD_REP_ERR_UNSUP);
    }
}

static void test_too_big(struct fixture *f, gconstpointer unused)
{
    greet(f, BOTH);
    peer_option(f->says, NBD_OPT_GO, 300000);
    peer_fill(f->says, 300000, 1);
    expect_only(f, NBD_OPT_GO, NBD_REP_ERR_TOO_BIG);
    peer_ask(f->says, NBD_OPT_GO, "disk", NBD_INFO_BLOCK_SIZE);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    g_assert_nonnull(nbd_server_export(f->server));
}

static void test_export_set(struct fixture *f, gconstpointer unused)
{
    const struct nbd_export *disk = nbd_exports_find(f->exports, "disk");

    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("n%u", i);
        add(f, name, false);
    }
    g_assert_true(nbd_exports_find(f->exports, "disk") == disk); /* addresses are stable */
    g_assert_cmpstr(nbd_exports_find(f->exports, "n42")->name, ==, "n42");
    nbd_exports_remove(f->exports, "n42");
    nbd_exports_remove(f->exports, "never there");
    g_assert_null(nbd_exports_find(f->exports, "n42"));
    g_assert_nonnull(nbd_exports_find(f->exports, "n43"));
}

#define ADD(name) g_test_add("/nbd/handshake/" #name, struct fixture, NULL, set_up, test_##name, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(greeting);
    ADD(unknown_client_flags);
    ADD(bad_option_magic);
    ADD(old_client);
    ADD(old_client_may_not_list);
    ADD(export_name);
    ADD(export_name_unknown);
    ADD(export_name_too_long);
    ADD(go);
    ADD(info_does_not_choose);
    ADD(read_only_flags);
    ADD(go_without_flush);
    ADD(go_unknown);
    ADD(go_malformed);
    ADD(go_long_name);
    ADD(empty_name);
    ADD(list);
    ADD(abort);
    ADD(structured);
    ADD(structured_refused_for_all);
    ADD(unsupported);
    ADD(too_big);
    ADD(export_set);
    return g_test_run();
}
