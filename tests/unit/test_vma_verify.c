// SPDX-License-Identifier: GPL-2.0-or-later
/* Every rule of a whole archive: the good one is good, and each fault is found and named. */
#include "vma/verify.h"

#include "base/error.h"
#include "unit/vma_samples.h"
#include "vma/entry.h"

struct feed {
    const uint8_t *bytes;
    size_t len, at, step;
    bool fails;
};

static ssize_t feed_read(void *user, void *buffer, size_t len, GError **error)
{
    struct feed *f = user;
    size_t n = MIN(MIN(len, f->step), f->len - f->at);
    if (f->fails && f->at > 20000) {
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_FAILED, "the disk is gone");
        return -1;
    }
    memcpy(buffer, f->bytes + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_string_append_printf(user, "%" G_GUINT64_FORMAT ": %s\n", offset, text);
}

static char *verify(const GByteArray *bytes, struct vma_verify_result *result)
{
    struct feed feed = {bytes->data, bytes->len, 0, 70001, false};
    GString *faults = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(vma_verify(feed_read, &feed, false, on_fault, faults, result, &error));
    g_assert_no_error(error);
    return g_string_free(faults, FALSE);
}

/* Exactly these many faults, and one of them says this. Frees the sample. */
static void assert_faults(struct sample *s, unsigned n, const char *text)
{
    struct vma_verify_result result;
    g_autofree char *faults = verify(s->bytes, &result);
    g_test_message("%s", faults);
    g_assert_cmpuint(result.faults, ==, n);
    if (text)
        g_assert_nonnull(strstr(faults, text));
    sample_clear(s);
}

/* Two drives of 2 clusters and a bit, and RAM; nothing written yet. */
static void start(struct sample *s, int *a, int *b, int *ram)
{
    sample_start(s);
    *a = sample_device(s, "a", 2 * VMA_CLUSTER_SIZE + 1536);
    *b = sample_device(s, "b", 2 * VMA_CLUSTER_SIZE);
    *ram = sample_device(s, "vmstate", 10 * VMA_CLUSTER_SIZE);
    sample_header(s);
    s->totals.vmstate_bytes = VMA_CLUSTER_SIZE + 1;
}

static void fill(struct sample *s, int a, int b, int ram)
{
    uint8_t *tail = g_malloc0(VMA_CLUSTER_SIZE);
    memset(tail, 3, 1536);
    sample_cluster(s, a, 2, tail);
    sample_cluster(s, a, 0, sample_fill(1));
    sample_cluster(s, a, 1, NULL);
    sample_cluster(s, b, 1, sample_fill(2));
    sample_cluster(s, b, 0, NULL);
    sample_cluster(s, ram, 0, sample_fill(4));
    sample_cluster(s, ram, 1, NULL);
}

static void make_good(struct sample *s)
{
    int a, b, ram;
    start(s, &a, &b, &ram);
    fill(s, a, b, ram);
    sample_end(s, VMA_END_COMPLETE);
}

static void test_good(void)
{
    struct sample s;
    struct vma_verify_result result;
    make_good(&s);
    g_autofree char *faults = verify(s.bytes, &result);
    g_assert_cmpstr(faults, ==, "");
    g_assert_cmpuint(result.faults, ==, 0);
    g_assert_true(result.has_digests && result.has_end_mark);
    g_assert_cmpuint(result.bytes_read, ==, s.bytes->len);
    g_assert_cmpuint(result.devices, ==, 3);
    g_assert_cmpuint(result.extents, ==, 3);
    g_assert_cmpuint(result.clusters, ==, 7);
    g_assert_cmpuint(result.blocks, ==, 1 + 16 + 16 + 32);
    g_assert_cmpuint(result.lost_devices, ==, 0);
    sample_clear(&s);
}

static void test_clusters(void)
{
    struct sample s;
    int a, b, ram;
    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    sample_cluster(&s, b, 1, NULL);
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device b: cluster 1 comes twice");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    sample_cluster(&s, b, 2, NULL);
    sample_cluster(&s, b, 0xffffffff, NULL);
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 2, "device b: cluster 4294967295 lies beyond its end");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[b].n = 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device b: 1 of its 2 clusters are missing, the first is cluster 0");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[b].dev_id = 77;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 3, "device number 77, which does not exist"); /* twice, and b is missing */
}

static void test_tail(void)
{
    struct sample s;
    int a, b, ram;
    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[a].clusters[0].data[1536] = 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device a: its last block is not zero behind the device's end");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[a].clusters[0].data[VMA_BLOCK_SIZE] = 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device a: cluster 2 stores blocks beyond the device's end");
}

static void test_vmstate(void)
{
    struct sample s;
    int a, b, ram;
    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[ram].clusters[0].cluster = 1;
    s.open[ram].clusters[1].cluster = 0;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 3, "device vmstate: cluster 1 comes where 0 is due"); /* twice, and the length */

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.totals.vmstate_bytes = 2 * VMA_CLUSTER_SIZE + 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device vmstate: 2 clusters are there, but the end mark says 131073 bytes");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    g_free(s.open[ram].clusters[0].data);
    s.open[ram].n = 0;
    s.totals.vmstate_bytes = 0;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "device vmstate: nothing of it is there");
}

static void test_end_mark(void)
{
    struct sample s;
    int a, b, ram;
    make_good(&s);
    g_byte_array_set_size(s.bytes, s.bytes->len - 512);
    assert_faults(&s, 1, "the end mark is missing");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    sample_end(&s, 0);
    assert_faults(&s, 1, "never completed");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.totals.blocks = 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "the end mark counts 3 extents and 66 blocks, but 3 and 65 are there");

    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.totals.header_sum[7] = 1;
    sample_end(&s, VMA_END_COMPLETE);
    assert_faults(&s, 1, "not the ones that the end mark sums up");

    make_good(&s);
    g_byte_array_append(s.bytes, s.bytes->data + s.bytes->len - 512, 512);
    assert_faults(&s, 1, "a second end mark");
}

