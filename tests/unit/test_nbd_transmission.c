// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests: what reaches the export, what is answered, and that the splitting of bytes changes neither. */
#include "unit/nbd_peer.h"
#include "nbd/inside.h"

#define DISK_BYTES 3000001u

struct fixture {
    struct recorder r;
    struct nbd_exports *exports;
    struct nbd_export *export;
    struct nbd_server *server;
    GByteArray *says, *hears;
};

static void set_up(struct fixture *f, gconstpointer structured)
{
    recorder_init(&f->r, DISK_BYTES);
    f->exports = nbd_exports_new();
    f->export = nbd_exports_add(
        f->exports, &(struct nbd_export){.name = (char *)"d", .size = DISK_BYTES, .ops = &recorder_ops, .user = &f->r});
    f->server = nbd_server_new(f->exports);
    f->says = g_byte_array_new();
    peer_flags(f->says, 3);
    if (structured)
        peer_option(f->says, NBD_OPT_STRUCTURED_REPLY, 0);
    peer_export_name(f->says, "d");
    peer_feed(f->server, f->says->data, f->says->len, NULL);
    g_byte_array_set_size(f->says, 0);
    f->hears = nbd_server_output(f->server);
}

static void tear_down(struct fixture *f, gconstpointer structured)
{
    nbd_server_free(f->server);
    nbd_exports_free(f->exports);
    g_byte_array_unref(f->says);
    g_byte_array_unref(f->hears);
    recorder_clear(&f->r);
}

static enum nbd_verdict talk(struct fixture *f)
{
    enum nbd_verdict verdict = peer_feed(f->server, f->says->data, f->says->len, NULL);

    g_byte_array_set_size(f->says, 0);
    g_byte_array_unref(f->hears);
    f->hears = nbd_server_output(f->server);
    return verdict;
}

static void say(struct fixture *f, uint16_t type, uint16_t flags, uint64_t offset, uint32_t len)
{
    peer_request(f->says, type, flags, UINT64_C(0xc00c1e) << 32 | len, offset, len);
    if (type == NBD_CMD_WRITE)
        peer_fill(f->says, len, 0x5a);
}

/* A simple reply with this error stands at `at` of what was heard. Returns where its data begins. */
static const uint8_t *expect_simple(struct fixture *f, size_t at, uint32_t error, uint32_t len)
{
    const uint8_t *reply = f->hears->data + at;

    g_assert_cmpuint(f->hears->len, >=, at + NBD_SIMPLE_REPLY_BYTES);
    g_assert_cmphex(be32_get(reply), ==, NBD_SIMPLE_REPLY_MAGIC);
    g_assert_cmpuint(be32_get(reply + 4), ==, error);
    g_assert_cmphex(be64_get(reply + 8), ==, UINT64_C(0xc00c1e) << 32 | len);
    return reply + NBD_SIMPLE_REPLY_BYTES;
}

/* The only thing heard is one chunk, the last one, of this type. Returns its data. */
static const uint8_t *expect_chunk(struct fixture *f, uint16_t type, uint32_t request_len, uint32_t data_len)
{
    const uint8_t *chunk = f->hears->data;

    g_assert_cmpuint(f->hears->len, ==, NBD_CHUNK_BYTES + data_len);
    g_assert_cmphex(be32_get(chunk), ==, NBD_CHUNK_MAGIC);
    g_assert_cmpuint(be16_get(chunk + 4), ==, NBD_CHUNK_FLAG_DONE);
    g_assert_cmpuint(be16_get(chunk + 6), ==, type);
    g_assert_cmphex(be64_get(chunk + 8), ==, UINT64_C(0xc00c1e) << 32 | request_len);
    g_assert_cmpuint(be32_get(chunk + 16), ==, data_len);
    return chunk + NBD_CHUNK_BYTES;
}

static void test_write(struct fixture *f, gconstpointer structured)
{
    say(f, NBD_CMD_WRITE, 0, 1, 70000);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, 0, 70000);
    g_assert_cmpuint(f->hears->len, ==, NBD_SIMPLE_REPLY_BYTES);
    g_assert_cmpstr(f->r.log->str, ==, "begin 1+70000 0\nend 1+70000 0\n");
    g_assert_cmpuint(f->r.memory[0], ==, 0);
    g_assert_cmpuint(f->r.memory[1], ==, 0x5a);
    g_assert_cmpuint(f->r.memory[70000], ==, 0x5a);
    g_assert_cmpuint(f->r.memory[70001], ==, 0);
}

