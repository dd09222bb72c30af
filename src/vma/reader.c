// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/reader.h"

#include "base/be.h"
#include "vma/digest.h"

#define HEADER_START 60 /* as much as tells the header's size */

enum state {
    IN_HEADER,
    IN_EXTENT_HEADER,
    IN_PAYLOAD,
    IN_PADDING,
    SEARCHING, /* for the next extent header after a broken one */
    AT_END,
    BROKEN,
};

struct vma_reader {
    enum state state;
    const uint8_t *in; /* fed, not yet used */
    size_t in_len;
    bool has_ended;
    bool ends_at_mark;
    uint64_t consumed;
    uint64_t padding_at;

    GByteArray *header_bytes;
    struct vma_header *header;

    size_t gathered; /* bytes of the extent header or block that is arriving in pieces */
    struct vma_read_extent extent;
    unsigned entry, block; /* the next block of the payload */
    struct vma_digest digest;

    /* Blocks that came in pieces. Two, in turn: one may still be in the caller's hands. */
    uint8_t pieces[2][VMA_BLOCK_SIZE];
    unsigned piece;
    struct vma_read_block current;

    char *why;
    uint64_t fault_offset;
};

struct vma_reader *vma_reader_new(void)
{
    struct vma_reader *r = g_new0(struct vma_reader, 1);
    r->header_bytes = g_byte_array_new();
    return r;
}

void vma_reader_free(struct vma_reader *r)
{
    if (!r)
        return;
    g_byte_array_unref(r->header_bytes);
    vma_header_free(r->header);
    g_free(r->why);
    g_free(r);
}

void vma_reader_feed(struct vma_reader *r, const uint8_t *bytes, size_t len)
{
    g_assert(!r->in_len && !r->has_ended);
    r->in = bytes;
    r->in_len = r->state == AT_END ? 0 : len;
}

void vma_reader_feed_end(struct vma_reader *r)
{
    r->has_ended = true;
}

void vma_reader_end_at_mark(struct vma_reader *r)
{
    r->ends_at_mark = true;
}

static void consume(struct vma_reader *r, size_t len)
{
    r->in += len;
    r->in_len -= len;
    r->consumed += len;
}

/* Collects `want` bytes in `to`; true when they are all there (and the count starts anew). */
static bool gather(struct vma_reader *r, uint8_t *to, size_t want)
{
    size_t n = MIN(want - r->gathered, r->in_len);
    if (n)
        memcpy(to + r->gathered, r->in, n);
    r->gathered += n;
    consume(r, n);
    if (r->gathered < want)
        return false;
    r->gathered = 0;
    return true;
}

static enum vma_read_event broken(struct vma_reader *r, uint64_t offset, const char *why)
{
    g_free(r->why);
    r->why = g_strdup(why);
    r->fault_offset = offset;
    r->state = BROKEN;
    return VMA_READ_BROKEN;
}

/* ---- the archive header ---- */

static bool header_gather(struct vma_reader *r, size_t want)
{
    size_t n = MIN(want - MIN(want, r->header_bytes->len), r->in_len);
    if (n)
        g_byte_array_append(r->header_bytes, r->in, (guint)n);
    consume(r, n);
    return r->header_bytes->len >= want;
}

static enum vma_read_event read_header(struct vma_reader *r)
{
    g_autoptr(GError) error = NULL;
    if (!header_gather(r, HEADER_START))
        return VMA_READ_MORE;
    uint32_t size = vma_header_size_of(r->header_bytes->data, r->header_bytes->len, &error);
    if (size && !header_gather(r, size))
        return VMA_READ_MORE;
    if (size)
        r->header = vma_header_decode(r->header_bytes->data, r->header_bytes->len, &error);
    if (!r->header)
        return broken(r, 0, error->message);
    g_byte_array_set_size(r->header_bytes, 0);
    r->state = IN_EXTENT_HEADER;
    return VMA_READ_HEADER;
}

/* ---- extents ---- */

