// SPDX-License-Identifier: GPL-2.0-or-later
/* Block status from servers that tell the truth, and from those that lie. */
#include <unistd.h>
#include <glib.h>
#include "base/error.h"
#include "nbd/status.h"
#include "nbd/status_uv.h"
#include "unit/nbd_status_peer.h"

#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)
#define SIZE     (3 * GIB)
#define LONG_MS  60000
#define SHORT_MS 200

/* --- the walk ----------------------------------------------------------------------------------- */

struct told {
    GArray *ranges; /* uint64_t: offset, length */
    GError *error;
    bool is_over;
};

static void on_range(void *user, uint64_t offset, uint64_t len)
{
    struct told *told = user;
    uint64_t end = told->ranges->len ? g_array_index(told->ranges, uint64_t, told->ranges->len - 2) +
                                           g_array_index(told->ranges, uint64_t, told->ranges->len - 1)
                                     : 0;

    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(offset, >=, end);
    g_array_append_val(told->ranges, offset);
    g_array_append_val(told->ranges, len);
}

static uint64_t zero_bytes(const struct told *told)
{
    uint64_t bytes = 0;

    for (unsigned i = 1; i < told->ranges->len; i += 2)
        bytes += g_array_index(told->ranges, uint64_t, i);
    return bytes;
}

