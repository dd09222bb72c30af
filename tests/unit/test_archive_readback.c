// SPDX-License-Identifier: GPL-2.0-or-later
/* An archive read once more: good, damaged, hashed, not there, not wanted any more. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "archive/readback.h"
#include "base/error.h"
#include "sink/source.h"
#include "unit/vma_samples.h"

struct reading {
    uv_loop_t loop;
    char *path;
    bool is_over;
    char *said;
    GError *error;
    struct readback_progress progress;
};

static void write_archive(struct reading *r)
{
    struct sample s;
    int fd = g_file_open_tmp("readback-XXXXXX", &r->path, NULL);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    sample_start(&s);
    int a = sample_device(&s, "a", 40 * VMA_CLUSTER_SIZE);
    sample_header(&s);
    for (unsigned i = 0; i < 40; i++)
        sample_cluster(&s, a, i, sample_fill((uint8_t)(i + 1)));
    sample_end(&s, VMA_END_COMPLETE);
    g_assert_true(g_file_set_contents(r->path, (const char *)s.bytes->data, s.bytes->len, NULL));
    sample_clear(&s);
}

static void on_read(void *user, const char *said, const GError *error)
{
    struct reading *r = user;
    r->is_over = true;
    r->said = g_strdup(said);
    r->error = error ? g_error_copy(error) : NULL;
}

static void read_it(struct reading *r, enum readback_kind kind, bool is_wanted)
{
    uv_loop_init(&r->loop);
    struct readback *b = readback_new(&r->loop, r->path, source_open, kind, on_read, r);
    g_assert_cmpint(readback_kind(b), ==, kind);
    readback_look(b, &r->progress);
    if (!is_wanted)
        readback_stop(b);
    g_assert_false(r->is_over); /* only by the loop */
    uv_run(&r->loop, UV_RUN_DEFAULT);
    g_assert_true(r->is_over);
    g_assert_cmpint(uv_loop_close(&r->loop), ==, 0);
}

static void clear(struct reading *r)
{
    g_unlink(r->path);
    g_free(r->path);
    g_free(r->said);
    g_clear_error(&r->error);
}

static void test_good(void)
{
    struct reading r = {0};
    write_archive(&r);
    read_it(&r, READBACK_VERIFY, true);
    g_assert_no_error(r.error);
    g_assert_cmpstr(r.said, ==, "every extent's data matches its digest");
    clear(&r);
}

static void test_damaged(void)
{
    struct reading r = {0};
    g_autofree char *bytes = NULL;
    gsize len;
    write_archive(&r);
    g_assert_true(g_file_get_contents(r.path, &bytes, &len, NULL));
    bytes[len / 2] ^= 1;
    g_assert_true(g_file_set_contents(r.path, bytes, (gssize)len, NULL));
    read_it(&r, READBACK_VERIFY, true);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_null(r.said);
    clear(&r);
}

static void test_hash(void)
{
    struct reading r = {0};
    g_autofree char *bytes = NULL;
    gsize len;
    write_archive(&r);
    g_assert_true(g_file_get_contents(r.path, &bytes, &len, NULL));
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)bytes, len);
    read_it(&r, READBACK_SHA256, true);
    g_assert_no_error(r.error);
    g_assert_cmpstr(r.said, ==, sum);
    clear(&r);
}

/* That it cannot be read says nothing about what is in it. */
static void test_not_there(void)
{
    for (enum readback_kind kind = READBACK_VERIFY; kind <= READBACK_SHA256; kind++) {
        struct reading r = {.path = g_strdup("/nowhere/a.vma")};
        read_it(&r, kind, true);
        g_assert_error(r.error, VMB_ERROR, VMB_ERROR_FAILED);
        clear(&r);
    }
}

/* Endless, but for a look at whether it is wanted. */
static void test_not_wanted(void)
{
    struct reading r = {.path = g_strdup("/dev/zero")};
    read_it(&r, READBACK_SHA256, false);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_CANCELLED);
    g_free(r.path);
    r.path = g_strdup("/nowhere/at/all");
    clear(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/readback/good", test_good);
    g_test_add_func("/readback/damaged", test_damaged);
    g_test_add_func("/readback/hash", test_hash);
    g_test_add_func("/readback/not-there", test_not_there);
    g_test_add_func("/readback/not-wanted", test_not_wanted);
    return g_test_run();
}
