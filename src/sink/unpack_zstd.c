// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zstd: any chain of frames, skippable ones among them. The seek table at the end is held against the frames
 * that came; with its help (or that of the frames' own headers) reading goes on behind a damaged frame.
 */
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include "base/error.h"
#include "base/le.h"
#include "sink/seek_table_reader.h"
#include "sink/unpack.h"

#define MAX_FRAME_HEADER 18u
#define SKIPPABLE_HEAD   8u
#define MEASURE_SIZE     (8u << 20) /* of a damaged frame, to find its end without a seek table */

struct zstd {
    struct unpack unpack;
    ZSTD_DCtx *context;
    struct seek_table_reader *table; /* of a file that has a good one, else NULL: for recovery only */
    bool is_in_frame, is_over, has_seen_table;
    uint64_t frame_offset; /* of the frame under way, in the file */
    uint64_t frame_plain;  /* bytes it has given */
    uint32_t n_frames;     /* begun, skippable ones too */
    GChecksum *sizes;      /* of what the seek table's entries must be */
};

G_GNUC_PRINTF(2, 3)
static ssize_t fault(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VMB_ERROR, VMB_ERROR_DAMAGED, text);
    return -1;
}

static void record_sizes(struct zstd *z, uint64_t packed, uint64_t plain)
{
    uint8_t entry[8];
    le32_put(entry, (uint32_t)packed);
    le32_put(entry + 4, (uint32_t)plain);
    g_checksum_update(z->sizes, entry, sizeof entry);
}

/* ---- damage ---- */

/* Packed and plain size of the frame under way, from the seek table or from its own headers. */
static bool find_sizes(const struct zstd *z, const struct infile *in, uint64_t *packed, uint64_t *plain)
{
    if (z->table && z->n_frames <= seek_table_reader_count(z->table)) {
        struct seek_frame f = seek_table_reader_frame(z->table, z->n_frames - 1);
        *packed = f.packed_len;
        *plain = f.plain_len;
        return f.packed_at == z->frame_offset && f.packed_len > 0;
    }
    g_autofree uint8_t *bytes = in->is_regular ? g_malloc(MEASURE_SIZE) : NULL;
    ssize_t n = bytes ? pread(in->fd, bytes, MEASURE_SIZE, (off_t)z->frame_offset) : -1;
    if (n <= 0)
        return false;
    *packed = ZSTD_findFrameCompressedSize(bytes, (size_t)n);
    *plain = ZSTD_getFrameContentSize(bytes, (size_t)n);
    return !ZSTD_isError(*packed) && *plain < ZSTD_CONTENTSIZE_ERROR && *plain != ZSTD_CONTENTSIZE_UNKNOWN;
}

/* Says what is wrong with the frame under way; the next read goes on behind it, if its end is known. */
static ssize_t fail_frame(struct zstd *z, struct infile *in, const char *why, GError **error)
{
    uint64_t packed, plain;
    z->is_in_frame = false;
    z->is_over = !find_sizes(z, in, &packed, &plain) || !infile_seek(in, z->frame_offset + packed, NULL);
    if (!z->is_over) {
        z->unpack.lost = plain > z->frame_plain ? plain - z->frame_plain : 0;
        record_sizes(z, packed, plain);
    }
    return fault(error, "zstd frame %u, from byte %" G_GUINT64_FORMAT " of the file on, is %s%s", z->n_frames,
                 z->frame_offset, why, z->is_over ? "; nothing behind can be read" : "");
}

static ssize_t fail_table(const char *why, GError **error)
{
    return fault(error, "the seek table at the end of the file is damaged: %s", why);
}

/* ---- skippable frames ---- */

/* The entries, and the footer behind them; what is wrong, or NULL. */
static const char *check_table(struct zstd *z, struct infile *in, uint32_t len, GError **error)
{
    uint8_t entry[12], footer[SEEK_TABLE_FOOTER_SIZE];
    g_autoptr(GChecksum) listed = g_checksum_new(G_CHECKSUM_MD5);
    uint64_t n = z->n_frames, body = (uint64_t)len - sizeof footer;
    size_t entry_size = n && body == n * 12 ? 12 : 8;
    if (len < sizeof footer || body != n * entry_size)
        return infile_skip(in, len, error) ? "it does not list as many frames as there are" : NULL;
    for (uint64_t i = 0; i < n; i++) {
        if (infile_read(in, entry, entry_size, error) != (ssize_t)entry_size)
            return "it is cut short";
        g_checksum_update(listed, entry, 8);
    }
    if (infile_read(in, footer, sizeof footer, error) != (ssize_t)sizeof footer)
        return "it is cut short";
    if (le32_get(footer) != n || le32_get(footer + 5) != SEEK_TABLE_MAGIC || footer[4] & SEEK_TABLE_RESERVED ||
        !!(footer[4] & SEEK_TABLE_HAS_SUMS) != (entry_size == 12))
        return "its footer";
    g_autoptr(GChecksum) seen = g_checksum_copy(z->sizes);
    return strcmp(g_checksum_get_string(listed), g_checksum_get_string(seen))
               ? "the sizes it lists are not those of the frames"
               : NULL;
}

