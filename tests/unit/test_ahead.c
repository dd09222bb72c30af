// SPDX-License-Identifier: GPL-2.0-or-later
/* A source read ahead gives what the source gives, piece by piece, whoever is quicker. */
#include "sink/ahead.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/error.h"

#define PLAIN_SIZE (5u << 20) /* goes around the ring several times */
#define FRAME_SIZE (1u << 20)

static uint8_t plain[PLAIN_SIZE];

struct file {
    char *path;
    struct source *source;
    struct ahead *ahead;
};

static void set_up(struct file *f, const void *bytes, size_t len)
{
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("vmb-ahead-XXXXXX", &f->path, NULL);
    close(fd);
    g_assert_true(g_file_set_contents(f->path, bytes, (gssize)len, NULL));
    f->source = source_open(f->path, &error);
    g_assert_no_error(error);
    f->ahead = ahead_new(f->source);
}

static void tear_down(struct file *f)
{
    ahead_free(f->ahead);
    source_free(f->source);
    if (f->path)
        g_unlink(f->path);
    g_free(f->path);
}

static void expect(const struct ahead_piece *p, size_t at)
{
    g_assert_cmpint(p->len, >, 0);
    g_assert_cmpuint(at + (size_t)p->len, <=, PLAIN_SIZE);
    g_assert_cmpmem(p->bytes, (size_t)p->len, plain + at, (size_t)p->len);
}

static size_t read_all(struct ahead *a)
{
    struct ahead_piece *p;
    size_t at = 0;
    for (; (p = ahead_next(a))->len > 0; at += (size_t)p->len)
        expect(p, at);
    g_assert_no_error(p->error);
    return at;
}

static void test_file(void)
{
    struct file f = {0};
    set_up(&f, plain, sizeof plain);
    g_assert_cmpuint(read_all(f.ahead), ==, sizeof plain);
    g_assert_cmpuint(ahead_next(f.ahead)->position, ==, sizeof plain);
    g_assert_cmpint(ahead_next(f.ahead)->len, ==, 0); /* as often as one asks */
    tear_down(&f);
}

/* The thread has filled all pieces, or is about to. */
static void test_given_up(void)
{
    for (unsigned n = 0; n < 4; n++) {
        struct file f = {0};
        set_up(&f, plain, sizeof plain);
        for (unsigned i = 0; i < n; i++)
            ahead_next(f.ahead);
        tear_down(&f);
    }
}

static GByteArray *pack(void)
{
    GByteArray *out = g_byte_array_new();
    size_t room = ZSTD_compressBound(FRAME_SIZE);
    g_autofree uint8_t *packed = g_malloc(room);
    for (size_t at = 0; at < sizeof plain; at += FRAME_SIZE) {
        size_t n = ZSTD_compress(packed, room, plain + at, FRAME_SIZE, 1);
        g_assert_false(ZSTD_isError(n));
        g_byte_array_append(out, packed, (guint)n);
    }
    return out;
}

static void test_packed(void)
{
    struct file f = {0};
    g_autoptr(GByteArray) packed = pack();
    set_up(&f, packed->data, packed->len);
    g_assert_cmpuint(read_all(f.ahead), ==, sizeof plain);
    tear_down(&f);
}

/* What a source says by itself, and in which order, with errors and what is lost by them. */
static void test_damaged(void)
{
    struct file f = {0};
    g_autoptr(GByteArray) packed = pack();
    g_autofree uint8_t *bytes = g_malloc(sizeof plain);
    unsigned n_faults = 0;
    memset(packed->data + packed->len / 2, 0xff, 64); /* in the third of five frames */
    set_up(&f, packed->data, packed->len);
    g_autoptr(source_t) same = source_open(f.path, NULL);
    for (ssize_t len = 1; len;) {
        g_autoptr(GError) error = NULL;
        struct ahead_piece *p = ahead_next(f.ahead);
        len = source_read(same, bytes, AHEAD_PIECE_BYTES, &error);
        g_assert_cmpint(len, ==, p->len);
        g_assert_cmpuint(source_lost(same), ==, p->lost);
        g_assert_true(len <= 0 || memcmp(bytes, p->bytes, (size_t)len) == 0);
        g_assert_cmpstr(error ? error->message : NULL, ==, p->error ? p->error->message : NULL);
        n_faults += len < 0;
    }
    g_assert_cmpuint(n_faults, >=, 1);
    tear_down(&f);
}

static void test_pipe(void)
{
    struct file f = {0};
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", ends[0]);
    g_assert_cmpint(write(ends[1], plain, 32768), ==, 32768);
    f.source = source_open(path, NULL);
    f.ahead = ahead_new(f.source);
    close(ends[1]);
    g_assert_true(source_is_stream(f.source));
    g_assert_cmpuint(read_all(f.ahead), ==, 32768);
    close(ends[0]);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(g_test_rand_int() & 0x3f);
    g_test_add_func("/ahead/file", test_file);
    g_test_add_func("/ahead/given-up", test_given_up);
    g_test_add_func("/ahead/packed", test_packed);
    g_test_add_func("/ahead/damaged", test_damaged);
    g_test_add_func("/ahead/pipe", test_pipe);
    return g_test_run();
}
