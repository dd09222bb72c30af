// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a client sends, and however it is cut into pieces: the same verdict, the same replies, the same
 * things done to the exports, one write_end for each write_begin, and silence after the end.
 *
 * Input: one byte that seeds the cutting (its lowest bit: is there an export that forbids structured
 * replies?), then the bytes of the client. The exports: "d", where WRITEs into the last quarter fail at once
 * and those into the third fail when they get there; "deaf", which has no memory for the second half; "ro",
 * read-only.
 */
#include "../unit/nbd_peer.h"

#define DISK_BYTES (1u << 14) /* small, for speed */

enum { N_EXPORTS = 3 };

struct run {
    struct recorder r[N_EXPORTS];
    struct nbd_exports *exports;
    enum nbd_verdict verdict;
    GByteArray *hears;
};

static void run_init(struct run *run, bool no_structured)
{
    static const char *const names[N_EXPORTS] = {"d", "deaf", "ro"};

    run->exports = nbd_exports_new();
    for (unsigned i = 0; i < N_EXPORTS; i++) {
        recorder_init(&run->r[i], DISK_BYTES - i);
        nbd_exports_add(run->exports, &(struct nbd_export){.name = (char *)names[i],
                                                           .size = run->r[i].size,
                                                           .read_only = i == 2,
                                                           .no_structured = no_structured && i == 0,
                                                           .ops = &recorder_ops,
                                                           .user = &run->r[i]});
    }
    run->r[0].begin_error_from = DISK_BYTES / 4 * 3;
    run->r[0].landed_error_from = DISK_BYTES / 2;
    run->r[1].no_room_from = DISK_BYTES / 2;
}

/* Nothing is wanted after the end, nothing is said, and the verdict stands. */
static void expect_silence(struct nbd_server *s, enum nbd_verdict verdict)
{
    size_t room;

    g_assert(nbd_server_want(s, &room) == NULL && room == 0);
    g_assert(nbd_server_got(s, 0) == verdict);
    g_assert(nbd_server_output_bytes(s) == 0);
    g_assert((verdict == NBD_BROKEN) == (nbd_server_why(s)[0] != '\0'));
}

static GByteArray *all_output(struct nbd_server *s)
{
    GByteArray *all = g_byte_array_new();

    while (nbd_server_output_bytes(s) > 0) {
        g_autoptr(GByteArray) next = nbd_server_output(s);
        g_byte_array_append(all, next->data, next->len);
    }
    return all;
}

static void run_feed(struct run *run, const uint8_t *data, size_t size, GRand *random)
{
    struct nbd_server *s = nbd_server_new(run->exports);

    run->verdict = peer_feed(s, data, size, random);
    if (run->verdict == NBD_GOES_ON) { /* memory may have run out exactly here: ask */
        size_t room;
        nbd_server_want(s, &room);
        run->verdict = nbd_server_got(s, 0);
    }
    run->hears = all_output(s);
    if (run->verdict != NBD_GOES_ON)
        expect_silence(s, run->verdict);
    nbd_server_free(s);
    for (unsigned i = 0; i < N_EXPORTS; i++)
        g_assert(run->r[i].n_begun == run->r[i].n_ended && run->r[i].n_cut <= 1);
}

static void expect_same(const struct run *a, const struct run *b)
{
    g_assert(a->verdict == b->verdict);
    g_assert(a->hears->len == b->hears->len && memcmp(a->hears->data, b->hears->data, a->hears->len) == 0);
    for (unsigned i = 0; i < N_EXPORTS; i++) {
        g_assert_cmpstr(a->r[i].log->str, ==, b->r[i].log->str);
        g_assert(memcmp(a->r[i].memory, b->r[i].memory, a->r[i].size) == 0);
    }
}

static void run_clear(struct run *run)
{
    nbd_exports_free(run->exports);
    g_byte_array_unref(run->hears);
    for (unsigned i = 0; i < N_EXPORTS; i++)
        recorder_clear(&run->r[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(size ? data[0] : 0);
    struct run whole, split;

    if (size == 0)
        return 0;
    run_init(&whole, data[0] & 1);
    run_init(&split, data[0] & 1);
    for (unsigned i = 0; i < N_EXPORTS; i++)
        split.r[i].room_max = g_rand_int_range(random, 1, 1 << g_rand_int_range(random, 1, 17));
    run_feed(&whole, data + 1, size - 1, NULL);
    run_feed(&split, data + 1, size - 1, random);
    expect_same(&whole, &split);
    run_clear(&whole);
    run_clear(&split);
    return 0;
}
