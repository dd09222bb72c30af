// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader: the same events in any split, and the oracle: writes in, archive, flat images out. */
#include "vma/reader.h"

#include "unit/vma_samples.h"
#include "vma/assemble.h"
#include "vma/check.h"

/* ---- the same events however the bytes are split ---- */

static void note_event(GString *log, struct vma_reader *r, enum vma_read_event event)
{
    const struct vma_read_extent *e = vma_reader_extent(r);
    const struct vma_read_block *b = vma_reader_block(r);
    if (event == VMA_READ_HEADER)
        g_string_append_printf(log, "header %s\n", vma_reader_header(r)->devices[1].name);
    else if (event == VMA_READ_EXTENT)
        g_string_append_printf(log, "extent %" G_GUINT64_FORMAT " n=%u blocks=%u end=%d/%x\n", e->offset, e->n,
                               e->blocks, e->is_end_mark, e->is_end_mark ? e->end_flags : 0u);
    else if (event == VMA_READ_BLOCK)
        g_string_append_printf(log, "block %u %u %u %02x%02x\n", b->dev_id, b->cluster, b->block, b->data[0],
                               b->data[VMA_BLOCK_SIZE - 1]);
    else if (event == VMA_READ_EXTENT_END)
        g_string_append_printf(log, "digest %d %d\n", e->has_digest, e->is_digest_good);
    else if (event == VMA_READ_END)
        g_string_append(log, "end\n");
    else
        g_string_append_printf(log, "broken %" G_GUINT64_FORMAT " %s\n", vma_reader_offset(r), vma_reader_why(r));
}

/* Each piece is a copy of exactly its size, so that a sanitizer sees what is read too far or too late. */
static char *events_of(const uint8_t *bytes, size_t len, size_t step, bool may_resync)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    GString *log = g_string_new(NULL);
    for (size_t at = 0;; at += step) {
        size_t n = at < len ? MIN(step, len - at) : 0;
        g_autofree uint8_t *piece = g_memdup2(bytes + MIN(at, len), n);
        enum vma_read_event event;
        if (n)
            vma_reader_feed(r, piece, n);
        else
            vma_reader_feed_end(r);
        while ((event = vma_reader_next(r)) != VMA_READ_MORE) {
            note_event(log, r, event);
            if (event == VMA_READ_END || (event == VMA_READ_BROKEN && !(may_resync && vma_reader_resync(r))))
                return g_string_free(log, FALSE);
        }
    }
}

static void make_mixed(struct sample *s)
{
    sample_start(s);
    int a = sample_device(s, "a", 3 * VMA_CLUSTER_SIZE + 512), ram = sample_device(s, "vmstate", VMA_CLUSTER_SIZE);
    sample_header(s);
    uint8_t *sparse = g_malloc0(VMA_CLUSTER_SIZE);
    sparse[5 * VMA_BLOCK_SIZE] = 5;
    sparse[15 * VMA_BLOCK_SIZE + VMA_BLOCK_SIZE - 1] = 15;
    sample_cluster(s, a, 2, sparse);
    sample_cluster(s, a, 0, NULL);
    sample_cluster(s, ram, 0, sample_fill(7));
    sample_flush(s, ram);
    sample_cluster(s, a, 1, sample_fill(1));
    uint8_t *tail = g_malloc0(VMA_CLUSTER_SIZE);
    memset(tail, 9, 512);
    sample_cluster(s, a, 3, tail);
    s->totals.vmstate_bytes = 65000;
    sample_end(s, VMA_END_COMPLETE);
}

static void assert_split_is_nothing(const uint8_t *bytes, size_t len, bool may_resync)
{
    static const size_t steps[] = {1, 7, 511, 512, 513, 4095, 4096, 4097, 8191, 65536};
    g_autofree char *want = events_of(bytes, len, len, may_resync);
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *got = events_of(bytes, len, steps[i], may_resync);
        g_assert_cmpstr(got, ==, want);
    }
}

