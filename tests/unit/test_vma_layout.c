// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lanes filled, dropped and filled again at random, in an archive in memory; then closed up. It must read as a
 * good archive, give back exactly what was filled in last, and be hardly longer than that.
 */
#include "vma/layout.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "vma/extent.h"
#include "vma/header.h"
#include "vma/split.h"
#include "vma/verify.h"

#define ROUNDS   150
#define LANES    4 /* the first is the RAM's */
#define MAX_PADS (VMA_LAYOUT_MIN_ROOM / VMA_EXTENT_HEADER_SIZE)

static const uint8_t uuid[16] = "layout-oracle-16";

struct world {
    GRand *rand;
    struct vma_layout *layout;
    struct vma_header *header;
    GByteArray *bytes;
    struct {
        unsigned generation;
        uint32_t next; /* cluster */
        struct vma_totals totals;
    } lanes[LANES];
    unsigned n_pads, n_splits, n_reused, n_copies;
};

static void world_up(struct world *w, guint32 seed)
{
    g_autoptr(GBytes) header = NULL;

    *w = (struct world){.rand = g_rand_new_with_seed(seed), .layout = vma_layout_new()};
    w->header = vma_header_new(uuid, 1700000000);
    w->bytes = g_byte_array_new();
    for (unsigned i = 0; i < LANES; i++) {
        g_autofree char *name = i ? g_strdup_printf("d%u", i) : g_strdup(VMA_VMSTATE_NAME);
        g_assert_cmpint(vma_header_add_device(w->header, name, VMA_CLUSTER_SIZE, NULL), ==, i + 1);
        g_assert_cmpuint(vma_layout_add_lane(w->layout, i == 0), ==, i);
    }
    header = vma_header_encode(w->header, NULL);
    g_byte_array_append(w->bytes, g_bytes_get_data(header, NULL), g_bytes_get_size(header));
    vma_layout_append_fixed(w->layout, w->bytes->len);
}

static void world_down(struct world *w)
{
    g_rand_free(w->rand);
    vma_layout_free(w->layout);
    vma_header_free(w->header);
    g_byte_array_unref(w->bytes);
}

static bool chance(struct world *w, unsigned percent)
{
    return g_rand_int_range(w->rand, 0, 100) < (gint)percent;
}

/* --- filling ------------------------------------------------------------------------------------ */

/* Every block tells whose it is, and of which generation. */
static void stamp(const struct world *w, unsigned lane, uint32_t cluster, unsigned block, char out[64])
{
    memset(out, 0, 64);
    g_snprintf(out, 64, "lane %u.%u cluster %u block %u", lane, w->lanes[lane].generation, cluster, block);
}

static bool is_stored(unsigned lane, uint32_t cluster, unsigned block)
{
    return lane == 0 || (cluster * 2654435761u >> 9 ^ block * 40503u) % 5 > cluster % 7;
}

static uint8_t *make_cluster(const struct world *w, unsigned lane, uint32_t cluster)
{
    uint8_t *data = g_malloc0(VMA_CLUSTER_SIZE);
    char text[64];

    for (unsigned block = 0; block < VMA_BLOCKS_PER_CLUSTER; block++) {
        stamp(w, lane, cluster, block, text);
        if (is_stored(lane, cluster, block))
            memcpy(data + (size_t)block * VMA_BLOCK_SIZE, text, sizeof text);
    }
    return data;
}

/* To a dead place or to the end, as the writer does it. */
static void put(struct world *w, unsigned lane, struct vma_extent *e)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    uint64_t len = vma_extent_length(e), at = w->bytes->len;
    unsigned n = vma_extent_iov(e, iov, G_N_ELEMENTS(iov));
    bool is_reused = vma_layout_reuse(w->layout, lane, len, &at);

    if (!is_reused) {
        g_assert_cmpuint(vma_layout_end(w->layout), ==, at);
        vma_layout_append(w->layout, lane, len);
        g_byte_array_set_size(w->bytes, w->bytes->len + len);
    }
    w->n_reused += is_reused;
    g_assert_false(is_reused && lane == 0);
    g_assert_cmpuint(at + len, <=, w->bytes->len);
    for (unsigned i = 0; i < n; at += iov[i++].iov_len)
        memcpy(w->bytes->data + at, iov[i].iov_base, iov[i].iov_len);
}

static void fill(struct world *w, unsigned lane, unsigned clusters)
{
    struct vma_extent e = {.dev_id = lane + 1, .is_vmstate = lane == 0};

    for (unsigned i = 0; i < clusters; i++) {
        uint32_t cluster = w->lanes[lane].next++;
        vma_extent_add(&e, cluster, lane && cluster % 11 == 0 ? NULL : make_cluster(w, lane, cluster));
    }
    vma_extent_seal(&e, uuid);
    vma_totals_add(&w->lanes[lane].totals, e.header);
    put(w, lane, &e);
    for (unsigned i = 0; i < e.n; i++)
        g_free(e.clusters[i].data);
}