/* A skippable frame that is no seek table, or should not be: 1, or -1 with error set. */
static int pass_dead_frame(struct zstd *z, struct infile *in, uint32_t len, GError **error)
{
    uint8_t tail[4] = {0};
    uint32_t tail_len = MIN(len, (uint32_t)sizeof tail);
    if (!infile_skip(in, len - tail_len, error))
        return -1;
    ssize_t n = infile_read(in, tail, tail_len, error);
    if (n != (ssize_t)tail_len)
        return n < 0 ? -1 : (int)fail_frame(z, in, "cut short", error);
    if (le32_get(tail) == SEEK_TABLE_MAGIC && len > SEEK_TABLE_FOOTER_SIZE)
        return (int)fail_table("its frame's magic number", error);
    record_sizes(z, (uint64_t)len + SKIPPABLE_HEAD, 0);
    return 1;
}

static int pass_skippable(struct zstd *z, struct infile *in, GError **error)
{
    g_autoptr(GError) broken = NULL;
    uint32_t magic = le32_get(infile_at(in)), len = le32_get(infile_at(in) + 4);
    infile_used(in, SKIPPABLE_HEAD);
    if (magic != SEEK_TABLE_FRAME_MAGIC)
        return pass_dead_frame(z, in, len, error);
    z->n_frames--; /* it does not list itself */
    z->has_seen_table = true;
    const char *why = check_table(z, in, len, &broken);
    if (broken) {
        g_propagate_error(error, g_steal_pointer(&broken));
        return -1;
    }
    return why ? (int)fail_table(why, error) : 1;
}

/* ---- frames ---- */

static bool is_skippable(uint32_t magic)
{
    return (magic & 0xfffffff0u) == 0x184D2A50u;
}

/* 1: a frame has begun, or a skippable one was passed; 0: the file is over; -1: error. */
static int begin_frame(struct zstd *z, struct infile *in, GError **error)
{
    ssize_t held = infile_want(in, MAX_FRAME_HEADER, error);
    if (held <= 0)
        return (int)held;
    z->frame_offset = infile_offset(in);
    bool is_zero = *infile_at(in) == 0; /* padding, or a frame that was wiped */
    int passed = is_zero ? infile_pass_zeros(in, error) : 0;
    if (passed)
        return passed < 0 ? -1 : 0;
    if (z->has_seen_table) {
        z->is_over = true;
        return (int)fail_table("something follows it", error);
    }
    z->frame_plain = 0;
    z->n_frames++;
    if (is_zero)
        return (int)fail_frame(z, in, "damaged: there is no such frame", error);
    if (held < (ssize_t)SKIPPABLE_HEAD)
        return (int)fail_frame(z, in, "cut short", error);
    if (is_skippable(le32_get(infile_at(in))))
        return pass_skippable(z, in, error);
    if (le32_get(infile_at(in)) != ZSTD_MAGICNUMBER)
        return (int)fail_frame(z, in, "damaged: there is no such frame", error);
    ZSTD_DCtx_reset(z->context, ZSTD_reset_session_only);
    z->is_in_frame = true;
    return 1;
}

/* Some bytes of the frame under way; 0: none yet, or it is over. */
static ssize_t unpack_some(struct zstd *z, struct infile *in, uint8_t *to, size_t len, GError **error)
{
    ssize_t held = infile_some(in, error);
    if (held < 0)
        return -1;
    ZSTD_inBuffer from = {infile_at(in), (size_t)held, 0};
    ZSTD_outBuffer out = {to, len, 0};
    size_t code = ZSTD_decompressStream(z->context, &out, &from);
    if (ZSTD_isError(code)) {
        g_autofree char *why = g_strdup_printf("damaged (%s)", ZSTD_getErrorName(code));
        return fail_frame(z, in, why, error);
    }
    infile_used(in, from.pos);
    z->frame_plain += out.pos;
    if (code == 0) {
        z->is_in_frame = false;
        record_sizes(z, infile_offset(in) - z->frame_offset, z->frame_plain);
    } else if (held == 0 && out.pos == 0) {
        return fail_frame(z, in, "cut short: the file ends in it", error);
    }
    return (ssize_t)out.pos;
}

static ssize_t zstd_read(struct unpack *u, struct infile *in, uint8_t *to, size_t len, GError **error)
{
    struct zstd *z = (struct zstd *)u;
    while (!z->is_over) {
        if (z->is_in_frame) {
            ssize_t n = unpack_some(z, in, to, len, error);
            if (n != 0)
                return n;
        } else {
            int begun = begin_frame(z, in, error);
            if (begun <= 0)
                return begun;
        }
    }
    return 0;
}

static void zstd_free(struct unpack *u)
{
    struct zstd *z = (struct zstd *)u;
    ZSTD_freeDCtx(z->context);
    seek_table_reader_free(z->table);
    g_checksum_free(z->sizes);
    g_free(z);
}

struct unpack *unpack_zstd_new(const struct infile *in)
{
    static const struct unpack_ops ops = {zstd_read, zstd_free};
    struct zstd *z = g_new0(struct zstd, 1);
    z->unpack.ops = &ops;
    z->context = ZSTD_createDCtx();
    z->sizes = g_checksum_new(G_CHECKSUM_MD5);
    if (in->is_regular)
        z->table = seek_table_reader_load(in->fd, in->size, NULL);
    return &z->unpack;
}