static void test_no_copy(struct fixture *f, gconstpointer structured)
{
    struct iovec pieces[NBD_WANT_PIECES];
    size_t room;

    f->r.room_max = 4096;
    say(f, NBD_CMD_WRITE, 0, 512, 10000);
    peer_feed(f->server, f->says->data, NBD_REQUEST_BYTES, NULL);
    g_assert_true(nbd_server_want(f->server, &room) == f->r.memory + 512);
    g_assert_cmpuint(room, ==, 4096);
    nbd_server_got(f->server, 100);
    g_assert_true(nbd_server_want(f->server, &room) == f->r.memory + 612);
    g_assert_cmpuint(room, ==, 3996);
    g_assert_cmpuint(nbd_server_want_pieces(f->server, pieces), ==, 1);
    nbd_server_got(f->server, 3996);
    nbd_server_want(f->server, &room);
    nbd_server_got(f->server, room);
    g_assert_cmpuint(nbd_server_want_pieces(f->server, pieces), ==, 2); /* the last of it, and a header */
    g_assert_true(pieces[0].iov_base == f->r.memory + 512 + 8192);
    g_assert_cmpuint(pieces[0].iov_len, ==, 10000 - 8192);
    g_assert_cmpuint(pieces[1].iov_len, ==, NBD_REQUEST_BYTES);
    g_byte_array_set_size(f->says, 0);
}

static void test_read(struct fixture *f, gconstpointer structured)
{
    memset(f->r.memory, 7, 1000);
    say(f, NBD_CMD_READ, 0, 500, 1000);
    talk(f);
    g_assert_cmpmem(expect_simple(f, 0, 0, 1000), f->hears->len - NBD_SIMPLE_REPLY_BYTES, f->r.memory + 500, 1000);
}

static void test_read_structured(struct fixture *f, gconstpointer structured)
{
    const uint8_t *data;

    memset(f->r.memory, 7, 1000);
    say(f, NBD_CMD_READ, NBD_CMD_FLAG_DF, 500, 1000);
    talk(f);
    data = expect_chunk(f, NBD_CHUNK_OFFSET_DATA, 1000, 8 + 1000);
    g_assert_cmpuint(be64_get(data), ==, 500);
    g_assert_cmpmem(data + 8, 1000, f->r.memory + 500, 1000);
}

static void test_read_hole(struct fixture *f, gconstpointer structured)
{
    const uint8_t *data;

    say(f, NBD_CMD_READ, 0, 100, 1 << 20);
    talk(f);
    data = expect_chunk(f, NBD_CHUNK_OFFSET_HOLE, 1 << 20, 12);
    g_assert_cmpuint(be64_get(data), ==, 100);
    g_assert_cmpuint(be32_get(data + 8), ==, 1 << 20);
}

/* Zeros so few that a hole's own header is longer, nothing at all, and errors. */
static void test_read_structured_edges(struct fixture *f, gconstpointer structured)
{
    const uint8_t *data;

    say(f, NBD_CMD_READ, 0, 100, 1);
    talk(f);
    expect_chunk(f, NBD_CHUNK_OFFSET_DATA, 1, 8 + 1);
    say(f, NBD_CMD_READ, 0, 100, 0);
    talk(f);
    expect_chunk(f, NBD_CHUNK_NONE, 0, 0);
    f->r.error = EROFS;
    say(f, NBD_CMD_READ, 0, 100, 10);
    talk(f);
    data = expect_chunk(f, NBD_CHUNK_ERROR, 10, 6);
    g_assert_cmpuint(be32_get(data), ==, NBD_EPERM);
    say(f, NBD_CMD_READ, 0, DISK_BYTES, 1);
    talk(f);
    data = expect_chunk(f, NBD_CHUNK_ERROR, 1, 6);
    g_assert_cmpuint(be32_get(data), ==, NBD_EINVAL);
    g_assert_cmpuint(f->r.n_errors, ==, 2);
    say(f, NBD_CMD_WRITE_ZEROES, 0, DISK_BYTES, 1);
    talk(f);
    expect_simple(f, 0, NBD_ENOSPC, 1); /* everything else is answered simply */
}