static void drop(struct world *w, unsigned lane)
{
    vma_layout_drop(w->layout, lane);
    w->lanes[lane].generation++;
    w->lanes[lane].next = 0;
    memset(&w->lanes[lane].totals, 0, sizeof w->lanes[lane].totals);
}

/* --- closing up --------------------------------------------------------------------------------- */

static uint64_t split(struct world *w, const struct vma_move *move)
{
    uint8_t header[VMA_EXTENT_HEADER_SIZE], *from = w->bytes->data + move->from, *to = w->bytes->data + move->to;
    struct vma_totals *totals = &w->lanes[move->lane].totals;
    uint64_t cut;

    vma_totals_remove(totals, from);
    cut = (uint64_t)vma_split(from, move->len, move->room, uuid, header) * VMA_BLOCK_SIZE;
    g_assert_cmpuint(cut, >, 0);
    g_assert_cmpuint(sizeof header + cut, <=, move->room);
    vma_totals_add(totals, from);
    vma_totals_add(totals, header);
    memcpy(to, header, sizeof header);
    memcpy(to + sizeof header, from + move->len - cut, cut);
    w->n_splits++;
    return sizeof header + cut;
}

static void make_move(struct world *w, const struct vma_move *move)
{
    uint64_t taken = 0;

    if (move->kind == VMA_MOVE_SPLIT)
        taken = split(w, move);
    else if (move->kind == VMA_MOVE_COPY) {
        g_assert_cmpuint(move->to, <, move->from);
        memmove(w->bytes->data + move->to, w->bytes->data + move->from, move->len);
        w->n_copies++;
    } else {
        g_assert_cmpuint(move->len, <, VMA_LAYOUT_MIN_ROOM);
        vma_split_fill_empty(uuid, w->bytes->data + move->to, move->len);
        w->n_pads++;
    }
    vma_layout_moved(w->layout, move, taken);
}

static void finish(struct world *w)
{
    uint64_t live = vma_layout_end(w->layout) - vma_layout_dead_bytes(w->layout), bound;
    struct vma_totals totals = {.vmstate_bytes = w->lanes[0].next * (uint64_t)VMA_CLUSTER_SIZE};
    uint8_t mark[VMA_EXTENT_HEADER_SIZE];
    g_autoptr(GBytes) header = NULL;
    struct vma_move move;

    vma_layout_settle(w->layout);
    while (vma_layout_next(w->layout, &move))
        make_move(w, &move);
    bound = live + w->n_pads * (uint64_t)VMA_LAYOUT_MIN_ROOM + w->n_splits * VMA_EXTENT_HEADER_SIZE;
    g_assert_cmpuint(vma_layout_end(w->layout), >=, live);
    g_assert_cmpuint(vma_layout_end(w->layout), <=, bound);
    g_byte_array_set_size(w->bytes, vma_layout_end(w->layout));
    for (unsigned i = 0; i < LANES; i++) {
        vma_totals_merge(&totals, &w->lanes[i].totals);
        vma_header_set_size(w->header, i + 1, w->lanes[i].next * (uint64_t)VMA_CLUSTER_SIZE);
        if (!w->lanes[i].next)
            vma_header_drop_device(w->header, i + 1);
    }
    vma_end_mark_encode(&totals, VMA_END_COMPLETE, uuid, mark);
    g_byte_array_append(w->bytes, mark, sizeof mark);
    header = vma_header_encode(w->header, NULL);
    memcpy(w->bytes->data, g_bytes_get_data(header, NULL), g_bytes_get_size(header));
}

/* --- judging ------------------------------------------------------------------------------------ */

struct reading {
    const GByteArray *bytes;
    guint at;
};

static ssize_t read_some(void *user, void *buffer, size_t len, GError **error)
{
    struct reading *r = user;
    size_t n = MIN(len, r->bytes->len - r->at);

    memcpy(buffer, r->bytes->data + r->at, n);
    r->at += n;
    return n;
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_error("at %" G_GUINT64_FORMAT ": %s", offset, text);
}

/* Structure, digests, completeness, order of the RAM, totals: nothing is dead, nothing is missing. */
static void must_be_good(const struct world *w)
{
    struct reading reading = {w->bytes, 0};
    struct vma_verify_result result;
    g_autoptr(GError) error = NULL;

    g_assert_true(vma_verify(read_some, &reading, false, on_fault, NULL, &result, &error));
    g_assert_no_error(error);
    g_assert_true(result.has_end_mark && result.faults == 0 && result.lost_devices == 0);
}

/* Each stored block holds what was filled in last. */
static void must_be_latest(const struct world *w)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    enum vma_read_event event;

    vma_reader_feed(r, w->bytes->data, w->bytes->len);
    while ((event = vma_reader_next(r)) != VMA_READ_MORE) {
        const struct vma_read_block *b = vma_reader_block(r);
        char want[64];
        if (event != VMA_READ_BLOCK)
            continue;
        g_assert_true(is_stored(b->dev_id - 1, b->cluster, b->block));
        stamp(w, b->dev_id - 1, b->cluster, b->block, want);
        g_assert_cmpmem(b->data, sizeof want, want, sizeof want);
    }
}