static void test_splits(void)
{
    struct sample s;
    make_mixed(&s);
    g_autofree char *events = events_of(s.bytes->data, s.bytes->len, s.bytes->len, false);
    g_assert_nonnull(strstr(events, "block 1 2 5 0500\nblock 1 2 15 000f\n"));
    g_assert_nonnull(strstr(events, "block 1 3 0 0900\n"));
    g_assert_nonnull(strstr(events, "end=1/1\n"));
    g_assert_true(g_str_has_suffix(events, "end\n"));
    assert_split_is_nothing(s.bytes->data, s.bytes->len, false);
    sample_clear(&s);
}

/* Zeros behind the end mark are padding; anything else, and zeros in front of it, are damage. */
static void test_padding(void)
{
    struct sample s;
    make_mixed(&s);
    size_t len = s.bytes->len, sizes[] = {1, 511, 512, 513, 10240};
    g_autofree char *bare = events_of(s.bytes->data, len, len, false);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree uint8_t *bytes = g_malloc0(len + sizes[i]);
        memcpy(bytes, s.bytes->data, len);
        g_autofree char *padded = events_of(bytes, len + sizes[i], 4096, false);
        g_assert_cmpstr(padded, ==, bare);
        assert_split_is_nothing(bytes, len + sizes[i], false);
        bytes[len + sizes[i] - 1] = 7;
        g_autofree char *spoilt = events_of(bytes, len + sizes[i], 4096, false);
        g_assert_nonnull(strstr(spoilt, "broken"));
        assert_split_is_nothing(bytes, len + sizes[i], true);
        memset(bytes + len - 512, 0, 512 + sizes[i]); /* there is no end mark now */
        g_autofree char *cut = events_of(bytes, len + sizes[i], 4096, false);
        g_assert_nonnull(strstr(cut, "broken"));
    }
    sample_clear(&s);
}

static void test_splits_of_damage(void)
{
    struct sample s;
    make_mixed(&s);
    size_t first_extent = s.header->header_size;
    s.bytes->data[first_extent + 100] ^= 1;
    assert_split_is_nothing(s.bytes->data, s.bytes->len, false);
    assert_split_is_nothing(s.bytes->data, s.bytes->len, true);
    assert_split_is_nothing(s.bytes->data, s.bytes->len - 700, true);
    g_autofree char *events = events_of(s.bytes->data, s.bytes->len, 1000, true);
    g_assert_nonnull(strstr(events, "broken 12800 "));
    g_assert_nonnull(strstr(events, "end=1/1\n")); /* found the rest again */
    sample_clear(&s);
}

static void test_truncated(void)
{
    struct sample s;
    make_mixed(&s);
    for (size_t len = 0; len < s.bytes->len; len += 509) {
        g_autofree char *events = events_of(s.bytes->data, len, 4096, false);
        g_assert_nonnull(strstr(events, "broken"));
    }
    sample_clear(&s);
}

/* A flipped byte is seen at once, wherever it is: header, extent header, payload, end mark. */
static void test_flipped(void)
{
    struct sample s;
    make_mixed(&s);
    for (size_t at = 0; at < s.bytes->len; at += 251) {
        s.bytes->data[at] ^= 0x20;
        g_autofree char *events = events_of(s.bytes->data, s.bytes->len, 65536, false);
        g_assert_true(strstr(events, "broken") || strstr(events, "digest 1 0"));
        s.bytes->data[at] ^= 0x20;
    }
    sample_clear(&s);
}

/* ---- the oracle ---- */

#define N_DRIVES 3

struct drive {
    int id;
    uint64_t size;
    uint8_t *image; /* what was written */
    uint8_t *back;  /* what was read */
    bool *is_sent;  /* per sector: each is written once */
    uint64_t left;
    struct vma_assemble *clusters;
};

