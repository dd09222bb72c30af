// SPDX-License-Identifier: GPL-2.0-or-later
/* The handshake against a peer that answers as QEMU does, and one that lies. */
#include <stdbool.h>
#include "fake/vhost_peer.h"
#include "vhost/message.h"

static const struct vhost_message_setup setup = {
    .memory_bytes = 64 << 20, .descriptors = 0xd000, .avail = 0xe000, .used = 0xf000, .n_slots = 128};

struct talk {
    struct vhost_message *m;
    enum vhost_message_verdict verdict;
    GString *said;     /* the requests, with their descriptors */
    GByteArray *bytes; /* of all of them */
};

static void talk_begin(struct talk *t)
{
    *t = (struct talk){.m = vhost_message_new(&setup), .said = g_string_new(""), .bytes = g_byte_array_new()};
}

static void talk_end(struct talk *t)
{
    vhost_message_free(t->m);
    g_string_free(t->said, TRUE);
    g_byte_array_unref(t->bytes);
}

/* Takes what it says, some bytes at a time; the last request, or 0. */
static uint32_t hear(struct talk *t, size_t at_once)
{
    static const char *const with[] = {"", "+memory", "+kick", "+call"};
    enum vhost_message_fd fd;
    uint32_t request = 0;
    const uint8_t *bytes;
    bool is_new = true;
    size_t len;

    while ((bytes = vhost_message_output(t->m, &len, &fd))) {
        size_t n = MIN(len, at_once);
        if (is_new) {
            request = le32_get(bytes);
            g_assert_cmpuint(le32_get(bytes + 4), ==, 1);
            g_assert_cmpuint(le32_get(bytes + 8), ==, len - 12);
            g_string_append_printf(t->said, "%u%s ", request, with[fd]);
        } else {
            g_assert_cmpint(fd, ==, VHOST_FD_NONE);
        }
        is_new = n == len;
        g_byte_array_append(t->bytes, bytes, n);
        vhost_message_sent(t->m, n);
    }
    return request;
}

static void tell(struct talk *t, const GByteArray *bytes, size_t at_once)
{
    for (size_t done = 0; done < bytes->len; done += at_once)
        t->verdict = vhost_message_input(t->m, bytes->data + done, MIN(at_once, bytes->len - done));
}

/* As far as it goes, in pieces of that many bytes. */
static void talk_with(struct talk *t, const struct peer *peer, size_t at_once)
{
    uint32_t request;

    while ((request = hear(t, at_once))) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_assert_cmpint(t->verdict, ==, VHOST_MESSAGE_GOES_ON);
        peer_reply(peer, request, bytes);
        tell(t, bytes, at_once);
    }
}

/* The payload of a request that was said. */
static const uint8_t *payload(const struct talk *t, uint32_t request)
{
    const uint8_t *at = t->bytes->data;

    while (le32_get(at) != request)
        at += 12 + le32_get(at + 8);
    return at + 12;
}

static void test_order(void)
{
    struct peer peer = peer_of_qemu();
    struct talk t;

    talk_begin(&t);
    talk_with(&t, &peer, SIZE_MAX);
    g_assert_cmpint(t.verdict, ==, VHOST_MESSAGE_READY);
    g_assert_cmpstr(t.said->str, ==, "1 15 16 3 2 5+memory 8 10 9 12+kick 13+call 18 24 ");
    g_assert_cmpstr(vhost_message_why(t.m), ==, "");
    g_assert_cmpuint(vhost_message_capacity(t.m), ==, 1 << 20);
    g_assert_cmpuint(vhost_message_max_segments(t.m), ==, 126);
    talk_end(&t);
}

static void test_payloads(void)
{
    struct peer peer = peer_of_qemu();
    const uint8_t *at;
    struct talk t;

    talk_begin(&t);
    talk_with(&t, &peer, SIZE_MAX);
    /* VERSION_1, PROTOCOL_FEATURES, INDIRECT_DESC, SEG_MAX, SIZE_MAX: no event index, no writing */
    g_assert_cmphex(le64_get(payload(&t, SET_FEATURES)), ==, UINT64_C(0x150000006));
    g_assert_cmphex(le64_get(payload(&t, SET_PROTOCOL_FEATURES)), ==, 0x200);
    at = payload(&t, SET_MEM_TABLE);
    g_assert_true(le32_get(at) == 1 && le64_get(at + 8) == 0 && le64_get(at + 16) == 64 << 20);
    g_assert_true(le64_get(at + 24) == 0 && le64_get(at + 32) == 0);
    at = payload(&t, SET_VRING_ADDR);
    g_assert_true(le32_get(at) == 0 && le32_get(at + 4) == 0 && le64_get(at + 8) == 0xd000);
    g_assert_true(le64_get(at + 16) == 0xf000 && le64_get(at + 24) == 0xe000 && le64_get(at + 32) == 0);
    g_assert_cmpuint(le32_get(payload(&t, SET_VRING_NUM) + 4), ==, 128);
    g_assert_cmpuint(le32_get(payload(&t, SET_VRING_BASE) + 4), ==, 0);
    g_assert_cmpuint(le32_get(payload(&t, SET_VRING_ENABLE) + 4), ==, 1);
    talk_end(&t);
}