/* One request each: what is answered, and what the export saw. */
static void test_answers(struct fixture *f, gconstpointer structured)
{
    enum { END = DISK_BYTES, BIG = NBD_MAX_REQUEST_BYTES };
    static const struct {
        uint16_t type, flags;
        uint64_t offset;
        uint32_t len, error;
        const char *log;
    } rows[] = {
        {NBD_CMD_WRITE, 0, END - 1, 1, 0, "begin 3000000+1 0\nend 3000000+1 0\n"},
        {NBD_CMD_WRITE, 0, END - 1, 2, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE, 0, END, 1, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE, 0, UINT64_MAX, 2, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE, 0, 0, BIG, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE, 0, 0, 0, 0, ""},
        {NBD_CMD_WRITE, NBD_CMD_FLAG_FUA, 0, 1, 0, "begin 0+1 0\nflush\nend 0+1 0\n"},
        {NBD_CMD_WRITE, NBD_CMD_FLAG_NO_HOLE, 0, 1, NBD_EINVAL, ""},
        {NBD_CMD_WRITE, 1 << 15, 0, 1, NBD_EINVAL, ""},
        {NBD_CMD_WRITE_ZEROES, 0, 0, END, 0, "zeroes 0+3000001 0\n"},
        {NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, 5, 6, 0, "zeroes 5+6 0\n"},
        {NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_FUA, 5, 6, 0, "zeroes 5+6 0\nflush\n"},
        {NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_DF, 5, 6, NBD_EINVAL, ""},
        {NBD_CMD_WRITE_ZEROES, 0, 1, END, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE_ZEROES, 0, 1, UINT32_MAX, NBD_ENOSPC, ""},
        {NBD_CMD_WRITE_ZEROES, 0, 1, 0, 0, ""},
        {NBD_CMD_TRIM, 0, 7, 8, 0, "trim 7+8 0\n"},
        {NBD_CMD_TRIM, 0, 7, END, NBD_EINVAL, ""},
        {NBD_CMD_READ, 0, END, 1, NBD_EINVAL, ""},
        {NBD_CMD_READ, 0, UINT64_MAX - 1, 10, NBD_EINVAL, ""},
        {NBD_CMD_READ, 0, 0, BIG + 1, NBD_EINVAL, ""},
        {NBD_CMD_READ, NBD_CMD_FLAG_DF, 0, 1, NBD_EINVAL, ""}, /* no structured replies here */
        {NBD_CMD_READ, 0, END, 0, 0, ""},
        {NBD_CMD_FLUSH, 0, 0, 0, 0, "flush\n"},
        {NBD_CMD_FLUSH, NBD_CMD_FLAG_NO_HOLE, 0, 0, NBD_EINVAL, ""},
        {NBD_CMD_CACHE, 0, 0, 512, NBD_EINVAL, ""},
        {NBD_CMD_BLOCK_STATUS, 0, 0, 512, NBD_EINVAL, ""},
        {8, 0, 0, 512, NBD_EINVAL, ""},
        {UINT16_MAX, 0, 0, 512, NBD_EINVAL, ""},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_string_truncate(f->r.log, 0);
        f->r.n_errors = 0;
        say(f, rows[i].type, rows[i].flags, rows[i].offset, rows[i].len);
        g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
        expect_simple(f, 0, rows[i].error, rows[i].len);
        g_assert_cmpuint(f->hears->len, ==, NBD_SIMPLE_REPLY_BYTES);
        g_assert_cmpstr(f->r.log->str, ==, rows[i].log);
        g_assert_cmpuint(f->r.n_errors, ==, rows[i].error != 0);
    }
}

static void test_read_only(struct fixture *f, gconstpointer structured)
{
    f->export->read_only = true;
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    say(f, NBD_CMD_WRITE_ZEROES, 0, 0, 1001);
    say(f, NBD_CMD_TRIM, 0, 0, 1002);
    say(f, NBD_CMD_FLUSH, 0, 0, 0);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_EPERM, 1000);
    expect_simple(f, 16, NBD_EPERM, 1001);
    expect_simple(f, 32, NBD_EPERM, 1002);
    expect_simple(f, 48, 0, 0);
    g_assert_cmpstr(f->r.log->str, ==, "flush\n");
}

/* An export without any of the optional things. */
static void test_bare_export(struct fixture *f, gconstpointer structured)
{
    static const struct nbd_export_ops bare = {NULL};

    f->export->ops = &bare;
    say(f, NBD_CMD_WRITE, 0, 0, 10);
    say(f, NBD_CMD_WRITE_ZEROES, 0, 0, 11);
    say(f, NBD_CMD_TRIM, 0, 0, 12);
    say(f, NBD_CMD_READ, 0, 0, 13);
    say(f, NBD_CMD_FLUSH, 0, 0, 0);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_EINVAL, 10);
    expect_simple(f, 16, NBD_EINVAL, 11);
    expect_simple(f, 32, 0, 12);
    expect_simple(f, 48, NBD_EINVAL, 13);
    expect_simple(f, 64, 0, 0);
}

