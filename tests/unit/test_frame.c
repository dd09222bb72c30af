// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames made by hand, byte-exact against golden/make_vectors.py and read by zstd; the list of frames and its table. */
#include "sink/frame.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "sink/compress.h"
#include "sink/seek_table_writer.h"
#include "sink/seek_table_reader.h"
#include "sink/stored.h"

static uint8_t *make_bytes(size_t len)
{
    uint8_t *bytes = g_malloc(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i % 251);
    return bytes;
}

/* The sizes of make_vectors.py; two neighbours are dropped and become one. */
static struct seek_table_writer *make_list(void)
{
    struct seek_table_writer *l = seek_table_writer_new();
    uint64_t offset, len;

    seek_table_writer_add(l, 525, 512, 0);
    seek_table_writer_add(l, 70000, 3867136, 1);
    seek_table_writer_add(l, 1000, 3867136, 2);
    seek_table_writer_add(l, 2000, 131072, 2);
    seek_table_writer_add(l, 4000, 66048, 1);
    seek_table_writer_add(l, 525, 512, 0);
    g_assert_false(seek_table_writer_bury(l, &offset, &len));
    seek_table_writer_drop(l, 2);
    g_assert_true(seek_table_writer_bury(l, &offset, &len));
    g_assert_cmpuint(offset, ==, 70525);
    g_assert_cmpuint(len, ==, 3000);
    g_assert_false(seek_table_writer_bury(l, &offset, &len));
    g_assert_cmpuint(seek_table_writer_plain(l), ==, 512 + 3867136 + 66048 + 512);
    return l;
}

static void test_golden(void)
{
    g_autofree char *path = g_build_filename(TEST_DATA, "golden", "vma", "frames.bin", NULL);
    g_autofree uint8_t *bytes = make_bytes(512);
    g_autofree char *golden = NULL;
    g_autoptr(GByteArray) made = frame_make_stored(bytes, 512), table = NULL;
    struct seek_table_writer *list = make_list();
    uint8_t skippable[FRAME_SKIPPABLE_HEADER_SIZE];
    gsize len;

    g_assert_true(g_file_get_contents(path, &golden, &len, NULL));
    frame_make_skippable(100000, skippable);
    g_byte_array_append(made, skippable, sizeof skippable);
    table = seek_table_writer_encode(list);
    g_byte_array_append(made, table->data, table->len);
    g_assert_cmpmem(made->data, made->len, golden, len);
    seek_table_writer_free(list);
}

static void test_length(void)
{
    static const uint8_t expected[] = {0x51, 0x2a, 0x4d, 0x18, 8, 0, 0, 0, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 1};
    uint8_t frame[FRAME_LENGTH_SIZE];

    frame_make_length(UINT64_C(0x123456789abcdef), frame);
    g_assert_cmpmem(frame, sizeof frame, expected, sizeof expected);
    g_assert_cmpuint(frame_read_length(frame), ==, UINT64_C(0x123456789abcdef));
    g_assert_cmpuint(ZSTD_findFrameCompressedSize(frame, sizeof frame), ==, sizeof frame);
    frame[4] = 9;
    g_assert_cmpuint(frame_read_length(frame), ==, 0);
    frame_make_skippable(FRAME_LENGTH_SIZE, frame);
    g_assert_cmpuint(frame_read_length(frame), ==, 0);
}

/* Of any length zstd reads it, and its length depends on nothing else. */
static void test_stored(void)
{
    static const size_t lengths[] = {1, 255, 512, 12800, 131071, 131072, 131073, 262144, 524288, 600001};

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree uint8_t *bytes = make_bytes(lengths[i]), *back = g_malloc(lengths[i]);
        g_autoptr(GByteArray) frame = frame_make_stored(bytes, lengths[i]);
        size_t blocks = (lengths[i] + 131071) / 131072;
        g_assert_cmpuint(frame->len, ==, lengths[i] + 13 + 3 * blocks);
        g_assert_cmpuint(ZSTD_findFrameCompressedSize(frame->data, frame->len), ==, frame->len);
        g_assert_cmpuint(ZSTD_decompress(back, lengths[i], frame->data, frame->len), ==, lengths[i]);
        g_assert_cmpmem(back, lengths[i], bytes, lengths[i]);
        frame->data[frame->len - 1] ^= 1; /* there is a checksum, and it counts */
        g_assert_true(ZSTD_isError(ZSTD_decompress(back, lengths[i], frame->data, frame->len)));
    }
}