static void parse_end_mark(struct vma_read_extent *e, const uint8_t *reserved)
{
    e->is_end_mark = true;
    e->end_flags = reserved[VMA_END_AT_FLAGS];
    e->end.extents = be64_get(reserved + VMA_END_AT_EXTENTS);
    e->end.blocks = be64_get(reserved + VMA_END_AT_BLOCKS);
    e->end.vmstate_bytes = be64_get(reserved + VMA_END_AT_VMSTATE_BYTES);
    memcpy(e->end.header_sum, reserved + VMA_END_AT_SUM, sizeof e->end.header_sum);
}

static void parse_reserved(struct vma_read_extent *e)
{
    static const uint8_t payload_mark[VMA_MARK_SIZE] = VMA_PAYLOAD_MARK, end_mark[VMA_MARK_SIZE] = VMA_END_MARK;
    uint8_t reserved[VMA_CLUSTERS_PER_EXTENT];
    vma_entry_reserved(e->header, reserved);
    e->has_digest = e->is_digest_good = e->is_end_mark = false;
    if (e->n && !memcmp(reserved, payload_mark, sizeof payload_mark)) {
        e->has_digest = true;
        memcpy(e->digest, reserved + VMA_MARK_SIZE, sizeof e->digest);
    } else if (!e->n && !memcmp(reserved, end_mark, sizeof end_mark)) {
        parse_end_mark(e, reserved);
    }
}

void vma_read_extent_parse(struct vma_read_extent *e, const uint8_t header[VMA_EXTENT_HEADER_SIZE], uint64_t offset)
{
    memmove(e->header, header, VMA_EXTENT_HEADER_SIZE);
    e->offset = offset;
    e->n = 0;
    e->blocks = vma_entry_block_count(e->header);
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++) {
        struct vma_entry entry = vma_entry_get(e->header, i);
        if (entry.dev_id)
            e->entries[e->n++] = entry;
    }
    parse_reserved(e);
}

static enum vma_read_event start_extent(struct vma_reader *r)
{
    vma_read_extent_parse(&r->extent, r->extent.header, r->consumed - VMA_EXTENT_HEADER_SIZE);
    r->entry = r->block = 0;
    vma_digest_start(&r->digest);
    r->state = IN_PAYLOAD;
    return VMA_READ_EXTENT;
}

/* Zeros, whatever their number: what copies an archive block by block fills up the last one. Other programs'
 * archives have no end mark; there the check tells whether all has come. */
static enum vma_read_event read_padding(struct vma_reader *r)
{
    size_t n = 0;
    while (n < r->in_len && !r->in[n])
        n++;
    consume(r, n);
    if (!r->in_len)
        return VMA_READ_MORE;
    return r->extent.is_end_mark ? broken(r, r->consumed, "something other than zeros follows the end mark")
                                 : broken(r, r->padding_at, "there is no extent header here");
}

static bool is_padding(const struct vma_reader *r)
{
    return !r->gathered && r->in_len && !r->in[0] && (r->extent.is_end_mark || !r->header->has_extension);
}

static enum vma_read_event read_extent_header(struct vma_reader *r)
{
    if (is_padding(r)) {
        r->padding_at = r->consumed;
        r->state = IN_PADDING;
        return read_padding(r);
    }
    if (!gather(r, r->extent.header, VMA_EXTENT_HEADER_SIZE))
        return VMA_READ_MORE;
    const char *why = vma_entry_check_header(r->extent.header, r->header->uuid);
    return why ? broken(r, r->consumed - VMA_EXTENT_HEADER_SIZE, why) : start_extent(r);
}

/* Extents begin at multiples of 512, as the header's size and theirs are such multiples. */
static enum vma_read_event search_extent_header(struct vma_reader *r)
{
    if (!r->gathered) { /* a gap may have led between them */
        size_t odd = (size_t)(r->consumed % VMA_EXTENT_HEADER_SIZE);
        consume(r, odd ? MIN(VMA_EXTENT_HEADER_SIZE - odd, r->in_len) : 0);
    }
    while (gather(r, r->extent.header, VMA_EXTENT_HEADER_SIZE))
        if (!vma_entry_check_header(r->extent.header, r->header->uuid))
            return start_extent(r);
    return VMA_READ_MORE;
}

/* Moves to the next stored block; false when the payload is over. */
static bool find_block(struct vma_reader *r)
{
    for (; r->entry < r->extent.n; r->entry++, r->block = 0)
        for (; r->block < VMA_BLOCKS_PER_CLUSTER; r->block++)
            if (r->extent.entries[r->entry].mask >> r->block & 1)
                return true;
    return false;
}