/* The writer knew that it lost a drive: incomplete, not damaged. */
static void test_lost(void)
{
    struct sample s;
    struct vma_verify_result result;
    int a, b, ram;
    start(&s, &a, &b, &ram);
    fill(&s, a, b, ram);
    s.open[b].n = 1;
    s.totals.vmstate_bytes = 0; /* the RAM stream broke off */
    sample_end(&s, VMA_END_COMPLETE | VMA_END_DEVICE_LOST);
    g_autofree char *faults = verify(s.bytes, &result);
    g_assert_cmpstr(faults, ==, "");
    g_assert_cmpuint(result.lost_devices, ==, 2);
    sample_clear(&s);
}

/* Damage of an extent header, of payload, and a cut end, all in one go. */
static void test_all_faults(void)
{
    struct sample s;
    make_good(&s);
    size_t first = s.header->header_size, second = first + 512 + 17 * VMA_BLOCK_SIZE;
    s.bytes->data[first + 300] ^= 1;
    s.bytes->data[second + 512 + 5000] ^= 1;
    g_byte_array_set_size(s.bytes, s.bytes->len - 100);
    struct vma_verify_result result;
    g_autofree char *faults = verify(s.bytes, &result);
    g_test_message("%s", faults);
    g_assert_nonnull(strstr(faults, "12800: the checksum of the extent header does not match"));
    g_assert_nonnull(strstr(faults, "the data of this extent does not match its digest"));
    g_assert_nonnull(strstr(faults, "cut short"));
    g_assert_nonnull(strstr(faults, "device a: 3 of its 3 clusters are missing"));
    g_assert_nonnull(strstr(faults, "the end mark is missing"));
    g_assert_cmpuint(result.faults, ==, 5);
    sample_clear(&s);
}

/* No fault stops the reading, but only the first thousand are told one by one. */
static void test_many_faults(void)
{
    struct sample s;
    struct vma_verify_result result;
    sample_start(&s);
    int a = sample_device(&s, "a", 512);
    sample_header(&s);
    for (unsigned i = 0; i < 3001; i++)
        sample_cluster(&s, a, 0, NULL);
    sample_end(&s, VMA_END_COMPLETE);
    g_autofree char *faults = verify(s.bytes, &result);
    g_assert_cmpuint(result.faults, ==, 3000);
    unsigned lines = 0;
    for (const char *c = faults; *c; c++)
        lines += *c == '\n';
    g_assert_cmpuint(lines, ==, 1000);
    sample_clear(&s);
}

/* An archive of another program: no digests, no end mark, and no fault in that. */
static void test_foreign(void)
{
    struct sample s;
    struct vma_verify_result result;
    uint8_t head[VMA_EXTENT_HEADER_SIZE], none[VMA_CLUSTERS_PER_EXTENT] = {0}, zeros[VMA_BLOCK_SIZE] = {1};
    sample_start(&s);
    s.header->has_extension = false;
    int a = sample_device(&s, "a", VMA_CLUSTER_SIZE), ram = sample_device(&s, "vmstate", 4096);
    sample_header(&s);
    vma_entry_start_header(head, sample_uuid, 2);
    vma_entry_put(head, 3, (struct vma_entry){4, (uint8_t)a, 0}); /* unused entries before it, two devices */
    vma_entry_put(head, 50, (struct vma_entry){1, (uint8_t)ram, 0});
    vma_entry_finish_header(head, none);
    g_byte_array_append(s.bytes, head, sizeof head);
    g_byte_array_append(s.bytes, zeros, sizeof zeros);
    g_byte_array_append(s.bytes, zeros, sizeof zeros);
    g_autofree char *faults = verify(s.bytes, &result);
    g_assert_cmpstr(faults, ==, "");
    g_assert_false(result.has_digests || result.has_end_mark);
    sample_clear(&s);
}

static void assert_unreadable(const void *bytes, size_t len, bool fails, int code)
{
    struct feed feed = {bytes, len, 0, 4096, fails};
    struct vma_verify_result result;
    g_autoptr(GString) faults = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(vma_verify(feed_read, &feed, false, on_fault, faults, &result, &error));
    g_assert_error(error, VMB_ERROR, code);
    g_assert_cmpstr(faults->str, ==, "");
}

static void test_unreadable(void)
{
    struct sample s;
    make_good(&s);
    assert_unreadable("", 0, false, VMB_ERROR_DAMAGED);
    assert_unreadable("hello", 5, false, VMB_ERROR_DAMAGED);
    assert_unreadable(s.bytes->data, 12287, false, VMB_ERROR_DAMAGED);
    assert_unreadable(s.bytes->data, s.bytes->len, true, VMB_ERROR_FAILED);
    sample_clear(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/verify/good", test_good);
    g_test_add_func("/verify/clusters", test_clusters);
    g_test_add_func("/verify/tail", test_tail);
    g_test_add_func("/verify/vmstate", test_vmstate);
    g_test_add_func("/verify/end-mark", test_end_mark);
    g_test_add_func("/verify/lost", test_lost);
    g_test_add_func("/verify/all-faults", test_all_faults);
    g_test_add_func("/verify/many-faults", test_many_faults);
    g_test_add_func("/verify/foreign", test_foreign);
    g_test_add_func("/verify/unreadable", test_unreadable);
    return g_test_run();
}
