// SPDX-License-Identifier: GPL-2.0-or-later
/* The archive header: byte-exact against golden/make_vectors.py, and what must be refused. */
#include "vma/header.h"

#include "base/be.h"
#include "base/error.h"

static const uint8_t uuid[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

static struct vma_header *sample(void)
{
    struct vma_header *h = vma_header_new(uuid, 1700000000);
    g_assert_cmpint(vma_header_add_device(h, "scsi0", 1 << 30, NULL), ==, 1);
    g_assert_cmpint(vma_header_add_device(h, "virtio1", 512, NULL), ==, 2);
    g_assert_cmpint(vma_header_add_device(h, "vmstate", 5 << 20, NULL), ==, 3);
    g_assert_true(vma_header_set_config(h, "qemu-server.conf", "cores: 1\n", 9, 0, NULL));
    g_assert_true(vma_header_set_config(h, "vmabackup.json", "{}", 2, 100, NULL));
    return h;
}

static GBytes *encode(struct vma_header *h)
{
    g_autoptr(GError) error = NULL;
    GBytes *bytes = vma_header_encode(h, &error);
    g_assert_no_error(error);
    return bytes;
}

static struct vma_header *decode(GBytes *bytes)
{
    g_autoptr(GError) error = NULL;
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    struct vma_header *h = vma_header_decode(data, len, &error);
    g_assert_no_error(error);
    return h;
}

static void assert_golden(GBytes *bytes, const char *name)
{
    g_autofree char *path = g_build_filename(TEST_DATA, "golden", "vma", name, NULL);
    g_autofree char *want = NULL;
    gsize want_len, len;
    const void *got = g_bytes_get_data(bytes, &len);
    g_assert_true(g_file_get_contents(path, &want, &want_len, NULL));
    g_assert_cmpmem(got, len, want, want_len);
}

static void test_golden(void)
{
    g_autoptr(vma_header) h = sample();
    g_autoptr(GBytes) bytes = encode(h);
    assert_golden(bytes, "header.bin");
    g_assert_cmpuint(h->header_size, ==, g_bytes_get_size(bytes));

    vma_header_drop_device(h, 2);
    g_autoptr(GBytes) dropped = encode(h);
    assert_golden(dropped, "header-dropped.bin");
}

static void test_round_trip(void)
{
    g_autoptr(vma_header) h = sample();
    h->extension_flags = 1;
    memset(h->parent_uuid, 0xab, sizeof h->parent_uuid);
    g_autoptr(GBytes) bytes = encode(h);
    g_autoptr(vma_header) back = decode(bytes);

    g_assert_cmpmem(back->uuid, 16, uuid, 16);
    g_assert_cmpint(back->ctime, ==, 1700000000);
    g_assert_cmpstr(back->devices[1].name, ==, "scsi0");
    g_assert_cmpuint(back->devices[1].size, ==, 1 << 30);
    g_assert_cmpstr(back->devices[3].name, ==, "vmstate");
    g_assert_null(back->devices[4].name);
    g_assert_cmpstr(back->configs[0].name, ==, "qemu-server.conf");
    g_assert_cmpmem(back->configs[0].data, back->configs[0].len, "cores: 1\n", 9);
    g_assert_cmpuint(back->configs[1].len, ==, 100);
    g_assert_true(back->has_extension);
    g_assert_cmpuint(back->extension_flags, ==, 1);
    g_assert_cmpmem(back->parent_uuid, 16, h->parent_uuid, 16);
}

static void test_rewrite_keeps_size(void)
{
    g_autoptr(vma_header) h = sample();
    g_autoptr(GBytes) before = encode(h);
    g_assert_true(vma_header_set_config(h, "vmabackup.json", "{\"a\":\"something longer\"}", 24, 100, NULL));
    vma_header_set_size(h, 3, 6 << 20);
    vma_header_drop_device(h, 1);
    g_autoptr(GBytes) after = encode(h);
    g_assert_cmpuint(g_bytes_get_size(before), ==, g_bytes_get_size(after));
    g_autoptr(vma_header) back = decode(after);
    g_assert_null(back->devices[1].name);
    g_assert_cmpuint(back->devices[3].size, ==, 6 << 20);
    g_assert_cmpint(memcmp(back->configs[1].data, "{\"a\":\"something longer\"}  ", 26), ==, 0);
}

static void test_no_size_drops(void)
{
    g_autoptr(vma_header) h = sample();
    vma_header_set_size(h, 2, 0);
    g_autoptr(GBytes) bytes = encode(h);
    assert_golden(bytes, "header-dropped.bin");
}

static void test_refused_devices(void)
{
    static const struct {
        const char *name;
        uint64_t size;
    } bad[] = {{"scsi0", 512},  {"", 512}, {"a/b", 512}, {"..", 512},
               {"a\nb", 512},   {"x", 0},  {"x", 513},   {"x", (uint64_t)1 << 49},
               {"\x1b[2J", 512}};
    g_autoptr(vma_header) h = sample();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(vma_header_add_device(h, bad[i].name, bad[i].size, &error), ==, -1);
        g_assert_nonnull(error);
        g_assert_null(strpbrk(error->message, "\n\x1b"));
    }
    for (int i = 4; i <= 254; i++) {
        g_autofree char *name = g_strdup_printf("d%d", i);
        g_assert_cmpint(vma_header_add_device(h, name, 512, NULL), ==, i);
    }
    g_assert_cmpint(vma_header_add_device(h, "d255", 512, NULL), ==, -1);
    g_autoptr(GBytes) bytes = encode(h);
    g_autoptr(vma_header) back = decode(bytes);
    g_assert_cmpstr(back->devices[254].name, ==, "d254");
}