static void write_piece(struct sample *s, struct drive *d)
{
    uint64_t sectors = d->size / 512, first = (uint64_t)g_test_rand_int_range(0, (int)sectors), n = 0;
    uint64_t max = (uint64_t)g_test_rand_int_range(1, 200);
    while (n < max && first + n < sectors && !d->is_sent[first + n] && (first + n) / 128 == first / 128)
        d->is_sent[first + n++] = true;
    if (!n)
        return;
    uint8_t byte = (uint8_t)MAX(0, g_test_rand_int_range(-200, 200)), *buffer = byte ? sample_fill(byte) : NULL;
    uint8_t *data = buffer;
    memset(d->image + first * 512, byte, n * 512);
    enum vma_put result = vma_assemble_put(d->clusters, first * 512, (uint32_t)n * 512, &data);
    if (result == VMA_PUT_HELD) {
        sample_cluster(s, d->id, (uint32_t)(first / 128), data);
        if (buffer != data)
            g_free(buffer);
    } else {
        g_assert_cmpint(result, ==, VMA_PUT_WAITING);
        g_free(data);
    }
    if (g_test_rand_int_range(0, 10) == 0)
        sample_flush(s, d->id); /* sealed as it is */
    d->left -= n;
}

static void read_back(const struct sample *s, struct drive *drives)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    enum vma_read_event event;
    vma_reader_feed(r, s->bytes->data, s->bytes->len);
    while ((event = vma_reader_next(r)) != VMA_READ_MORE) {
        const struct vma_read_block *b = vma_reader_block(r);
        g_assert_cmpint(event, !=, VMA_READ_BROKEN);
        for (unsigned i = 0; event == VMA_READ_BLOCK && i < N_DRIVES; i++)
            if (drives[i].id == b->dev_id)
                memcpy(drives[i].back + (size_t)b->cluster * VMA_CLUSTER_SIZE + b->block * VMA_BLOCK_SIZE, b->data,
                       VMA_BLOCK_SIZE);
        if (event == VMA_READ_EXTENT_END && vma_reader_extent(r)->n)
            g_assert_true(vma_reader_extent(r)->is_digest_good);
    }
    vma_reader_feed_end(r);
    g_assert_cmpint(vma_reader_next(r), ==, VMA_READ_END);
}

static void release(void *user, uint8_t *buffer)
{
    g_assert_not_reached(); /* all drives are complete */
}

static void test_oracle(void)
{
    for (unsigned round = 0; round < 12; round++) {
        struct sample s;
        struct drive drives[N_DRIVES] = {0};
        sample_start(&s);
        for (unsigned i = 0; i < N_DRIVES; i++) {
            struct drive *d = &drives[i];
            g_autofree char *name = g_strdup_printf("drive%u", i);
            d->size = (uint64_t)g_test_rand_int_range(1, 90 * 128) * 512;
            d->id = sample_device(&s, name, d->size);
            d->image = g_malloc0(d->size);
            d->back = g_malloc0(d->size + VMA_CLUSTER_SIZE);
            d->is_sent = g_new0(bool, d->size / 512);
            d->left = d->size / 512;
            d->clusters = vma_assemble_new(d->size, false);
        }
        sample_header(&s);
        for (uint64_t left = 1; left;) {
            left = 0;
            for (unsigned i = 0; i < N_DRIVES; i++) {
                write_piece(&s, &drives[i]);
                left += drives[i].left;
            }
        }
        sample_end(&s, VMA_END_COMPLETE);
        read_back(&s, drives);
        for (unsigned i = 0; i < N_DRIVES; i++) {
            struct drive *d = &drives[i];
            g_assert_cmpmem(d->back, d->size, d->image, d->size);
            vma_assemble_free(d->clusters, release, NULL);
            g_free(d->image);
            g_free(d->back);
            g_free(d->is_sent);
        }
        sample_clear(&s);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reader/splits", test_splits);
    g_test_add_func("/reader/padding", test_padding);
    g_test_add_func("/reader/splits-of-damage", test_splits_of_damage);
    g_test_add_func("/reader/truncated", test_truncated);
    g_test_add_func("/reader/flipped", test_flipped);
    g_test_add_func("/reader/oracle", test_oracle);
    return g_test_run();
}
