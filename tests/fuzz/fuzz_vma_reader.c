// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sequence of extents, made of the input and then with good checksums, through reader and check: nothing
 * crashes or hangs, the events come in their order, and two splits of the bytes give the same ones.
 */
#include "base/be.h"
#include "vma/check.h"
#include "vma/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t uuid[16] = {1};

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_assert_true(g_utf8_validate(text, -1, NULL));
    ++*(unsigned *)user;
}

static void add_header(GByteArray *out)
{
    g_autoptr(vma_header) h = vma_header_new(uuid, 0);
    vma_header_add_device(h, "a", 3 * VMA_CLUSTER_SIZE + 512, NULL);
    vma_header_add_device(h, "vmstate", VMA_CLUSTER_SIZE, NULL);
    g_autoptr(GBytes) bytes = vma_header_encode(h, NULL);
    g_byte_array_append(out, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
}

/* An extent from 8 bytes of input: kind, device, cluster, mask, and how its payload or header is damaged. */
static void add_extent(GByteArray *out, const uint8_t *in)
{
    uint8_t header[VMA_EXTENT_HEADER_SIZE], reserved[VMA_CLUSTERS_PER_EXTENT] = VMA_PAYLOAD_MARK;
    uint8_t end_mark[VMA_CLUSTERS_PER_EXTENT] = VMA_END_MARK;
    uint16_t mask = be16_get(in + 4);
    unsigned blocks = (unsigned)__builtin_popcount(mask) + (in[6] == 1);
    g_autofree uint8_t *payload = g_malloc0((size_t)blocks * VMA_BLOCK_SIZE + 1);

    end_mark[VMA_END_AT_FLAGS] = in[1];
    vma_entry_start_header(header, uuid, in[0] & 1 ? 0 : (uint16_t)blocks);
    if (!(in[0] & 1))
        vma_entry_put(header, in[6] % VMA_CLUSTERS_PER_EXTENT,
                      (struct vma_entry){mask, in[1], in[2] == 255 ? UINT32_MAX : (uint32_t)(in[2] << 8 | in[3])});
    vma_entry_finish_header(header, in[0] & 1 ? end_mark : reserved);
    header[in[7] * 2] ^= in[0] >> 4;
    g_byte_array_append(out, header, sizeof header);
    if (!(in[0] & 1))
        g_byte_array_append(out, payload, blocks * VMA_BLOCK_SIZE);
}

struct run {
    GString *log;
    unsigned faults;
};

static void handle(struct vma_reader *r, struct vma_check *c, enum vma_read_event event, GString *log)
{
    const struct vma_read_block *b = vma_reader_block(r);
    g_string_append_printf(log, "%d %" G_GUINT64_FORMAT "\n", event, vma_reader_extent(r)->offset);
    if (event == VMA_READ_EXTENT)
        vma_check_extent(c, vma_reader_extent(r));
    else if (event == VMA_READ_BLOCK)
        vma_check_block(c, b);
    else if (event == VMA_READ_EXTENT_END)
        vma_check_payload(c, vma_reader_extent(r));
    else if (event == VMA_READ_BROKEN)
        g_string_append_printf(log, "%s\n", vma_reader_why(r));
}

static void read_all(const GByteArray *bytes, size_t step, struct run *run)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    vma_check *c = NULL;
    bool is_over = false;
    for (size_t at = 0; !is_over; at += step) {
        size_t n = at < bytes->len ? MIN(step, bytes->len - at) : 0;
        g_autofree uint8_t *piece = g_memdup2(bytes->data + MIN(at, bytes->len), n);
        enum vma_read_event event;
        if (n)
            vma_reader_feed(r, piece, n);
        else
            vma_reader_feed_end(r);
        while (!is_over && (event = vma_reader_next(r)) != VMA_READ_MORE) {
            if (event == VMA_READ_HEADER)
                c = vma_check_new(vma_reader_header(r), on_fault, &run->faults);
            handle(r, c, event, run->log);
            is_over = event == VMA_READ_END || (event == VMA_READ_BROKEN && !vma_reader_resync(r));
        }
    }
    vma_check_end(c, vma_reader_consumed(r));
    vma_check_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GString) log_a = g_string_new(NULL), log_b = g_string_new(NULL);
    struct run a = {log_a, 0}, b = {log_b, 0};
    size_t step = size ? data[0] * 16u + 1 : 100;
    add_header(bytes);
    for (size_t at = 1; at + 8 <= size && at < 400; at += 8)
        add_extent(bytes, data + at);
    if (size > 1 && size % 8 > 1) /* cut, or with something behind it */
        g_byte_array_append(bytes, data, (guint)MIN(size, 700));
    read_all(bytes, bytes->len, &a);
    read_all(bytes, step, &b);
    g_assert_cmpstr(a.log->str, ==, b.log->str);
    g_assert_cmpuint(a.faults, ==, b.faults);
    return 0;
}
