// SPDX-License-Identifier: GPL-2.0-or-later
/* The ring against a device that tells the truth, and one that lies. */
#include <errno.h>
#include <string.h>
#include "fake/vhost_device.h"

#define KIB 1024u

enum { N_BUFFERS = 32 };

struct fixture {
    uint8_t *memory; /* a page, the area, buffers */
    uint8_t *buffers[N_BUFFERS];
    struct vhost_ring *r;
    struct device d;
    GPtrArray *taken_back;
};

static void fixture_up(struct fixture *f, gconstpointer unused)
{
    size_t bytes = 4096 + VHOST_RING_BYTES + N_BUFFERS * VHOST_CLUSTER_BYTES;

    f->memory = g_aligned_alloc(1, bytes, 4096);
    memset(f->memory, 0xaa, bytes); /* what a ring before it left */
    for (unsigned i = 0; i < N_BUFFERS; i++)
        f->buffers[i] = f->memory + 4096 + VHOST_RING_BYTES + i * VHOST_CLUSTER_BYTES;
    f->r = vhost_ring_new(f->memory, 4096);
    f->d = device_of(f->memory, f->r);
    f->taken_back = g_ptr_array_new();
}

static void fixture_down(struct fixture *f, gconstpointer unused)
{
    vhost_ring_free(f->r);
    g_aligned_free(f->memory);
    g_ptr_array_unref(f->taken_back);
}

static void on_taken_back(void *user, void *tag)
{
    g_ptr_array_add(user, tag);
}

static bool ask(struct fixture *f, uint64_t offset, uint32_t len, unsigned tag)
{
    return vhost_ring_read(f->r, offset, len, f->buffers, GUINT_TO_POINTER(tag));
}

static void expect_done(struct fixture *f, unsigned tag, int error)
{
    struct vhost_ring_done done;

    g_assert_cmpint(vhost_ring_next_done(f->r, &done), ==, VHOST_RING_DONE);
    g_assert_cmpuint(GPOINTER_TO_UINT(done.tag), ==, tag);
    g_assert_cmpint(done.error, ==, error);
}

static void expect_nothing(struct fixture *f)
{
    struct vhost_ring_done done;

    g_assert_cmpint(vhost_ring_next_done(f->r, &done), ==, VHOST_RING_EMPTY);
    g_assert_cmpstr(vhost_ring_why(f->r), ==, "");
}

/* The lie is told, for good; what is in flight can be taken back, once. */
static void expect_lie(struct fixture *f, const char *why)
{
    unsigned n = vhost_ring_in_flight(f->r);
    struct vhost_ring_done done;

    for (unsigned i = 0; i < 2; i++)
        g_assert_cmpint(vhost_ring_next_done(f->r, &done), ==, VHOST_RING_BROKEN);
    g_assert_cmpstr(vhost_ring_why(f->r), ==, why);
    g_assert_cmpuint(vhost_ring_room(f->r), ==, 0);
    g_assert_false(ask(f, 0, 512, 99));
    vhost_ring_take_back(f->r, on_taken_back, f->taken_back);
    vhost_ring_take_back(f->r, on_taken_back, f->taken_back);
    g_assert_cmpuint(f->taken_back->len, ==, n);
    g_assert_cmpuint(vhost_ring_in_flight(f->r), ==, 0);
}

/* --- a device that tells the truth -------------------------------------------------------------- */

/* 16 buffers of 1 MiB less a sector, wherever they lie. */
static void test_chain(struct fixture *f, gconstpointer unused)
{
    uint8_t *scattered[VHOST_REQUEST_CLUSTERS];
    struct device_read read;

    for (unsigned i = 0; i < VHOST_REQUEST_CLUSTERS; i++)
        scattered[i] = f->buffers[(i * 7 + 3) % N_BUFFERS];
    g_assert_true(vhost_ring_read(f->r, UINT64_C(5) << 40, 1024 * KIB - 512, scattered, f));
    memset(scattered, 0, sizeof scattered); /* they were copied */
    g_assert_true(device_take(&f->d, &read));
    g_assert_cmpuint(read.sector, ==, UINT64_C(5) << 31);
    g_assert_cmpuint(read.len, ==, 1024 * KIB - 512);
    g_assert_cmpuint(read.n_data, ==, 16);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_true(f->memory + read.data[i].address == f->buffers[(i * 7 + 3) % N_BUFFERS]);
        g_assert_cmpuint(read.data[i].len, ==, i < 15 ? 64 * KIB : 64 * KIB - 512);
    }
    g_assert_false(device_take(&f->d, &read));
    expect_nothing(f);
}