/* Around pieces that are cut anywhere: what zstd reads is what they hold, and nothing was copied. */
static void test_stored_pieces(void)
{
    enum { LEN = 300000, MAX_PIECES = 400 };
    g_autofree uint8_t *bytes = make_bytes(LEN), *back = g_malloc(LEN);
    GRand *rand = g_rand_new_with_seed(2);

    for (unsigned round = 0; round < 50; round++) {
        struct iovec pieces[MAX_PIECES + 1], iov[MAX_PIECES + 1 + STORED_MORE(LEN)];
        g_autoptr(GByteArray) frame = g_byte_array_new();
        struct stored *s;
        unsigned n = 0, m;
        for (size_t at = 0; at < LEN; at += pieces[n++].iov_len) {
            size_t len = (size_t)g_rand_int_range(rand, 0, round % 2 ? 4096 : 200000);
            pieces[n] = (struct iovec){bytes + at, n == MAX_PIECES ? LEN - at : MIN(len, LEN - at)};
        }
        s = stored_new(pieces, n);
        m = stored_iov(s, pieces, n, iov, G_N_ELEMENTS(iov));
        for (unsigned i = 0; i < m; i++)
            g_byte_array_append(frame, iov[i].iov_base, (guint)iov[i].iov_len);
        g_assert_cmpuint(frame->len, ==, stored_length(s));
        g_assert_cmpuint(ZSTD_findFrameCompressedSize(frame->data, frame->len), ==, frame->len);
        g_assert_cmpuint(ZSTD_decompress(back, LEN, frame->data, frame->len), ==, LEN);
        g_assert_cmpmem(back, LEN, bytes, LEN);
        stored_free(s);
    }
    g_rand_free(rand);
}

static void test_list(void)
{
    struct seek_table_writer *l = seek_table_writer_new();
    uint64_t offset, len;

    for (unsigned i = 0; i < 10; i++)
        seek_table_writer_add(l, 100 + i, 1000, i % 3 + 1);
    seek_table_writer_add_dead(l, 77);
    g_assert_true(seek_table_writer_bury(l, &offset, &len));
    g_assert_cmpuint(offset, ==, 1045);
    g_assert_cmpuint(len, ==, 77);
    seek_table_writer_drop(l, 1); /* 0 3 6 9 */
    for (unsigned i = 0; i < 10; i += 3) {
        g_assert_true(seek_table_writer_bury(l, &offset, &len));
        g_assert_cmpuint(len, ==, 100 + i);
    }
    g_assert_false(seek_table_writer_bury(l, &offset, &len));
    g_assert_cmpuint(seek_table_writer_trim(l), ==, 1045 - 109);
    seek_table_writer_add(l, 50, 60, 1); /* the lane lives on */
    g_assert_cmpuint(seek_table_writer_plain(l), ==, 6060);
    seek_table_writer_drop(l, 1);
    g_assert_cmpuint(seek_table_writer_trim(l), ==, 1045 - 109); /* unburied ones, too */
    g_assert_false(seek_table_writer_bury(l, &offset, &len));
    seek_table_writer_free(l);
}

/* sink/seek_table_reader.h reads what seek_table_writer_encode() makes. */
static void test_table_is_read(void)
{
    g_autofree char *dir = g_dir_make_tmp("frame-XXXXXX", NULL), *path = g_build_filename(dir, "x.zst", NULL);
    struct seek_table_writer *list = make_list();
    g_autoptr(GByteArray) table = seek_table_writer_encode(list);
    g_autoptr(GError) error = NULL;
    uint64_t frames = 525 + 70000 + 3000 + 4000 + 525;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    g_assert_cmpint(pwrite(fd, table->data, table->len, (off_t)frames), ==, table->len);
    {
        g_autoptr(seek_table_reader_t) read = seek_table_reader_load(fd, frames + table->len, &error);
        struct seek_frame f;
        g_assert_no_error(error);
        g_assert_cmpuint(seek_table_reader_count(read), ==, 5);
        g_assert_cmpuint(seek_table_reader_plain_size(read), ==, seek_table_writer_plain(list));
        g_assert_true(seek_table_reader_find(read, 512 + 3867136, &f));
        g_assert_cmpuint(f.packed_at, ==, 525 + 70000 + 3000);
    }
    close(fd);
    g_remove(path);
    g_rmdir(dir);
    seek_table_writer_free(list);
}