/* The next block's bytes: where they were fed, if they are all there. NULL: more must come. */
static const uint8_t *take_block(struct vma_reader *r)
{
    const uint8_t *data = r->in;
    if (!r->gathered && r->in_len >= VMA_BLOCK_SIZE) {
        consume(r, VMA_BLOCK_SIZE);
        return data;
    }
    data = r->pieces[r->piece];
    if (!gather(r, r->pieces[r->piece], VMA_BLOCK_SIZE))
        return NULL;
    r->piece ^= 1;
    return data;
}

static enum vma_read_event end_extent(struct vma_reader *r)
{
    uint8_t digest[16];
    vma_digest_end(&r->digest, digest);
    r->extent.is_digest_good = r->extent.has_digest && !memcmp(digest, r->extent.digest, sizeof digest);
    r->state = IN_EXTENT_HEADER;
    if (r->extent.is_end_mark && r->ends_at_mark) {
        r->state = AT_END;
        r->in_len = 0;
    }
    return VMA_READ_EXTENT_END;
}

static enum vma_read_event read_payload(struct vma_reader *r)
{
    if (!find_block(r))
        return end_extent(r);
    const uint8_t *data = take_block(r);
    if (!data)
        return VMA_READ_MORE;
    const struct vma_entry *entry = &r->extent.entries[r->entry];
    r->current = (struct vma_read_block){entry->dev_id, entry->cluster, r->entry, r->block++, data};
    if (r->extent.has_digest)
        vma_digest_add(&r->digest, data, VMA_BLOCK_SIZE);
    return VMA_READ_BLOCK;
}

/* ---- the end ---- */

/* All was fed and used: may an archive end here? */
static enum vma_read_event read_end(struct vma_reader *r)
{
    if (r->state == IN_HEADER)
        return broken(r, 0, r->consumed ? "the archive ends in the middle of its header" : "the archive is empty");
    if (r->state == IN_PAYLOAD)
        return broken(r, r->extent.offset, "the archive is cut short: it ends in the middle of this extent");
    if (r->state == IN_EXTENT_HEADER && r->gathered)
        return broken(r, r->consumed - r->gathered,
                      "the archive is cut short: it ends in the middle of an extent header");
    r->state = AT_END;
    return VMA_READ_END;
}

enum vma_read_event vma_reader_next(struct vma_reader *r)
{
    static enum vma_read_event (*const readers[])(struct vma_reader *) = {
        [IN_HEADER] = read_header,   [IN_EXTENT_HEADER] = read_extent_header, [IN_PAYLOAD] = read_payload,
        [IN_PADDING] = read_padding, [SEARCHING] = search_extent_header,
    };
    if (r->state == BROKEN)
        return VMA_READ_BROKEN;
    if (r->state == AT_END)
        return VMA_READ_END;
    enum vma_read_event event = readers[r->state](r);
    return event == VMA_READ_MORE && r->has_ended ? read_end(r) : event;
}

bool vma_reader_resync(struct vma_reader *r)
{
    if (r->state != BROKEN || !r->header || (r->has_ended && !r->in_len))
        return false;
    r->state = SEARCHING;
    r->gathered = 0;
    return true;
}

void vma_reader_gap(struct vma_reader *r, uint64_t lost)
{
    g_assert(r->header && !r->in_len && !r->has_ended);
    if (!lost)
        return;
    r->consumed += lost;
    r->state = SEARCHING;
    r->gathered = 0;
}

const struct vma_header *vma_reader_header(const struct vma_reader *r)
{
    return r->header;
}

const struct vma_read_extent *vma_reader_extent(const struct vma_reader *r)
{
    return &r->extent;
}

const struct vma_read_block *vma_reader_block(const struct vma_reader *r)
{
    return &r->current;
}

const char *vma_reader_why(const struct vma_reader *r)
{
    return r->why;
}

uint64_t vma_reader_offset(const struct vma_reader *r)
{
    return r->fault_offset;
}

uint64_t vma_reader_consumed(const struct vma_reader *r)
{
    return r->consumed;
}
