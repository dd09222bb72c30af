// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lzop, as Proxmox VE's older archives are packed: any chain of members.
 *
 *     member  magic (9) · header · blocks · u32 0
 *     header  u16 version · u16 library · u16 needed · u8 method · u8 level · u32 flags · [u32 filter] · u32
 * mode · u32 time · u32 time, high half · u8 length of the name · name · u32 checksum · [extra field] block
 * u32 plain size · u32 packed size · [checksums of plain data] · [of packed data] · data
 *
 * Everything is big-endian. A block that would not shrink is stored, and then has no checksum of packed data.
 */
#include <string.h>
#include <lzo/lzo1x.h>
#include "base/be.h"
#include "base/error.h"
#include "sink/unpack.h"

#define MAGIC          "\x89LZO\0\r\n\x1a\n"
#define MAGIC_SIZE     9
#define FIXED_SIZE     (MAGIC_SIZE + 25) /* up to and with the length of the name */
#define MAX_BLOCK_SIZE (16u << 20)       /* lzop writes 256 KiB */

enum {
    HAS_ADLER_PLAIN = 0x1,
    HAS_ADLER_PACKED = 0x2,
    HAS_EXTRA = 0x40,
    HAS_CRC_PLAIN = 0x100,
    HAS_CRC_PACKED = 0x200,
    IS_MULTIPART = 0x400,
    HAS_FILTER = 0x800,
    HAS_HEADER_CRC = 0x1000,
};

struct lzop {
    struct unpack unpack;
    bool is_in_member, is_over;
    uint32_t flags;
    uint64_t block_offset; /* in the file, for messages */
    uint8_t *packed, *plain;
    uint32_t packed_room, plain_room;
    uint32_t at, len; /* plain bytes not yet taken */
};

static ssize_t fail(struct lzop *l, const char *why, GError **error)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "its lzop data is %s at byte %" G_GUINT64_FORMAT " of the file%s",
                why, l->block_offset, l->is_over ? "; nothing behind can be read" : "");
    return -1;
}

static ssize_t give_up(struct lzop *l, const char *why, GError **error)
{
    l->is_over = true;
    return fail(l, why, error);
}

/* Exactly len bytes, appended to what the header's checksum is made of. */
static bool take(struct infile *in, GByteArray *header, size_t len, GError **error)
{
    guint at = header->len;
    g_byte_array_set_size(header, at + (guint)len);
    return infile_read(in, header->data + at, len, error) == (ssize_t)len;
}

static bool header_is_good(const GByteArray *h, uint32_t flags)
{
    size_t len = h->len - MAGIC_SIZE - 4;
    const uint8_t *from = h->data + MAGIC_SIZE;
    uint32_t sum = flags & HAS_HEADER_CRC ? lzo_crc32(0, from, len) : lzo_adler32(1, from, len);
    return sum == be32_get(from + len);
}

/* Behind the fixed part of the header, which has been taken: its name, checksum and extra field. */
static bool read_header_rest(struct lzop *l, struct infile *in, GByteArray *h, GError **error)
{
    uint8_t extra[4];
    if (!take(in, h, (size_t)h->data[h->len - 1] + 4, error) || !header_is_good(h, l->flags))
        return false;
    if (!(l->flags & HAS_EXTRA))
        return true;
    return infile_read(in, extra, sizeof extra, error) == sizeof extra &&
           infile_skip(in, (uint64_t)be32_get(extra) + 4, error);
}

/* 1: a member began; 0: the file is over; -1: error. */
static int begin_member(struct lzop *l, struct infile *in, GError **error)
{
    g_autoptr(GByteArray) h = g_byte_array_new();
    g_autoptr(GError) wrong = NULL;
    l->block_offset = infile_offset(in);
    ssize_t held = infile_want(in, FIXED_SIZE, error);
    if (held <= 0)
        return (int)held;
    if (*infile_at(in) == 0) { /* padding */
        int passed = infile_pass_zeros(in, error);
        return passed > 0 ? 0 : passed < 0 ? -1 : (int)give_up(l, "damaged", error);
    }
    if (held < FIXED_SIZE || memcmp(infile_at(in), MAGIC, MAGIC_SIZE))
        return (int)give_up(l, held < FIXED_SIZE ? "cut short" : "damaged", error);
    take(in, h, FIXED_SIZE, NULL);
    const uint8_t *fields = h->data + MAGIC_SIZE;
    l->flags = be32_get(fields + 8);
    if (be16_get(fields) < 0x0940 || fields[6] < 1 || fields[6] > 3 || l->flags & (IS_MULTIPART | HAS_FILTER))
        return (int)give_up(l, "of a kind that only lzop itself reads", error);
    if (!read_header_rest(l, in, h, &wrong)) {
        if (!wrong)
            return (int)give_up(l, "damaged in its header", error);
        g_propagate_error(error, g_steal_pointer(&wrong));
        return -1;
    }
    l->is_in_member = true;
    return 1;
}