/* --- tests -------------------------------------------------------------------------------------- */

static void act(struct world *w)
{
    unsigned lane = g_rand_int_range(w->rand, 0, LANES);

    if (chance(w, 4))
        drop(w, lane);
    else if (w->lanes[lane].next < 300)
        fill(w, lane, g_rand_int_range(w->rand, 1, 2 * VMA_CLUSTERS_PER_EXTENT) % VMA_CLUSTERS_PER_EXTENT + 1);
}

static void test_random(void)
{
    unsigned splits = 0, pads = 0, reused = 0, copies = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct world w;
        world_up(&w, round);
        for (unsigned i = 0, n = g_rand_int_range(w.rand, 1, 60); i < n; i++)
            act(&w);
        finish(&w);
        must_be_good(&w);
        must_be_latest(&w);
        splits += w.n_splits;
        pads += w.n_pads;
        reused += w.n_reused;
        copies += w.n_copies;
        world_down(&w);
    }
    g_test_message("%u reused, %u copied, %u split, %u padded", reused, copies, splits, pads);
    g_assert_true(splits > 20 && pads > 20 && reused > 20 && copies > 20);
}

/* Two drives side by side, one dropped: the other's extents fill its places, and hardly a gap is left. */
static void test_half_is_dropped(void)
{
    struct world w;
    uint64_t before;

    world_up(&w, 1);
    for (unsigned i = 0; i < 20; i++) {
        fill(&w, 1, VMA_CLUSTERS_PER_EXTENT);
        fill(&w, 2, VMA_CLUSTERS_PER_EXTENT);
    }
    before = w.bytes->len;
    drop(&w, 2);
    finish(&w);
    must_be_good(&w);
    must_be_latest(&w);
    g_assert_cmpuint(w.bytes->len, <, before / 10 * 6);
    g_assert_cmpuint(w.n_copies + w.n_splits, <=, 40);
    world_down(&w);
}

static void test_everything_is_dropped(void)
{
    struct world w;

    world_up(&w, 1);
    for (unsigned i = 0; i < 30; i++)
        fill(&w, i % LANES, 1 + i);
    for (unsigned i = 0; i < LANES; i++)
        drop(&w, i);
    fill(&w, 1, 3);
    finish(&w);
    must_be_good(&w);
    g_assert_cmpuint(w.n_splits, ==, 0);
    world_down(&w);
}

/* The RAM's extents keep their order, also where they have to slide down. */
static void test_ram_behind_what_was_dropped(void)
{
    struct world w;

    world_up(&w, 1);
    fill(&w, 1, VMA_CLUSTERS_PER_EXTENT);
    fill(&w, 2, VMA_CLUSTERS_PER_EXTENT);
    for (unsigned i = 0; i < 5; i++)
        fill(&w, 0, 50);
    drop(&w, 1);
    finish(&w);
    must_be_good(&w);
    must_be_latest(&w);
    g_assert_cmpuint(w.n_pads, ==, 0);
    world_down(&w);
}

static void test_split_refuses(void)
{
    struct vma_extent e = {.dev_id = 1};
    uint8_t header[VMA_EXTENT_HEADER_SIZE];
    g_autofree uint8_t *data = g_malloc(VMA_CLUSTER_SIZE), *bytes = g_malloc0(VMA_MAX_EXTENT_SIZE);
    size_t len;

    memset(data, 1, VMA_CLUSTER_SIZE);
    vma_extent_add(&e, 0, data);
    vma_extent_add(&e, 1, data);
    vma_extent_seal(&e, uuid);
    len = vma_extent_length(&e);
    memcpy(bytes, e.header, sizeof e.header);
    memset(bytes + sizeof e.header, 1, len - sizeof e.header);
    g_assert_cmpuint(vma_split(bytes, len, VMA_LAYOUT_MIN_ROOM - 1, uuid, header), ==, 0); /* no room */
    g_assert_cmpuint(vma_split(bytes, len - 512, UINT64_MAX, uuid, header), ==, 0);        /* cut short */
    g_assert_cmpuint(vma_split(bytes, 100, UINT64_MAX, uuid, header), ==, 0);
    bytes[45] ^= 1;
    g_assert_cmpuint(vma_split(bytes, len, UINT64_MAX, uuid, header), ==, 0); /* damaged */
    bytes[45] ^= 1;
    g_assert_cmpmem(bytes, sizeof e.header, e.header, sizeof e.header);
    g_assert_cmpuint(vma_split(bytes, len, UINT64_MAX, uuid, header), ==, VMA_BLOCKS_PER_CLUSTER);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vma/layout/random", test_random);
    g_test_add_func("/vma/layout/half-is-dropped", test_half_is_dropped);
    g_test_add_func("/vma/layout/everything-is-dropped", test_everything_is_dropped);
    g_test_add_func("/vma/layout/ram-behind-what-was-dropped", test_ram_behind_what_was_dropped);
    g_test_add_func("/vma/layout/split-refuses", test_split_refuses);
    return g_test_run();
}