static void told_init(struct told *told)
{
    *told = (struct told){.ranges = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
}

static void told_clear(struct told *told)
{
    g_array_unref(told->ranges);
    g_clear_error(&told->error);
}

#define TAKE(w, told, ...)                                                                                             \
    do {                                                                                                               \
        uint32_t pairs[] = {__VA_ARGS__};                                                                              \
        nbd_status_take(&(w), (w).offset, pairs, G_N_ELEMENTS(pairs), on_range, &(told));                              \
    } while (0)

/* Where there are few extents it asks for more at once, and where there are many for less. */
static void test_steps(void)
{
    struct nbd_status_walk w = {.size = UINT64_C(1) << 44};
    g_autofree uint32_t *many = g_new(uint32_t, 2 * 5000);
    struct told told;
    uint64_t before;

    told_init(&told);
    g_assert_cmpuint(nbd_status_ask(&w), ==, 64 * MIB);
    for (unsigned i = 0; i < 8; i++) {
        TAKE(w, told, UINT32_MAX, NBD_STATE_ZERO | NBD_STATE_HOLE);
        g_assert_true(nbd_status_answered(&w));
        nbd_status_ask(&w);
    }
    g_assert_cmpuint(w.asked, ==, 2 * GIB);
    for (unsigned i = 0; i < 5000; i++) {
        many[2 * i] = 4096;
        many[2 * i + 1] = i % 2 ? NBD_STATE_ZERO : 0;
    }
    nbd_status_take(&w, w.offset, many, 10000, on_range, &told);
    before = w.offset;
    g_assert_true(nbd_status_answered(&w));
    g_assert_cmpuint(w.offset, ==, before + 5000 * 4096);
    g_assert_cmpuint(nbd_status_ask(&w), ==, GIB);
    told_clear(&told);
}

/* No more than was asked for; nothing behind the end of the drive. */
static void test_clipped(void)
{
    struct nbd_status_walk w = {.size = 65536 + 512};
    struct told told;

    told_init(&told);
    g_assert_cmpuint(nbd_status_ask(&w), ==, 65536 + 512);
    TAKE(w, told, 4096, 0, UINT32_MAX, NBD_STATE_ZERO, UINT32_MAX, NBD_STATE_ZERO, 0, 0);
    g_assert_true(nbd_status_answered(&w));
    g_assert_cmpuint(w.offset, ==, w.size);
    g_assert_cmpuint(told.ranges->len, ==, 2);
    g_assert_cmpuint(zero_bytes(&told), ==, 65536 + 512 - 4096);
    told_clear(&told);
}

/* A hole that is not zero is data that nobody knows: it is read. */
static void test_hole_that_is_not_zero(void)
{
    struct nbd_status_walk w = {.size = 65536};
    struct told told;

    told_init(&told);
    nbd_status_ask(&w);
    TAKE(w, told, 65536, NBD_STATE_HOLE | 4);
    g_assert_true(nbd_status_answered(&w));
    g_assert_cmpuint(told.ranges->len, ==, 0);
    told_clear(&told);
}

static void test_walk_refuses(void)
{
    struct nbd_status_walk w = {.size = GIB};
    struct told told;

    told_init(&told);
    nbd_status_ask(&w);
    g_assert_false(nbd_status_answered(&w));
    g_assert_nonnull(w.why); /* nothing has come */

    w = (struct nbd_status_walk){.size = GIB};
    nbd_status_ask(&w);
    TAKE(w, told, 4096, NBD_STATE_ZERO, 0, NBD_STATE_ZERO);
    g_assert_false(nbd_status_answered(&w));
    g_assert_cmpuint(w.offset, ==, 0);

    w = (struct nbd_status_walk){.size = GIB};
    nbd_status_ask(&w);
    told_clear(&told);
    told_init(&told);
    TAKE(w, told, 4096, NBD_STATE_ZERO);
    TAKE(w, told, 4096, NBD_STATE_ZERO);
    g_assert_false(nbd_status_answered(&w)); /* twice */
    g_assert_cmpuint(told.ranges->len, ==, 2);

    w = (struct nbd_status_walk){.size = GIB};
    nbd_status_ask(&w);
    nbd_status_take(&w, 65536, (const uint32_t[]){4096, 0}, 2, on_range, &told);
    g_assert_false(nbd_status_answered(&w)); /* of another place */
    told_clear(&told);
}

/* What is dirty has to be read, whatever else is said of it; the rest has not. */
static void test_bitmap(void)
{
    struct nbd_status_walk w = {.size = 4 * 65536, .is_of_bitmap = true};
    struct told told;

    told_init(&told);
    nbd_status_ask(&w);
    TAKE(w, told, 65536, NBD_STATE_DIRTY, 65536, 0, 65536, NBD_STATE_DIRTY | NBD_STATE_ZERO, 65536, NBD_STATE_ZERO);
    g_assert_true(nbd_status_answered(&w));
    g_assert_cmpuint(told.ranges->len, ==, 4);
    g_assert_cmpuint(g_array_index(told.ranges, uint64_t, 0), ==, 65536);
    g_assert_cmpuint(g_array_index(told.ranges, uint64_t, 2), ==, 3 * 65536);
    g_assert_cmpuint(zero_bytes(&told), ==, 2 * 65536);
    told_clear(&told);
}

/* --- a server ----------------------------------------------------------------------------------- */

enum manner {
    HONEST,
    OVERLONG,     /* each extent of 4 GiB - 1 */
    OF_NO_LENGTH, /* none of its extents has any */
    TWICE,        /* each answer, in one reply */
    WITHOUT_END,  /* chunk after chunk */
    IN_SECTORS,   /* one of 512 bytes an answer */
    OF_BITMAP,    /* which has the first quarter */
    OF_ANOTHER,   /* bitmap than was asked for */
    WITHOUT_STATUS,
    TOO_SMALL, /* half as large as the drive */
    MUTE,      /* from the start */
    TALKATIVE, /* never comes to the end of the handshake */
    HANGS_UP,  /* at the second request */
};

struct server {
    struct status_peer peer;
    enum manner manner;
};

/* The first quarter of what is asked for is data. */
static bool answer_request(const struct server *s, const uint8_t *request, unsigned number)
{
    uint32_t len = be32_get(request + 24);
    uint32_t pairs[] = {len / 4, 0, len - len / 4, NBD_STATE_ZERO | NBD_STATE_HOLE};

    if (s->manner == OF_BITMAP) {
        pairs[1] = NBD_STATE_DIRTY;
        pairs[3] = 0;
    }
    if (s->manner == HANGS_UP && number > 0)
        return false;
    if (s->manner == OVERLONG)
        pairs[0] = pairs[2] = UINT32_MAX;
    if (s->manner == OF_NO_LENGTH)
        pairs[0] = 0;
    if (s->manner == IN_SECTORS)
        return peer_says_extents(&s->peer, request, true, (const uint32_t[]){512, NBD_STATE_ZERO}, 2);
    while (s->manner == WITHOUT_END && peer_says_extents(&s->peer, request, false, pairs, 4))
        ;
    if (s->manner == TWICE && !peer_says_extents(&s->peer, request, false, pairs, 4))
        return false;
    return peer_says_extents(&s->peer, request, true, pairs, 4);
}

static gpointer serve(gpointer user)
{
    const struct server *s = user;
    uint8_t request[STATUS_REQUEST_BYTES];
    unsigned n = 0;

    if (s->manner != MUTE && peer_shakes_hands(&s->peer))
        while (peer_hears_request(&s->peer, request) && answer_request(s, request, n++))
            ;
    if (s->manner == MUTE)
        peer_hears(&s->peer, request, 1); /* until the other end is gone */
    close(s->peer.fd);
    return NULL;
}

static void on_over(void *user, const GError *error)
{
    struct told *told = user;

    g_assert_false(told->is_over);
    told->is_over = true;
    told->error = error ? g_error_copy(error) : NULL;
}

static const struct nbd_status_events events = {.on_range = on_range, .on_over = on_over};

static void on_turn(uv_timer_t *timer)
{
    ++*(unsigned *)timer->data;
}

/* How often the loop could turn meanwhile: once in a millisecond, if nothing keeps it. */
static unsigned ask(enum manner manner, uint64_t limit_ms, bool ends, struct told *told)
{
    struct server s = {.manner = manner};
    bool is_of_bitmap = manner == OF_BITMAP || manner == OF_ANOTHER;
    struct nbd_status_spec spec = {
        .export = "x", .bitmap = is_of_bitmap ? "b" : NULL, .size = SIZE, .limit_ms = limit_ms};
    struct nbd_status *status;
    unsigned n_turns = 0;
    uv_timer_t turn;
    GThread *thread;
    uv_loop_t loop;
    int fds[2];

    told_init(told);
    uv_loop_init(&loop);
    uv_timer_init(&loop, &turn);
    turn.data = &n_turns;
    uv_timer_start(&turn, on_turn, 1, 1);
    uv_unref((uv_handle_t *)&turn);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    s.peer = (struct status_peer){.fd = fds[0],
                                  .size = manner == TOO_SMALL ? SIZE / 2 : SIZE,
                                  .context = manner == OF_BITMAP ? "qemu:dirty-bitmap:b" : NULL,
                                  .has_no_context = manner == WITHOUT_STATUS,
                                  .is_talkative = manner == TALKATIVE};
    thread = g_thread_new("server", serve, &s);
    status = nbd_status_open(&loop, fds[1], &spec, &events, told);
    if (ends)
        nbd_status_end(status);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_true(told->is_over);
    g_thread_join(thread); /* its end was closed */
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
    return n_turns;
}

static void test_honest(void)
{
    struct told told;

    ask(HONEST, LONG_MS, false, &told);
    g_assert_no_error(told.error);
    g_assert_cmpuint(zero_bytes(&told), ==, SIZE / 4 * 3);
    g_assert_cmpuint(g_array_index(told.ranges, uint64_t, 0), ==, 16 * MIB);
    g_assert_cmpuint(g_array_index(told.ranges, uint64_t, 1), ==, 48 * MIB);
    told_clear(&told);
}

static void test_honest_of_bitmap(void)
{
    struct told told;

    ask(OF_BITMAP, LONG_MS, false, &told);
    g_assert_no_error(told.error);
    g_assert_cmpuint(zero_bytes(&told), ==, SIZE / 4 * 3);
    told_clear(&told);
}

/* The first extent takes all of it: the second says nothing. */
static void test_overlong(void)
{
    struct told told;

    ask(OVERLONG, LONG_MS, false, &told);
    g_assert_no_error(told.error);
    g_assert_cmpuint(zero_bytes(&told), ==, 0);
    told_clear(&told);
}

static void must_fail(enum manner manner, uint64_t limit_ms, const char *why, uint64_t least_bytes)
{
    struct told told;

    ask(manner, limit_ms, false, &told);
    g_assert_error(told.error, VMB_ERROR, VMB_ERROR_FAILED);
    if (!strstr(told.error->message, why))
        g_error("\"%s\" does not say \"%s\"", told.error->message, why);
    g_assert_cmpuint(zero_bytes(&told), >=, least_bytes);
    g_assert_cmpuint(zero_bytes(&told), <=, SIZE);
    told_clear(&told);
}

static void test_lies(void)
{
    must_fail(OF_NO_LENGTH, LONG_MS, "no length", 0);
    must_fail(TWICE, LONG_MS, "what was not asked", 48 * MIB);
    must_fail(WITHOUT_STATUS, LONG_MS, "no block status", 0);
    must_fail(OF_ANOTHER, LONG_MS, "no block status", 0);
    must_fail(TOO_SMALL, LONG_MS, "not as large", 0);
    must_fail(HANGS_UP, LONG_MS, "", 48 * MIB);
}

/* The loop goes on beside whatever comes, and it is over in time. */
static void test_without_end(void)
{
    static const enum manner manners[] = {WITHOUT_END, IN_SECTORS, MUTE, TALKATIVE};

    for (unsigned i = 0; i < G_N_ELEMENTS(manners); i++) {
        struct told told;
        unsigned n_turns = ask(manners[i], SHORT_MS, false, &told);

        g_assert_error(told.error, VMB_ERROR, VMB_ERROR_FAILED);
        g_assert_nonnull(strstr(told.error->message, "too long"));
        g_assert_cmpuint(n_turns, >, 2);
        told_clear(&told);
    }
}

static void test_ended(void)
{
    struct told told;

    ask(MUTE, LONG_MS, true, &told);
    g_assert_error(told.error, VMB_ERROR, VMB_ERROR_FAILED);
    told_clear(&told);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd/status/steps", test_steps);
    g_test_add_func("/nbd/status/clipped", test_clipped);
    g_test_add_func("/nbd/status/hole-that-is-not-zero", test_hole_that_is_not_zero);
    g_test_add_func("/nbd/status/walk-refuses", test_walk_refuses);
    g_test_add_func("/nbd/status/bitmap", test_bitmap);
    g_test_add_func("/nbd/status/honest", test_honest);
    g_test_add_func("/nbd/status/honest-of-bitmap", test_honest_of_bitmap);
    g_test_add_func("/nbd/status/overlong", test_overlong);
    g_test_add_func("/nbd/status/lies", test_lies);
    g_test_add_func("/nbd/status/without-end", test_without_end);
    g_test_add_func("/nbd/status/ended", test_ended);
    return g_test_run();
}
