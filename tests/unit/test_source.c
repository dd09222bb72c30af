// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading packed archives: any chain of zstd frames, and damage that must never look like an end. */
#include "sink/source.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/error.h"
#include "base/le.h"
#include "sink/seek_table_reader.h"

#define PLAIN_SIZE (700u << 10)

static char *folder;
static uint8_t plain[PLAIN_SIZE];

static char *write_file(const char *name, const void *bytes, size_t len)
{
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents_full(path, bytes, (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    return path;
}

/* What the seek table will say of the frames that are added. */
static GByteArray *entries;

static void add_le32(GByteArray *out, uint32_t value)
{
    uint8_t bytes[4];
    le32_put(bytes, value);
    g_byte_array_append(out, bytes, sizeof bytes);
}

static void add_entry(size_t packed, size_t plain_len)
{
    add_le32(entries, (uint32_t)packed);
    add_le32(entries, (uint32_t)plain_len);
}

static void add_table(GByteArray *out)
{
    add_le32(out, SEEK_TABLE_FRAME_MAGIC);
    add_le32(out, entries->len + SEEK_TABLE_FOOTER_SIZE);
    g_byte_array_append(out, entries->data, entries->len);
    add_le32(out, entries->len / 8);
    g_byte_array_append(out, (const uint8_t *)"", 1);
    add_le32(out, SEEK_TABLE_MAGIC);
}

/* One frame of plain[from…to) with a checksum, appended. */
static void add_frame(GByteArray *out, size_t from, size_t to)
{
    g_autofree uint8_t *packed = g_malloc(ZSTD_compressBound(to - from));
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c, packed, ZSTD_compressBound(to - from), plain + from, to - from);
    g_assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(c);
    g_byte_array_append(out, packed, (guint)n);
    add_entry(n, to - from);
}

static void add_skippable(GByteArray *out, uint8_t nibble, uint32_t size)
{
    uint8_t head[8] = {0x50 | nibble, 0x2a, 0x4d, 0x18, size & 0xff, (size >> 8) & 0xff, (uint8_t)(size >> 16), 0};
    g_autofree uint8_t *body = g_malloc0(size + 1);
    g_byte_array_append(out, head, sizeof head);
    g_byte_array_append(out, body, size);
    add_entry(size + sizeof head, 0);
}

/* Skippable at the front, in the middle and (as the seek table is) at the end. */
static GByteArray *make_chain(void)
{
    GByteArray *out = g_byte_array_new();
    g_byte_array_set_size(entries, 0);
    add_skippable(out, 0, 100);
    add_frame(out, 0, 1000);
    add_skippable(out, 0, 300000);
    add_skippable(out, 3, 0);
    add_frame(out, 1000, 1000);
    add_frame(out, 1000, 500000);
    add_frame(out, 500000, PLAIN_SIZE);
    add_table(out);
    return out;
}

static GByteArray *read_all(const char *path, size_t step, GError **error)
{
    GByteArray *all = g_byte_array_new();
    g_autofree uint8_t *buffer = g_malloc(step);
    g_autoptr(source_t) s = source_open(path, error);
    ssize_t n = s ? 1 : 0;
    while (s && (n = source_read(s, buffer, step, error)) > 0)
        g_byte_array_append(all, buffer, (guint)n);
    if (s && n == 0)
        g_assert_cmpint(source_read(s, buffer, step, error), ==, 0); /* the end stays the end */
    return all;
}

static void assert_reads(const char *path)
{
    static const size_t steps[] = {1 << 20, 4096, 999};
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) all = read_all(path, steps[i], &error);
        g_assert_no_error(error);
        g_assert_cmpmem(all->data, all->len, plain, PLAIN_SIZE);
    }
}

static void test_plain(void)
{
    g_autofree char *path = write_file("plain", plain, PLAIN_SIZE);
    g_autoptr(source_t) s = source_open(path, NULL);
    g_assert_cmpint(source_form(s), ==, SOURCE_PLAIN);
    g_assert_cmpuint(source_size(s), ==, PLAIN_SIZE);
    assert_reads(path);
}