/* It writes over all that it was given, and still gets whole requests afterwards. */
static void test_vandal(struct fixture *f, gconstpointer unused)
{
    struct device_read read;

    ask(f, 0, 64 * KIB, 1);
    g_assert_true(device_take(&f->d, &read));
    memset(f->memory + f->d.descriptors, 0xee, 4096);               /* descriptors and headers */
    memset(f->memory + 4096 + 8192, 0xee, VHOST_RING_BYTES - 8192); /* tables */
    device_end(&f->d, &read, 0);
    expect_done(f, 1, 0);
    ask(f, 64 * KIB, 512, 2);
    g_assert_true(device_take(&f->d, &read));
    g_assert_true(read.sector == 128 && read.len == 512 && read.n_data == 1);
}

static void test_full(struct fixture *f, gconstpointer unused)
{
    struct device_read read[VHOST_RING_SLOTS];

    for (unsigned i = 0; i < VHOST_RING_SLOTS; i++) {
        g_assert_cmpuint(vhost_ring_room(f->r), ==, VHOST_RING_SLOTS - i);
        g_assert_true(ask(f, i * 64 * KIB, 64 * KIB, i));
        g_assert_true(device_take(&f->d, &read[i]));
    }
    g_assert_cmpuint(vhost_ring_in_flight(f->r), ==, VHOST_RING_SLOTS);
    g_assert_false(ask(f, 0, 512, 999));
    for (unsigned i = VHOST_RING_SLOTS; i-- > 0;) /* the last first */
        device_end(&f->d, &read[i], i % 3 ? 0 : 1);
    for (unsigned i = VHOST_RING_SLOTS; i-- > 0;)
        expect_done(f, i, i % 3 ? 0 : EIO);
    expect_nothing(f);
    g_assert_cmpuint(vhost_ring_in_flight(f->r), ==, 0);
}

/* Any order, any depth, and round the indexes' 16 bits more than once. */
static void test_many(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(13);
    g_autoptr(GHashTable) asked = g_hash_table_new(NULL, NULL);
    struct device_read flying[VHOST_RING_SLOTS];
    unsigned n_flying = 0, next = 1;
    struct vhost_ring_done done;

    while (next < 200000 || n_flying > 0) {
        while (next < 200000 && g_rand_int_range(random, 0, 3) &&
               ask(f, 0, 512 * g_rand_int_range(random, 1, 2049), next))
            g_hash_table_add(asked, GUINT_TO_POINTER(next++));
        while (n_flying < VHOST_RING_SLOTS && device_take(&f->d, &flying[n_flying]))
            n_flying++;
        while (n_flying > 0 && g_rand_int_range(random, 0, 3)) {
            unsigned i = g_rand_int_range(random, 0, n_flying);
            device_end(&f->d, &flying[i], 0);
            flying[i] = flying[--n_flying];
        }
        while (vhost_ring_next_done(f->r, &done) == VHOST_RING_DONE)
            g_assert_true(g_hash_table_remove(asked, done.tag));
        expect_nothing(f);
    }
    g_assert_cmpuint(g_hash_table_size(asked), ==, 0);
}

static void test_kick(struct fixture *f, gconstpointer unused)
{
    g_assert_false(vhost_ring_wants_kick(f->r));
    ask(f, 0, 512, 1);
    ask(f, 0, 512, 2);
    g_assert_true(vhost_ring_wants_kick(f->r));
    g_assert_false(vhost_ring_wants_kick(f->r));
    le16_put(f->memory + f->d.used, 1); /* it looks by itself */
    ask(f, 0, 512, 3);
    g_assert_false(vhost_ring_wants_kick(f->r));
    le16_put(f->memory + f->d.used, 0);
    g_assert_false(vhost_ring_wants_kick(f->r));
    ask(f, 0, 512, 4);
    g_assert_true(vhost_ring_wants_kick(f->r));
}

