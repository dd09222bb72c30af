// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the index of a large archive takes to fill, and how much memory: from headers made on the spot.
 *
 *     index_bench GIB PERCENT        "SECONDS HEAP-MIB PEAK-MIB"
 *
 * One drive of GIB, saved in order by the job but for PERCENT of its clusters, which the guest wrote, anywhere: they
 * stand among those that the job brought. 100: all at random. What the index answers is compared with what was put in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sink/scratch.h"
#include "vma/entry.h"
#include "vma/header.h"
#include "vma/index.h"

#define REST_EVERY 64

static const uint8_t uuid[16] = "index-bench";

/* A permutation of 0…n-1 without a table: the guest's order. n is a power of two. */
static uint32_t scattered(uint32_t i, uint32_t n)
{
    return (i * 2654435761u + 12345u) & (n - 1);
}

static bool is_written(uint32_t cluster, unsigned percent)
{
    return cluster * 2246822519u % 100 < percent;
}

struct bench {
    struct vma_index *index;
    struct scratch *scratch;
    struct vma_entry entries[VMA_CLUSTERS_PER_EXTENT];
    unsigned n;
    uint8_t dev_id;
    uint64_t at, extents;
    uint32_t probe; /* a cluster to be asked for at the end */
    uint64_t probe_at;
};

static void *take_room(void *user, GError **error)
{
    return scratch_take(((struct bench *)user)->scratch, error);
}

static void put_extent(struct bench *b)
{
    static const uint8_t reserved[VMA_CLUSTERS_PER_EXTENT] = VMA_PAYLOAD_MARK;
    uint8_t header[VMA_EXTENT_HEADER_SIZE];
    g_autoptr(GError) error = NULL;
    vma_entry_start_header(header, uuid, (uint16_t)(b->n * VMA_BLOCKS_PER_CLUSTER));
    for (unsigned i = 0; i < b->n; i++)
        vma_entry_put(header, i, b->entries[i]);
    vma_entry_finish_header(header, reserved);
    uint64_t len = vma_index_add(b->index, b->at, header, &error);
    g_assert_no_error(error);
    b->at += len;
    if (++b->extents % REST_EVERY == 0)
        scratch_rest(b->scratch);
    b->n = 0;
}

static void add(struct bench *b, uint32_t cluster)
{
    if (cluster == b->probe)
        b->probe_at = b->at + VMA_EXTENT_HEADER_SIZE + b->n * (uint64_t)VMA_CLUSTER_SIZE;
    b->entries[b->n++] = (struct vma_entry){0xffff, b->dev_id, cluster};
    if (b->n == VMA_CLUSTERS_PER_EXTENT)
        put_extent(b);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        g_error("how many GiB, how many percent?");
    uint32_t n = (uint32_t)atoi(argv[1]) << 14, next = 0;
    unsigned percent = (unsigned)atoi(argv[2]);
    struct vma_header *header = vma_header_new(uuid, 0);
    struct bench b = {.scratch = scratch_new(), .at = 12800, .probe = n / 3};
    b.dev_id = (uint8_t)vma_header_add_device(header, "d", (uint64_t)n * VMA_CLUSTER_SIZE, NULL);
    b.index = vma_index_new(header);
    vma_index_set_room(b.index, VMA_INDEX_HEAP_BYTES, take_room, &b);
    gint64 start = g_get_monotonic_time();
    for (uint32_t job = 0; job < n; job++) {
        if (!is_written(job, percent))
            add(&b, job);
        for (; next < n && (uint64_t)next * 64 <= (uint64_t)job * 65; next++) /* the guest is a little ahead */
            if (is_written(scattered(next, n), percent))
                add(&b, scattered(next, n));
    }
    if (b.n)
        put_extent(&b);
    struct vma_index_run run = vma_index_run(b.index, b.dev_id, (uint64_t)b.probe * VMA_CLUSTER_SIZE, 4096);
    g_assert_cmpuint(run.at, ==, b.probe_at);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.1f %zu %ld\n", (double)(g_get_monotonic_time() - start) / 1e6, vma_index_bytes(b.index) >> 20,
           used.ru_maxrss >> 10);
    vma_index_free(b.index);
    vma_header_free(header);
    scratch_free(b.scratch);
    return 0;
}