static size_t pack_noise(struct compress *c, uint8_t *noise, GRand *rand, size_t len)
{
    for (size_t i = 0; i < len; i += 4)
        memcpy(noise + i, &(guint32){g_rand_int(rand)}, 4);
    return compress_pack(c, &(struct iovec){noise, len}, 1);
}

/* What does not shrink is for the caller to store; what shrinks behind it is packed at once. */
static void test_in_vain(void)
{
    enum { LEN = 1 << 20 };
    g_autofree uint8_t *noise = g_malloc(LEN);
    GRand *rand = g_rand_new_with_seed(1);
    struct compress *c = compress_new(3, LEN);

    for (unsigned round = 0; round < 40; round++)
        g_assert_cmpuint(pack_noise(c, noise, rand, LEN), ==, 0);
    memset(noise, 7, LEN);
    g_assert_cmpuint(compress_pack(c, &(struct iovec){noise, LEN}, 1), <, 1000);
    g_rand_free(rand);
    compress_free(c);
}

/* Noise that repeats from afar no sample can tell: it is found at the latest after as many frames as are believed. */
static void test_far_repeats(void)
{
    enum { LEN = 1 << 20, FRAMES = 64 };
    g_autofree uint8_t *noise = g_malloc(LEN);
    GRand *rand = g_rand_new_with_seed(1);
    struct compress *c = compress_new(3, LEN);
    unsigned shrunk = 0;

    g_assert_cmpuint(pack_noise(c, noise, rand, LEN), ==, 0);
    memcpy(noise + LEN / 2, noise, LEN / 2);
    for (unsigned i = 0; i < FRAMES; i++)
        shrunk += compress_pack(c, &(struct iovec){noise, LEN}, 1) > 0;
    g_assert_cmpuint(shrunk, >=, FRAMES - 15);
    g_rand_free(rand);
    compress_free(c);
}

static void test_compress(void)
{
    enum { LEN = 1 << 20 };
    g_autofree uint8_t *letters = g_malloc(LEN), *back = g_malloc(LEN);
    GRand *rand = g_rand_new_with_seed(1);
    struct compress *c = compress_new(3, LEN);
    struct iovec iov[] = {{letters, 512}, {NULL, 0}, {letters + 512, LEN - 512}};
    size_t len;

    for (unsigned i = 0; i < LEN; i++)
        letters[i] = (uint8_t)g_rand_int_range(rand, 'a', 'q');
    for (unsigned round = 0; round < 3; round++) {
        len = compress_pack(c, iov, G_N_ELEMENTS(iov));
        g_assert_cmpuint(len, >, 0);
        g_assert_cmpuint(len, <, LEN / 2 + LEN / 20);
        g_assert_cmpuint(ZSTD_getFrameContentSize(compress_bytes(c), len), ==, LEN);
        g_assert_cmpuint(ZSTD_decompress(back, LEN, compress_bytes(c), len), ==, LEN);
        g_assert_cmpmem(back, LEN, letters, LEN);
    }
    memset(letters, 7, LEN);
    g_assert_cmpuint(compress_pack(c, iov, G_N_ELEMENTS(iov)), <, 1000);
    g_rand_free(rand);
    compress_free(c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sink/frame/golden", test_golden);
    g_test_add_func("/sink/frame/stored", test_stored);
    g_test_add_func("/sink/frame/length", test_length);
    g_test_add_func("/sink/frame/stored-pieces", test_stored_pieces);
    g_test_add_func("/sink/frame/list", test_list);
    g_test_add_func("/sink/frame/table-is-read", test_table_is_read);
    g_test_add_func("/sink/frame/compress", test_compress);
    g_test_add_func("/sink/frame/in-vain", test_in_vain);
    g_test_add_func("/sink/frame/far-repeats", test_far_repeats);
    return g_test_run();
}