static void test_take_back(struct fixture *f, gconstpointer unused)
{
    struct device_read read;

    for (unsigned i = 1; i <= 5; i++)
        ask(f, 0, 512, i);
    g_assert_true(device_take(&f->d, &read));
    device_end(&f->d, &read, 0);
    expect_done(f, 1, 0);
    vhost_ring_take_back(f->r, on_taken_back, f->taken_back);
    g_assert_cmpuint(f->taken_back->len, ==, 4);
    g_assert_false(ask(f, 0, 512, 6));
    g_assert_true(device_take(&f->d, &read));
    device_end(&f->d, &read, 0); /* too late: it is not looked at */
    expect_nothing(f);
}

/* --- one that lies ------------------------------------------------------------------------------ */

/* What is said of two reads of 64 KiB with tags 1 and 2, in slots 0 and 1, and what comes of it. */
static const struct lie {
    const char *name, *why;
    uint32_t id, written;
    uint8_t status;
    uint16_t jump;  /* of the used index, besides */
    bool is_second; /* the first was ended truly before */
} lies[] = {
    {"an id beyond", "a read ended that cannot be: number 128 of 128", 128, 65537, 0, 0, false},
    {"any id", "a read ended that cannot be: number 4294967295 of 128", UINT32_MAX, 65537, 0, 0, false},
    {"a free id", "read number 2 ended, which was not in flight", 2, 65537, 0, 0, false},
    {"an id twice", "read number 0 ended, which was not in flight", 0, 65537, 0, 0, true},
    {"too long", "a read of 65537 bytes ended with 65538", 0, 65538, 0, 0, false},
    {"much too long", "a read of 65537 bytes ended with 4294967295", 0, UINT32_MAX, 1, 0, false},
    {"too short", "a read of 65537 bytes ended with 65536", 0, 65536, 0, 0, false},
    {"nothing", "a read of 65537 bytes ended with 0", 0, 0, 0, 0, false},
    {"unsupported", "a read ended with status 2, which no read has", 0, 65537, 2, 0, false},
    {"no status", "a read ended with status 255, which no read has", 0, 65537, 0xff, 0, false},
    {"one more", "3 reads ended, of 2 that were in flight", 0, 65537, 0, 2, false},
    {"a jump", "32769 reads ended, of 2 that were in flight", 0, 65537, 0, 32768, false},
    {"a step back", "65535 reads ended, of 2 that were in flight", 0, 65537, 0, 65534, false},
    {"more than is left", "2 reads ended, of 1 that were in flight", 0, 65537, 0, 1, true},
};

static void test_lie(struct fixture *f, gconstpointer data)
{
    const struct lie *lie = data;
    struct device_read read[2];

    for (unsigned i = 0; i < 2; i++) {
        ask(f, 0, 64 * KIB, i + 1);
        g_assert_true(device_take(&f->d, &read[i]));
        g_assert_cmpuint(read[i].slot, ==, i);
    }
    if (lie->is_second) {
        device_end(&f->d, &read[0], 0);
        expect_done(f, 1, 0);
    }
    f->memory[read[0].status] = lie->status;
    device_say(&f->d, lie->id, lie->written);
    device_publish(&f->d, lie->jump);
    expect_lie(f, lie->why);
}

/* An error may be told with any length that fits. */
static void test_short_error(struct fixture *f, gconstpointer unused)
{
    struct device_read read;

    ask(f, 0, 64 * KIB, 1);
    g_assert_true(device_take(&f->d, &read));
    f->memory[read.status] = 1;
    device_say(&f->d, read.slot, 1);
    expect_done(f, 1, EIO);
}

static void add_test(const char *name, gconstpointer data, void (*test)(struct fixture *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf("/vhost/ring/%s", name);

    g_test_add(path, struct fixture, data, fixture_up, test, fixture_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_test("chain", NULL, test_chain);
    add_test("vandal", NULL, test_vandal);
    add_test("full", NULL, test_full);
    add_test("many", NULL, test_many);
    add_test("kick", NULL, test_kick);
    add_test("take back", NULL, test_take_back);
    add_test("short error", NULL, test_short_error);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autofree char *name = g_strdup_printf("lie/%s", lies[i].name);
        add_test(name, &lies[i], test_lie);
    }
    return g_test_run();
}