static void test_chain(void)
{
    g_autoptr(GByteArray) chain = make_chain();
    g_autofree char *path = write_file("chain", chain->data, chain->len);
    g_autoptr(source_t) s = source_open(path, NULL);
    g_assert_cmpint(source_form(s), ==, SOURCE_ZSTD);
    assert_reads(path);
}

static void test_standard_input(void)
{
    g_autoptr(GByteArray) chain = make_chain(), all = NULL;
    g_autofree char *path = write_file("stdin", chain->data, chain->len);
    g_autoptr(GError) error = NULL;
    int saved = dup(STDIN_FILENO), fd = open(path, O_RDONLY);
    dup2(fd, STDIN_FILENO);
    all = read_all("-", 5000, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(all->data, all->len, plain, PLAIN_SIZE);
    g_assert_cmpint(fcntl(STDIN_FILENO, F_GETFD), >=, 0); /* not ours to close */
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(fd);
}

/* Where the file is cut it must be an error, but between two frames, where zstd itself sees an end. */
static void test_truncated(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    add_frame(out, 0, 3000);
    guint boundary = out->len;
    add_frame(out, 3000, 200000);
    for (guint len = 5; len < out->len; len += len < boundary + 20 ? 1 : 1999) {
        g_autofree char *path = write_file("cut", out->data, len);
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) all = read_all(path, 65536, &error);
        if (len == boundary)
            g_assert_no_error(error);
        else
            g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
        g_assert_cmpmem(all->data, all->len, plain, all->len);
        g_assert_cmpuint(all->len, >=, len >= boundary ? 3000 : 0); /* what was good came out */
    }
}

static void test_flipped(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    add_frame(out, 0, PLAIN_SIZE);
    for (guint at = 4; at < out->len; at += 4999) {
        out->data[at] ^= 0x40;
        g_autofree char *path = write_file("flipped", out->data, out->len);
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) all = read_all(path, 65536, &error);
        g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
        g_assert_null(strchr(error->message, '\n'));
        out->data[at] ^= 0x40;
    }
}

/* Reads all of it, over every fault; their number, and how much is missing. */
static GByteArray *read_over_damage(const char *path, unsigned *faults, uint64_t *lost, char **last)
{
    GByteArray *all = g_byte_array_new();
    g_autofree uint8_t *buffer = g_malloc(65536);
    g_autoptr(source_t) s = source_open(path, NULL);
    ssize_t n;
    *faults = 0;
    *lost = 0;
    for (;;) {
        g_autoptr(GError) error = NULL;
        if ((n = source_read(s, buffer, 65536, &error)) == 0)
            return all;
        if (n > 0) {
            g_byte_array_append(all, buffer, (guint)n);
            continue;
        }
        g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
        *lost += source_lost(s);
        g_byte_array_set_size(all, all->len + (guint)source_lost(s));
        ++*faults;
        g_free(*last);
        *last = g_strdup(error->message);
    }
}

/* A damaged frame costs its own bytes only, with a seek table and without. */
static void test_goes_on(void)
{
    for (unsigned has_table = 0; has_table < 2; has_table++) {
        g_autoptr(GByteArray) out = g_byte_array_new(), all = NULL;
        g_autofree char *text = NULL;
        unsigned faults;
        uint64_t lost;
        g_byte_array_set_size(entries, 0);
        add_frame(out, 0, 100000);
        guint second = out->len;
        add_frame(out, 100000, 200000);
        add_frame(out, 200000, PLAIN_SIZE);
        if (has_table)
            add_table(out);
        out->data[second + 5000] ^= 1;
        g_autofree char *path = write_file("damaged", out->data, out->len);
        all = read_over_damage(path, &faults, &lost, &text);
        g_assert_cmpuint(faults, ==, 1);
        g_assert_nonnull(strstr(text, "zstd frame 2"));
        g_assert_cmpuint(lost, <=, 100000);
        g_assert_cmpuint(all->len, ==, PLAIN_SIZE);
        g_assert_cmpmem(all->data, 100000, plain, 100000);
        g_assert_cmpmem(all->data + 200000, all->len - 200000, plain + 200000, PLAIN_SIZE - 200000);
    }
}