static uint8_t *make_room(uint8_t **buffer, uint32_t *room, uint32_t len)
{
    if (*room < len) {
        *buffer = g_realloc(*buffer, len);
        *room = len;
    }
    return *buffer;
}

static bool sum_is_good(const uint8_t *data, uint32_t len, uint32_t flags, uint32_t adler, uint32_t crc,
                        const uint8_t **sums)
{
    bool is_good = true;
    if (flags & adler)
        is_good = lzo_adler32(1, data, len) == be32_get((*sums += 4) - 4);
    if (flags & crc)
        is_good &= lzo_crc32(0, data, len) == be32_get((*sums += 4) - 4);
    return is_good;
}

/* The packed block is in memory: makes it plain. */
static bool unpack_block(struct lzop *l, uint32_t packed_len, uint32_t plain_len, const uint8_t *sums)
{
    const uint8_t *packed_sums = sums + 4 * (!!(l->flags & HAS_ADLER_PLAIN) + !!(l->flags & HAS_CRC_PLAIN));
    lzo_uint made = plain_len;
    bool is_stored = packed_len == plain_len;
    make_room(&l->plain, &l->plain_room, plain_len);
    if (is_stored)
        memcpy(l->plain, l->packed, plain_len);
    else if (!sum_is_good(l->packed, packed_len, l->flags, HAS_ADLER_PACKED, HAS_CRC_PACKED, &packed_sums) ||
             lzo1x_decompress_safe(l->packed, packed_len, l->plain, &made, NULL) != LZO_E_OK || made != plain_len)
        return false;
    return sum_is_good(l->plain, plain_len, l->flags, HAS_ADLER_PLAIN, HAS_CRC_PLAIN, &sums);
}

static bool take_exactly(struct lzop *l, struct infile *in, void *to, size_t len, GError **error)
{
    ssize_t n = infile_read(in, to, len, error);
    if (n >= 0 && (size_t)n < len)
        give_up(l, "cut short", error);
    return n == (ssize_t)len;
}

/* 1: a block, or the end of a member; -1: error. */
static int read_block(struct lzop *l, struct infile *in, GError **error)
{
    uint8_t head[4], sums[16];
    l->block_offset = infile_offset(in);
    l->at = l->len = 0;
    if (!take_exactly(l, in, head, sizeof head, error))
        return -1;
    uint32_t plain_len = be32_get(head), summed = HAS_ADLER_PLAIN | HAS_CRC_PLAIN;
    if (!plain_len) {
        l->is_in_member = false;
        return 1;
    }
    if (!take_exactly(l, in, head, sizeof head, error))
        return -1;
    uint32_t packed_len = be32_get(head);
    if (plain_len > MAX_BLOCK_SIZE || packed_len > plain_len || !packed_len)
        return (int)give_up(l, "damaged", error);
    if (packed_len < plain_len)
        summed |= HAS_ADLER_PACKED | HAS_CRC_PACKED;
    if (!take_exactly(l, in, sums, 4u * (unsigned)__builtin_popcount(l->flags & summed), error) ||
        !take_exactly(l, in, make_room(&l->packed, &l->packed_room, packed_len), packed_len, error))
        return -1;
    if (!unpack_block(l, packed_len, plain_len, sums)) {
        l->unpack.lost = plain_len;
        return (int)fail(l, "damaged", error);
    }
    l->len = plain_len;
    return 1;
}

static ssize_t lzop_read(struct unpack *u, struct infile *in, uint8_t *to, size_t len, GError **error)
{
    struct lzop *l = (struct lzop *)u;
    while (l->at == l->len) {
        int more = l->is_over ? 0 : l->is_in_member ? read_block(l, in, error) : begin_member(l, in, error);
        if (more <= 0)
            return more;
    }
    size_t n = MIN(len, l->len - l->at);
    memcpy(to, l->plain + l->at, n);
    l->at += (uint32_t)n;
    return (ssize_t)n;
}

static void lzop_free(struct unpack *u)
{
    struct lzop *l = (struct lzop *)u;
    g_free(l->packed);
    g_free(l->plain);
    g_free(l);
}

struct unpack *unpack_lzop_new(void)
{
    static const struct unpack_ops ops = {lzop_read, lzop_free};
    struct lzop *l = g_new0(struct lzop, 1);
    l->unpack.ops = &ops;
    return &l->unpack;
}