static void test_error_at_begin(struct fixture *f, gconstpointer structured)
{
    f->r.begin_error_from = 1000;
    say(f, NBD_CMD_WRITE, 0, 900, 200000);
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_ENOSPC, 200000);
    expect_simple(f, 16, 0, 1000);
    g_assert_cmpstr(f->r.log->str, ==, "begin 900+200000 28\nbegin 0+1000 0\nend 0+1000 0\n");
    g_assert_cmpuint(f->r.n_errors, ==, 1);
}

static void test_error_in_payload(struct fixture *f, gconstpointer structured)
{
    f->r.landed_error_from = 70000;
    f->r.room_max = 65536;
    say(f, NBD_CMD_WRITE, NBD_CMD_FLAG_FUA, 0, 200000);
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_EIO, 200000);
    expect_simple(f, 16, 0, 1000);
    g_assert_cmpstr(f->r.log->str, ==, "begin 0+200000 0\nend 0+200000 5\nbegin 0+1000 0\nend 0+1000 0\n");
}

static void test_error_with_the_last_byte(struct fixture *f, gconstpointer structured)
{
    f->r.landed_error_from = 999;
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    say(f, NBD_CMD_FLUSH, 0, 0, 0);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_EIO, 1000);
    expect_simple(f, 16, 0, 0);
    g_assert_cmpstr(f->r.log->str, ==, "begin 0+1000 0\nend 0+1000 5\nflush\n");
}

static void test_no_memory(struct fixture *f, gconstpointer structured)
{
    size_t room = 1;

    f->r.no_room_from = 100;
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    g_assert_cmpint(talk(f), ==, NBD_DROP);
    g_assert_cmpuint(f->hears->len, ==, 0);
    g_assert_null(nbd_server_want(f->server, &room));
    g_assert_cmpuint(room, ==, 0);
    g_assert_cmpuint(f->r.n_ended, ==, 0);
    nbd_server_free(g_steal_pointer(&f->server));
    g_assert_cmpstr(f->r.log->str, ==, "begin 0+1000 0\ncut 0+1000 0\n");
}

static void test_cut(struct fixture *f, gconstpointer structured)
{
    say(f, NBD_CMD_WRITE, 0, 0, 1000);
    g_byte_array_set_size(f->says, f->says->len - 1);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    nbd_server_free(g_steal_pointer(&f->server));
    g_assert_cmpstr(f->r.log->str, ==, "begin 0+1000 0\ncut 0+1000 0\n");
}

static void test_disc(struct fixture *f, gconstpointer structured)
{
    size_t room;

    say(f, NBD_CMD_FLUSH, 0, 0, 0);
    say(f, NBD_CMD_DISC, 0, 0, 0);
    say(f, NBD_CMD_FLUSH, 0, 0, 0);
    g_assert_cmpint(talk(f), ==, NBD_FINISHED);
    g_assert_cmpuint(f->hears->len, ==, NBD_SIMPLE_REPLY_BYTES);
    g_assert_null(nbd_server_want(f->server, &room));
    g_assert_cmpint(nbd_server_got(f->server, 0), ==, NBD_FINISHED);
}

static void test_too_large_write(struct fixture *f, gconstpointer structured)
{
    peer_request(f->says, NBD_CMD_WRITE, 0, 0, 0, NBD_MAX_REQUEST_BYTES + 1);
    g_assert_cmpint(talk(f), ==, NBD_BROKEN);
    g_assert_cmpstr(nbd_server_why(f->server), ==, "export d: a write of 33554433 bytes; the limit is 33554432");
}

static void test_too_large_read(struct fixture *f, gconstpointer structured)
{
    f->export->size = UINT64_MAX;
    say(f, NBD_CMD_READ, 0, 0, NBD_MAX_REQUEST_BYTES + 1);
    g_assert_cmpint(talk(f), ==, NBD_GOES_ON);
    expect_simple(f, 0, NBD_EINVAL, NBD_MAX_REQUEST_BYTES + 1);
    g_assert_cmpstr(f->r.log->str, ==, "");
}

static void test_bad_magic(struct fixture *f, gconstpointer structured)
{
    peer_fill(f->says, NBD_REQUEST_BYTES, 0x11);
    g_assert_cmpint(talk(f), ==, NBD_BROKEN);
    g_assert_cmpstr(nbd_server_why(f->server), ==, "export d: bad request magic 0x11111111");
}

static void test_wire_errors(void)
{
    static const struct {
        int error;
        uint32_t wire;
    } rows[] = {{0, 0},           {EPERM, 1},     {EROFS, 1},     {EIO, 5},     {ENOMEM, 12},
                {EINVAL, 22},     {ENOSPC, 28},   {EFBIG, 28},    {EDQUOT, 28}, {ENOTSUP, 95},
                {ESHUTDOWN, 108}, {EOVERFLOW, 5}, {ETIMEDOUT, 5}, {123456, 5}};

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpuint(nbd_reply_wire_error(rows[i].error), ==, rows[i].wire);
}

