// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/verify.h"

#include "base/error.h"

#define READ_SIZE    (1u << 20)
#define MAX_REPORTED 1000u

struct verify {
    struct vma_reader *reader;
    struct vma_check *check;
    vma_fault_fn fault;
    void *fault_user;
    unsigned faults;
};

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct verify *v = user;
    if (v->faults++ < MAX_REPORTED)
        v->fault(v->fault_user, offset, text);
}

/* Says what is broken and goes on behind it; false when that is impossible. */
static bool on_broken(struct verify *v)
{
    on_fault(v, vma_reader_offset(v->reader), vma_reader_why(v->reader));
    vma_check_skipped(v->check);
    return vma_reader_resync(v->reader);
}

/* Handles what was fed. False at the end, or when nothing more can be read (error set: the header). */
static bool pump(struct verify *v, GError **error)
{
    for (;;) {
        switch (vma_reader_next(v->reader)) {
        case VMA_READ_MORE:
            return true;
        case VMA_READ_HEADER:
            v->check = vma_check_new(vma_reader_header(v->reader), on_fault, v);
            break;
        case VMA_READ_EXTENT:
            vma_check_extent(v->check, vma_reader_extent(v->reader));
            break;
        case VMA_READ_BLOCK:
            vma_check_block(v->check, vma_reader_block(v->reader));
            break;
        case VMA_READ_EXTENT_END:
            vma_check_payload(v->check, vma_reader_extent(v->reader));
            break;
        case VMA_READ_END:
            return false;
        case VMA_READ_BROKEN:
            if (!v->check) {
                g_set_error_literal(error, VMB_ERROR, VMB_ERROR_DAMAGED, vma_reader_why(v->reader));
                return false;
            }
            if (!on_broken(v))
                return false;
        }
    }
}

static bool read_all(struct verify *v, vma_read_fn read, void *read_user, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_SIZE);
    g_autoptr(GError) failed = NULL;
    for (;;) {
        ssize_t n = read(read_user, buffer, READ_SIZE, error);
        if (n < 0)
            return false;
        if (n)
            vma_reader_feed(v->reader, buffer, (size_t)n);
        else
            vma_reader_feed_end(v->reader);
        if (!pump(v, &failed))
            break;
    }
    if (!failed)
        return true;
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

static void fill_result(const struct verify *v, struct vma_verify_result *result)
{
    *result = (struct vma_verify_result){.faults = v->faults, .bytes_read = vma_reader_consumed(v->reader)};
    if (!v->check)
        return;
    const struct vma_check_result *seen = vma_check_result(v->check);
    const struct vma_header *header = vma_reader_header(v->reader);
    result->has_digests = seen->has_digests;
    result->has_end_mark = seen->has_end_mark;
    result->lost_devices = seen->lost_devices;
    result->clusters = seen->clusters;
    result->blocks = seen->seen.blocks;
    result->extents = seen->seen.extents;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        result->devices += header->devices[i].name != NULL;
}

bool vma_verify(vma_read_fn read, void *read_user, vma_fault_fn fault, void *fault_user,
                struct vma_verify_result *result, GError **error)
{
    g_autoptr(vma_reader) reader = vma_reader_new();
    struct verify v = {.reader = reader, .fault = fault, .fault_user = fault_user};
    bool is_read = read_all(&v, read, read_user, error);
    if (is_read)
        vma_check_end(v.check, vma_reader_consumed(reader));
    fill_result(&v, result);
    vma_check_free(v.check);
    return is_read;
}