static void test_pieces(void)
{
    struct peer peer = peer_of_qemu();
    struct talk whole, cut;

    talk_begin(&whole);
    talk_with(&whole, &peer, SIZE_MAX);
    for (size_t at_once = 1; at_once < 30; at_once++) {
        talk_begin(&cut);
        talk_with(&cut, &peer, at_once);
        g_assert_cmpint(cut.verdict, ==, VHOST_MESSAGE_READY);
        g_assert_cmpstr(cut.said->str, ==, whole.said->str);
        g_assert_cmpmem(cut.bytes->data, cut.bytes->len, whole.bytes->data, whole.bytes->len);
        talk_end(&cut);
    }
    talk_end(&whole);
}

/* Nothing is expected after the handshake. */
static void test_too_much(void)
{
    struct peer peer = peer_of_qemu();
    struct talk t;

    talk_begin(&t);
    talk_with(&t, &peer, SIZE_MAX);
    g_assert_cmpint(vhost_message_input(t.m, NULL, 0), ==, VHOST_MESSAGE_READY);
    g_assert_cmpint(vhost_message_input(t.m, (const uint8_t *)"x", 1), ==, VHOST_MESSAGE_BROKEN);
    g_assert_cmpstr(vhost_message_why(t.m), ==, "it sends what nobody has asked for");
    talk_end(&t);
}

static unsigned segments(struct peer peer)
{
    struct talk t;
    unsigned n;

    talk_begin(&t);
    talk_with(&t, &peer, SIZE_MAX);
    g_assert_cmpint(t.verdict, ==, VHOST_MESSAGE_READY);
    n = vhost_message_max_segments(t.m);
    talk_end(&t);
    return n;
}

/* What is not offered does not count; QEMU says 0 for any size. */
static void test_segments(void)
{
    struct peer peer = peer_of_qemu();

    peer.size_max = 65536;
    g_assert_cmpuint(segments(peer), ==, 126);
    peer.seg_max = 0;
    g_assert_cmpuint(segments(peer), ==, 1);
    peer.seg_max = 126;
    peer.size_max = 512;
    peer.features &= ~UINT64_C(6);
    g_assert_cmpuint(segments(peer), ==, 1);
}

static const struct lie {
    const char *name, *why;
    struct peer peer; /* what differs from QEMU's truth */
} lies[] = {
    {"request", "it answers request 15 instead of 1", {.lies_in = 1, .request = 15}},
    {"flags", "its answer to request 1 has flags 0x1 instead of 0x5", {.lies_in = 1, .flags = 1}},
    {"size", "its answer to request 1 has 16 bytes instead of 8", {.lies_in = 1, .size = 16}},
    {"huge", "its answer to request 15 has 4294967295 bytes instead of 8", {.lies_in = 15, .size = UINT32_MAX}},
    {"no features", "it offers features 0x4, without which 0x150000000 is needed", {.features = 4}},
    {"no tables", "it offers features 0x140000000, without which 0x10000000 is needed", {.features = 0x140000000}},
    {"no configuration", "it does not offer to tell its configuration", {.protocol_features = 1}},
    {"config request", "it answers request 9 instead of 24", {.lies_in = 24, .request = 9}},
    {"config error", "its answer to request 24 has 12 bytes instead of 28", {.lies_in = 24, .size = 12}},
    {"config offset",
     "it tells another part of its configuration than was asked for",
     {.lies_in = 24, .config_offset = 1}},
    {"config size",
     "it tells another part of its configuration than was asked for",
     {.lies_in = 24, .config_size = 60}},
    {"empty disk", "its disk has 0 sectors", {.capacity = UINT64_MAX}}, /* 0 would be the truth here */
    {"impossible disk", "its disk has 36028797018963968 sectors", {.capacity = UINT64_C(1) << 55}},
    {"small pieces", "it reads no more than 65535 bytes in a piece", {.size_max = 65535}},
};

static struct peer lying_peer(const struct lie *lie)
{
    struct peer peer = peer_of_qemu(), difference = lie->peer;

    difference.features = difference.features ? difference.features : peer.features;
    difference.protocol_features = difference.protocol_features ? difference.protocol_features : peer.protocol_features;
    difference.capacity = difference.capacity == UINT64_MAX ? 0
                          : difference.capacity             ? difference.capacity
                                                            : peer.capacity;
    return difference;
}

/* The same sentence however the bytes come; then silence. */
static void test_lie(gconstpointer data)
{
    const struct lie *lie = data;
    struct peer peer = lying_peer(lie);

    for (size_t at_once = 1; at_once < 42; at_once++) {
        struct talk t;
        talk_begin(&t);
        talk_with(&t, &peer, at_once);
        g_assert_cmpint(t.verdict, ==, VHOST_MESSAGE_BROKEN);
        g_assert_cmpstr(vhost_message_why(t.m), ==, lie->why);
        g_assert_cmpint(vhost_message_input(t.m, (const uint8_t *)"more", 4), ==, VHOST_MESSAGE_BROKEN);
        g_assert_cmpuint(hear(&t, SIZE_MAX), ==, 0);
        talk_end(&t);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost/message/order", test_order);
    g_test_add_func("/vhost/message/payloads", test_payloads);
    g_test_add_func("/vhost/message/pieces", test_pieces);
    g_test_add_func("/vhost/message/too much", test_too_much);
    g_test_add_func("/vhost/message/segments", test_segments);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autofree char *path = g_strdup_printf("/vhost/message/lie/%s", lies[i].name);
        g_test_add_data_func(path, &lies[i], test_lie);
    }
    return g_test_run();
}