/* A conversation of every kind of request, good and bad, in random order. */
static GByteArray *make_conversation(GRand *random)
{
    static const uint16_t types[] = {NBD_CMD_READ,         NBD_CMD_WRITE, NBD_CMD_WRITE, NBD_CMD_WRITE,
                                     NBD_CMD_WRITE_ZEROES, NBD_CMD_TRIM,  NBD_CMD_FLUSH, 99};
    GByteArray *says = g_byte_array_new();

    for (unsigned i = 0; i < 40; i++) {
        uint16_t type = types[g_rand_int_range(random, 0, G_N_ELEMENTS(types))];
        uint32_t len = g_rand_int_range(random, 0, 1 << g_rand_int_range(random, 0, 18));

        peer_request(says, type, 0, i, g_rand_int_range(random, 0, DISK_BYTES), len);
        if (type == NBD_CMD_WRITE)
            peer_fill(says, len, i + 1);
    }
    return says;
}

static void run_conversation(struct fixture *f, const GByteArray *says, GRand *random, bool structured)
{
    set_up(f, GINT_TO_POINTER(structured));
    f->r.room_max = random ? (uint32_t)g_rand_int_range(random, 1, 100000) : 0;
    f->r.begin_error_from = DISK_BYTES - 300000;
    f->r.landed_error_from = DISK_BYTES - 600000;
    g_assert_cmpint(peer_feed(f->server, says->data, says->len, random), ==, NBD_GOES_ON);
    g_byte_array_unref(f->hears);
    f->hears = nbd_server_output(f->server);
}

static void expect_same(const struct fixture *a, const struct fixture *b)
{
    g_assert_cmpstr(a->r.log->str, ==, b->r.log->str);
    g_assert_cmpmem(a->hears->data, a->hears->len, b->hears->data, b->hears->len);
    g_assert_cmpmem(a->r.memory, DISK_BYTES, b->r.memory, DISK_BYTES);
}

static void test_splits(void)
{
    for (uint32_t seed = 0; seed < 60; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_autoptr(GByteArray) says = make_conversation(random);
        struct fixture whole, split;

        run_conversation(&whole, says, NULL, seed % 2);
        run_conversation(&split, says, random, seed % 2);
        expect_same(&whole, &split);
        tear_down(&whole, NULL);
        tear_down(&split, NULL);
    }
}

/* Handshake and all, one byte at a time: want() never offers what it would not take singly. */
static void test_byte_by_byte(void)
{
    struct fixture whole, split;
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    g_autoptr(GByteArray) says = make_conversation(random);

    run_conversation(&whole, says, NULL, true);
    set_up(&split, GINT_TO_POINTER(true));
    split.r.begin_error_from = whole.r.begin_error_from;
    split.r.landed_error_from = whole.r.landed_error_from;
    for (size_t i = 0; i < says->len; i++) {
        size_t room;
        *(uint8_t *)nbd_server_want(split.server, &room) = says->data[i];
        g_assert_cmpint(nbd_server_got(split.server, 1), ==, NBD_GOES_ON);
    }
    g_byte_array_unref(split.hears);
    split.hears = nbd_server_output(split.server);
    expect_same(&whole, &split);
    tear_down(&whole, NULL);
    tear_down(&split, NULL);
}

#define ADD(name) g_test_add("/nbd/transmission/" #name, struct fixture, NULL, set_up, test_##name, tear_down)
#define ADD_STRUCTURED(name)                                                                                           \
    g_test_add("/nbd/transmission/" #name, struct fixture, "structured", set_up, test_##name, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(write);
    ADD(no_copy);
    ADD(read);
    ADD_STRUCTURED(read_structured);
    ADD_STRUCTURED(read_hole);
    ADD_STRUCTURED(read_structured_edges);
    ADD(answers);
    ADD(read_only);
    ADD(bare_export);
    ADD(error_at_begin);
    ADD(error_in_payload);
    ADD(error_with_the_last_byte);
    ADD(no_memory);
    ADD(cut);
    ADD(disc);
    ADD(too_large_write);
    ADD(too_large_read);
    ADD(bad_magic);
    g_test_add_func("/nbd/transmission/wire_errors", test_wire_errors);
    g_test_add_func("/nbd/transmission/splits", test_splits);
    g_test_add_func("/nbd/transmission/byte_by_byte", test_byte_by_byte);
    return g_test_run();
}
