// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as an archive header: refused with a reason, or decoded; and what was decoded, if it can be
 * written at all, comes back the same. The checksum is repaired first, or no input would ever get behind it.
 */
#include "base/be.h"
#include "vma/digest.h"
#include "vma/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_same(const struct vma_header *a, const struct vma_header *b)
{
    g_assert_cmpmem(a->uuid, 16, b->uuid, 16);
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        g_assert_cmpstr(a->devices[i].name, ==, b->devices[i].name);
        g_assert_cmpuint(a->devices[i].size, ==, b->devices[i].size);
    }
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        g_assert_cmpstr(a->configs[i].name, ==, b->configs[i].name);
        g_assert_cmpmem(a->configs[i].data, a->configs[i].len, b->configs[i].data, b->configs[i].len);
    }
}

/* The input is only what differs from zeros: pieces of u16 offset, u8 length, bytes. Else most would be
 * holes. */
static GByteArray *unfold(const uint8_t *data, size_t size)
{
    GByteArray *out = g_byte_array_new();
    while (size >= 3) {
        guint at = be16_get(data), n = (guint)MIN(data[2], size - 3);
        if (at + n > out->len) {
            guint had = out->len;
            g_byte_array_set_size(out, at + n);
            memset(out->data + had, 0, out->len - had);
        }
        memcpy(out->data + at, data + 3, n);
        data += 3 + n;
        size -= 3 + n;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = unfold(data, size);
    uint32_t header_size = vma_header_size_of(bytes->data, bytes->len, &error);
    if (header_size && header_size <= bytes->len)
        vma_md5(bytes->data, header_size, 32, bytes->data + 32);
    g_clear_error(&error);
    g_autoptr(vma_header) h = vma_header_decode(bytes->data, bytes->len, &error);
    g_assert_true((h == NULL) == (error != NULL));
    g_autoptr(GBytes) again = h ? vma_header_encode(h, NULL) : NULL;
    if (again) {
        gsize len;
        const uint8_t *encoded = g_bytes_get_data(again, &len);
        g_autoptr(vma_header) back = vma_header_decode(encoded, len, NULL);
        g_assert_nonnull(back);
        assert_same(h, back);
    }
    return 0;
}