/* Each byte of the table, and what its frames are, is held against the frames. */
static void test_seek_table(void)
{
    g_autoptr(GByteArray) out = make_chain();
    guint table = out->len - (entries->len + SEEK_TABLE_FOOTER_SIZE + 8);
    for (guint at = table; at < out->len; at++) {
        g_autoptr(GByteArray) all = NULL;
        g_autofree char *text = NULL;
        unsigned faults;
        uint64_t lost;
        out->data[at] ^= 0x04;
        g_autofree char *path = write_file("damaged", out->data, out->len);
        all = read_over_damage(path, &faults, &lost, &text);
        g_assert_cmpuint(faults, >=, 1);
        g_assert_true(strstr(text, "seek table") || at < table + 4); /* a magic number of no frame at all */
        g_assert_cmpmem(all->data, all->len, plain, PLAIN_SIZE);
        out->data[at] ^= 0x04;
    }
}

static void add_member(GByteArray *out, size_t from, size_t to)
{
    g_autoptr(GConverter) c = G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1));
    g_autofree uint8_t *packed = g_malloc(to - from + 1000);
    gsize used, n;
    g_assert_cmpint(g_converter_convert(c, plain + from, to - from, packed, to - from + 1000, G_CONVERTER_INPUT_AT_END,
                                        &used, &n, NULL),
                    ==, G_CONVERTER_FINISHED);
    g_byte_array_append(out, packed, (guint)n);
}

static void test_gzip(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    add_member(out, 0, 300000);
    guint boundary = out->len;
    add_member(out, 300000, PLAIN_SIZE);
    g_autofree char *path = write_file("gzip", out->data, out->len);
    g_autoptr(source_t) s = source_open(path, NULL);
    g_assert_cmpint(source_form(s), ==, SOURCE_GZIP);
    assert_reads(path);
    for (guint len = 2; len<out->len; len += len % boundary> 30 ? 4999 : 1) {
        g_autofree char *cut = write_file("cut", out->data, len);
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) all = read_all(cut, 65536, &error);
        if (len == boundary)
            g_assert_no_error(error);
        else
            g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    }
    out->data[boundary / 2] ^= 8;
    g_autofree char *flipped = write_file("flipped", out->data, out->len);
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) all = read_all(flipped, 65536, &error);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
}

static void assert_refused(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(source_open(path, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, text));
}

static void test_refused(void)
{
    g_autofree char *xz = write_file("xz", "\xfd\x37zXZ\0", 6);
    assert_refused("/nonexistent/x.vma", "No such file");
    assert_refused(folder, "Is a directory");
    assert_refused(xz, "xz -dc");
}

static void test_short(void)
{
    for (size_t len = 0; len < 4; len++) {
        g_autofree char *path = write_file("short", "\x28\xb5\x2f\xfd", len);
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) all = read_all(path, 100, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(all->len, ==, len);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < PLAIN_SIZE; i++)
        plain[i] = (uint8_t)(i < 300000 ? g_test_rand_int() : (gint32)(i / 1000));
    entries = g_byte_array_new();
    folder = g_dir_make_tmp("vmb-source-XXXXXX", NULL);
    g_test_add_func("/source/plain", test_plain);
    g_test_add_func("/source/chain", test_chain);
    g_test_add_func("/source/standard-input", test_standard_input);
    g_test_add_func("/source/truncated", test_truncated);
    g_test_add_func("/source/flipped", test_flipped);
    g_test_add_func("/source/goes-on", test_goes_on);
    g_test_add_func("/source/seek-table", test_seek_table);
    g_test_add_func("/source/gzip", test_gzip);
    g_test_add_func("/source/refused", test_refused);
    g_test_add_func("/source/short", test_short);
    int result = g_test_run();
    static const char *const names[] = {"plain", "chain", "stdin", "cut", "flipped", "gzip", "xz", "short", "damaged"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_byte_array_unref(entries);
    g_free(folder);
    return result;
}
