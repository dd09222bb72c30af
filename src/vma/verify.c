// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/verify.h"

#define READ_SIZE    (1u << 20)
#define MAX_REPORTED 1000u

struct reporter {
    vma_fault_fn fault;
    void *user;
    unsigned reported;
};

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct reporter *r = user;
    if (r->reported++ < MAX_REPORTED)
        r->fault(r->user, offset, text);
}

static bool read_all(struct vma_walk *w, vma_read_fn read, void *user, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_SIZE);
    ssize_t n = 0;
    while (!vma_walk_has_ended(w) && (n = read(user, buffer, READ_SIZE, error)) > 0)
        if (!vma_walk_feed(w, buffer, (size_t)n, error))
            return false;
    return n >= 0 && vma_walk_end(w, error);
}

struct vma_verify_result vma_verify_result_of(const struct vma_walk *w)
{
    struct vma_verify_result result = {.faults = vma_walk_faults(w), .bytes_read = vma_walk_consumed(w)};
    if (!vma_walk_check(w))
        return result;
    const struct vma_check_result *seen = vma_check_result(vma_walk_check(w));
    result.has_digests = seen->has_digests;
    result.has_end_mark = seen->has_end_mark;
    result.lost_devices = seen->lost_devices;
    result.clusters = seen->clusters;
    result.blocks = seen->seen.blocks;
    result.extents = seen->seen.extents;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        result.devices += vma_walk_header(w)->devices[i].name != NULL;
    return result;
}

bool vma_verify(vma_read_fn read, void *read_user, bool ends_at_mark, vma_fault_fn fault, void *fault_user,
                struct vma_verify_result *result, GError **error)
{
    static const struct vma_walk_ops ops = {.fault = on_fault};
    struct reporter reporter = {fault, fault_user, 0};
    g_autoptr(vma_walk) w = vma_walk_new(&ops, &reporter);
    if (ends_at_mark)
        vma_walk_end_at_mark(w);
    bool is_read = read_all(w, read, read_user, error);
    *result = vma_verify_result_of(w);
    return is_read;
}