static void test_refused_configs(void)
{
    g_autoptr(vma_header) h = sample();
    g_autofree char *large = g_malloc0(VMA_MAX_BLOB + 1);
    g_assert_false(vma_header_set_config(h, "../x", "", 0, 0, NULL));
    g_assert_false(vma_header_set_config(h, "x", large, VMA_MAX_BLOB + 1, 0, NULL));
    g_assert_false(vma_header_set_config(h, "x", "", 0, VMA_MAX_BLOB + 1, NULL));
    unsigned n = 0;
    for (; n < 20; n++) {
        g_autofree char *name = g_strdup_printf("c%u", n);
        if (!vma_header_set_config(h, name, large, VMA_MAX_BLOB, 0, NULL))
            break;
    }
    g_assert_cmpuint(n, ==, 7); /* what 512 KiB hold */
    g_autoptr(GBytes) bytes = encode(h);
    g_assert_cmpuint(g_bytes_get_size(bytes), <=, VMA_MAX_HEADER_WRITTEN);
    g_assert_true(vma_header_set_config(h, "c0", "less", 4, 0, NULL)); /* replaced: there is room again */
}

/* Changes bytes of a good header; with_md5: as a malicious writer would, who fixes the checksum. */
static void assert_refused(uint32_t at, const void *bytes, size_t len, bool with_md5)
{
    g_autoptr(vma_header) h = sample();
    g_autoptr(GBytes) good = encode(h);
    gsize size;
    g_autofree uint8_t *bad = g_bytes_unref_to_data(g_steal_pointer(&good), &size);
    memcpy(bad + at, bytes, len);
    if (with_md5) {
        g_autofree char *hex = NULL;
        memset(bad + 32, 0, 16);
        hex = g_compute_checksum_for_data(G_CHECKSUM_MD5, bad, size);
        for (unsigned i = 0; i < 16; i++)
            bad[32 + i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(vma_header_decode(bad, size, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
}

static void test_damaged(void)
{
    assert_refused(0, "X", 1, false);
    assert_refused(7, "\2", 1, false);
    for (uint32_t at = 8; at < 12288; at += 97)
        assert_refused(at, "\x5a", 1, false);
    assert_refused(48, "\xff", 1, true); /* blob offset */
    assert_refused(48, "\0\0\0\0", 4, true);
    assert_refused(52, "\xff\xff\xff\xff", 4, true);                    /* blob size */
    assert_refused(56, "\0\0\x30\0", 4, true);                          /* no blobs at all */
    assert_refused(56, "\xff\xff\xfe\0", 4, true);                      /* 4 GiB */
    assert_refused(56, "\0\0\x32\1", 4, true);                          /* no multiple of 512 */
    assert_refused(2044, "\0\0\0\2", 4, true);                          /* into the middle of a blob */
    assert_refused(3068, "\0\1\0\0", 4, true);                          /* behind the blobs */
    assert_refused(4096 + 32, "\0\0\0\3", 4, true);                     /* the same for a device */
    assert_refused(4096 + 40, "\xff", 1, true);                         /* a size above 256 TiB */
    assert_refused(4096, "\0\0\0\1\0\0\0\0\0\0\0\0\0\0\2\0", 16, true); /* device 0 */
    assert_refused(4096 + 64, "\0\0\0\1", 4, true);                     /* two of one name */
    assert_refused(12288 + 3 + 5, "x", 1, true);                        /* a name without its NUL */
}

static void test_truncated(void)
{
    g_autoptr(vma_header) h = sample();
    g_autoptr(GBytes) bytes = encode(h);
    const uint8_t *data = g_bytes_get_data(bytes, NULL);
    for (size_t len = 0; len < h->header_size; len += len < 64 ? 1 : 509) {
        g_autofree uint8_t *exact = g_memdup2(data, len); /* so that a sanitizer sees reads behind it */
        g_assert_null(vma_header_decode(exact, len, NULL));
    }
}

static void test_names(void)
{
    static const char *const make[][2] = {{"drive-scsi0", "drive-scsi0"},
                                          {"", "drive"},
                                          {"vmstate", "vmstate_"},
                                          {"a b/c", "a_b_c"},
                                          {"..", "_."},
                                          {".hidden", "_hidden"},
                                          {"#block123", "_block123"},
                                          {"\xc3\xa4", "__"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(make); i++) {
        g_autofree char *safe = vma_name_make_safe(make[i][0]);
        g_assert_cmpstr(safe, ==, make[i][1]);
        g_assert_true(vma_name_is_safe(safe));
    }
    g_assert_true(vma_name_is_safe("qemu-server.conf"));
    g_assert_true(vma_name_is_safe("a name with blanks"));
    g_assert_false(vma_name_is_safe("/etc/passwd"));
    g_assert_false(vma_name_is_safe("a\x7f"));
    g_assert_false(vma_name_is_safe("\xff"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/header/golden", test_golden);
    g_test_add_func("/header/round-trip", test_round_trip);
    g_test_add_func("/header/rewrite-keeps-size", test_rewrite_keeps_size);
    g_test_add_func("/header/no-size-drops", test_no_size_drops);
    g_test_add_func("/header/refused-devices", test_refused_devices);
    g_test_add_func("/header/refused-configs", test_refused_configs);
    g_test_add_func("/header/damaged", test_damaged);
    g_test_add_func("/header/truncated", test_truncated);
    g_test_add_func("/header/names", test_names);
    return g_test_run();
}
