// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/seek_table_reader.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/le.h"
#include "base/transfer.h"
#include "sink/padding.h"

#define STRIDE     64u /* frames from one known place to the next */
#define ENTRY_SIZE 8u
#define SUM_SIZE   4u
#define FRAME_HEAD 8u
#define READ_SIZE  (48u << 10) /* a multiple of both entry sizes */

struct entry {
    uint32_t packed, plain;
};
struct place {
    uint64_t packed, plain;
};
struct seek_table_reader {
    uint32_t count;
    struct entry *entries;
    struct place *places; /* of frame 0, STRIDE, 2 × STRIDE, … */
    struct place end;
};

static bool fail(GError **error, enum vmb_error code, const char *why)
{
    return vmb_fail(error, code, "seek table: %s", why);
}

static bool read_at(int fd, uint64_t at, void *to, size_t len, GError **error)
{
    int failed = transfer_read(fd, to, len, at);
    return !failed ||
           fail(error, VMB_ERROR_FAILED, failed == ENODATA ? "the file has become shorter" : g_strerror(failed));
}

static void put_entry(struct seek_table_reader *t, uint32_t i, const uint8_t *bytes)
{
    t->entries[i] = (struct entry){le32_get(bytes), le32_get(bytes + 4)};
    if (i % STRIDE == 0)
        t->places[i / STRIDE] = t->end;
    t->end.packed += t->entries[i].packed;
    t->end.plain += t->entries[i].plain;
}

static bool read_entries(struct seek_table_reader *t, int fd, uint64_t at, size_t entry_size, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_SIZE);
    for (uint32_t i = 0; i < t->count;) {
        uint32_t n = MIN(t->count - i, (uint32_t)(READ_SIZE / entry_size));
        if (!read_at(fd, at, buffer, n * entry_size, error))
            return false;
        for (uint32_t k = 0; k < n; k++)
            put_entry(t, i + k, buffer + k * entry_size);
        i += n;
        at += n * entry_size;
    }
    return true;
}

/* Where the table's frame begins, if what stands there fits the footer. */
static bool check_frame(int fd, uint64_t file_size, uint64_t content, uint64_t *at, GError **error)
{
    uint8_t head[FRAME_HEAD];
    if (content + FRAME_HEAD > file_size)
        return fail(error, VMB_ERROR_DAMAGED, "it is longer than the file");
    *at = file_size - content - FRAME_HEAD;
    if (!read_at(fd, *at, head, sizeof head, error))
        return false;
    if (le32_get(head) != SEEK_TABLE_FRAME_MAGIC || le32_get(head + 4) != content)
        return fail(error, VMB_ERROR_DAMAGED, "its beginning and its end contradict each other");
    return true;
}

struct seek_table_reader *seek_table_reader_load(int fd, uint64_t file_size, GError **error)
{
    uint8_t footer[SEEK_TABLE_FOOTER_SIZE];
    uint64_t at = 0;
    file_size = padding_start(fd, file_size);
    if (file_size < sizeof footer || !read_at(fd, file_size - sizeof footer, footer, sizeof footer, error) ||
        le32_get(footer + 5) != SEEK_TABLE_MAGIC)
        return NULL;
    g_autoptr(seek_table_reader_t) t = g_new0(struct seek_table_reader, 1);
    t->count = le32_get(footer);
    size_t entry_size = ENTRY_SIZE + (footer[4] & SEEK_TABLE_HAS_SUMS ? SUM_SIZE : 0);
    bool is_good =
        (footer[4] & SEEK_TABLE_RESERVED) == 0 || fail(error, VMB_ERROR_DAMAGED, "its descriptor is damaged");
    if (is_good && t->count > SEEK_TABLE_MAX_FRAMES)
        is_good = fail(error, VMB_ERROR_FAILED, "it lists more frames than can be read here");
    if (!is_good || !check_frame(fd, file_size, t->count * entry_size + sizeof footer, &at, error))
        return NULL;
    t->entries = g_new(struct entry, t->count);
    t->places = g_new(struct place, t->count / STRIDE + 1);
    if (!read_entries(t, fd, at + FRAME_HEAD, entry_size, error))
        return NULL;
    if (t->end.packed != at) {
        fail(error, VMB_ERROR_DAMAGED, "its sizes do not add up to that of the file");
        return NULL;
    }
    return g_steal_pointer(&t);
}

void seek_table_reader_free(struct seek_table_reader *t)
{
    if (!t)
        return;
    g_free(t->entries);
    g_free(t->places);
    g_free(t);
}

uint32_t seek_table_reader_count(const struct seek_table_reader *t)
{
    return t->count;
}

uint64_t seek_table_reader_plain_size(const struct seek_table_reader *t)
{
    return t->end.plain;
}

struct seek_frame seek_table_reader_frame(const struct seek_table_reader *t, uint32_t index)
{
    struct place p = t->places[index / STRIDE];
    for (uint32_t i = index / STRIDE * STRIDE; i < index; i++) {
        p.packed += t->entries[i].packed;
        p.plain += t->entries[i].plain;
    }
    return (struct seek_frame){index, p.packed, p.plain, t->entries[index].packed, t->entries[index].plain};
}

/* The last place that is not behind the offset. */
static uint32_t find_place(const struct seek_table_reader *t, uint64_t plain_offset)
{
    uint32_t low = 0, high = (t->count - 1) / STRIDE;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (t->places[middle].plain <= plain_offset)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

bool seek_table_reader_find(const struct seek_table_reader *t, uint64_t plain_offset, struct seek_frame *f)
{
    if (plain_offset >= t->end.plain)
        return false;
    *f = seek_table_reader_frame(t, find_place(t, plain_offset) * STRIDE);
    while (plain_offset >= f->plain_at + f->plain_len)
        *f = (struct seek_frame){f->index + 1, f->packed_at + f->packed_len, f->plain_at + f->plain_len,
                                 t->entries[f->index + 1].packed, t->entries[f->index + 1].plain};
    return true;
}
