// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clusters on their way in: what is answered, what reaches the writer, and whose each buffer is. The writer's lane is
 * a fake that keeps what it is given.
 */
#include "archive/intake.h"

#include <errno.h>
#include <string.h>

#define CLUSTER    VMA_CLUSTER_SIZE
#define CLUSTERS   400
#define TAIL       1536
#define DRIVE_SIZE ((CLUSTERS - 1) * (uint64_t)CLUSTER + TAIL) /* the last cluster is short */
#define BUFFERS    300

struct writer_lane {
    uint64_t size;
    bool is_held[CLUSTERS];
    uint8_t *data[CLUSTERS]; /* NULL: zeros */
    unsigned n_data;
};

static struct writer_lane lane;

struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate)
{
    g_assert_cmpuint(dev_id, ==, 7);
    g_assert_false(is_vmstate);
    memset(&lane, 0, sizeof lane);
    return &lane;
}

void writer_set_size(struct writer_lane *l, uint64_t size)
{
    l->size = size;
}

void writer_add(struct writer_lane *l, uint32_t cluster, uint8_t *data)
{
    g_assert_cmpuint(cluster, <, CLUSTERS);
    g_assert_false(l->is_held[cluster]);
    l->is_held[cluster] = true;
    l->data[cluster] = data;
    l->n_data += data != NULL;
}

void writer_add_zeroes(struct writer_lane *l, uint32_t cluster, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        writer_add(l, cluster + i, NULL);
}

/* --- a drive with two sources ------------------------------------------------------------------- */

struct side {
    struct intake_source source;
    bool is_nobodys, gives_up; /* gives_up: nobody's from the first cluster without a buffer on */
    unsigned n_without_buffer, n_put;
    uint64_t bytes, news, last_end;
    unsigned n_refused;
    enum vma_put why;
    uint64_t where;
};

struct desk {
    struct pool *pool;
    struct intake in;
    struct side a, b;
    unsigned n_hidden; /* buffers that the test keeps */
    uint8_t *hidden[BUFFERS];
};

static bool is_nobodys(void *user)
{
    return ((struct side *)user)->is_nobodys;
}

static void on_no_buffer(void *user)
{
    struct side *s = user;

    s->n_without_buffer++;
    s->is_nobodys = s->gives_up;
}

static void on_refused(void *user, uint64_t offset, enum vma_put why)
{
    struct side *s = user;

    s->n_refused++;
    s->why = why;
    s->where = offset;
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
    struct side *s = user;

    g_assert_cmpuint(len, >, 0);
    g_assert_true((end - len) / CLUSTER == (end - 1) / CLUSTER ||
                  (!is_news && (end - len) % CLUSTER == 0)); /* no piece crosses a border */
    s->n_put++;
    s->bytes += len;
    s->news += is_news ? len : 0;
    s->last_end = end;
}

static const struct intake_policy refuses = {is_nobodys, on_no_buffer, on_refused, on_put};
static const struct intake_policy drops = {is_nobodys, NULL, on_refused, on_put};

static struct desk *desk_new(bool may_repeat)
{
    struct desk *d = g_new0(struct desk, 1);

    d->pool = d->in.pool = pool_new(BUFFERS, NULL);
    intake_reset(&d->in, DRIVE_SIZE, may_repeat);
    intake_open(&d->in, NULL, 7);
    g_assert_cmpuint(lane.size, ==, DRIVE_SIZE);
    d->a.source = (struct intake_source){&d->in, &refuses, POOL_FOR_GUEST, &d->a};
    d->b.source = (struct intake_source){&d->in, &refuses, POOL_FOR_JOB, &d->b};
    return d;
}

/* Every buffer is the lane's, or free again. */
static void desk_free(struct desk *d)
{
    while (d->n_hidden)
        pool_give(d->pool, d->hidden[--d->n_hidden]);
    intake_clear(&d->in);
    g_assert_cmpuint(pool_free_count(d->pool) + lane.n_data, ==, BUFFERS);
    pool_free(d->pool);
    g_free(d);
}

static void leave_free(struct desk *d, unsigned n)
{
    while (pool_free_count(d->pool) > n)
        d->hidden[d->n_hidden++] = pool_take(d->pool, POOL_FOR_GUEST);
}

/* A request that is under way. */
struct request {
    struct side *side;
    uint64_t offset;
    uint32_t len, done;
    void *buffer;
    uint8_t byte;
};

/* As much of its payload as there is room for at once, but `most`. */
static int land(struct request *r, size_t most)
{
    const struct intake_source *s = &r->side->source;
    size_t room = 0;
    uint8_t *at = intake_room(s, r->offset, r->len, r->done, &r->buffer, &room);

    g_assert_nonnull(at);
    g_assert_cmpuint(room, >, 0);
    g_assert_cmpuint(room, <=, r->len - r->done);
    room = MIN(room, most);
    memset(at, r->byte, room);
    r->done += room;
    return intake_landed(s, r->offset, r->len, r->done, &r->buffer);
}

static int bring_in_portions(struct side *s, uint64_t offset, uint32_t len, uint8_t byte, size_t portion)
{
    struct request r = {s, offset, len, 0, NULL, byte};
    int error = 0;

    while (r.done < len && !error)
        error = land(&r, portion);
    pool_give(s->source.intake->pool, r.buffer);
    return error;
}

static int bring(struct side *s, uint64_t offset, uint32_t len, uint8_t byte)
{
    return bring_in_portions(s, offset, len, byte, SIZE_MAX);
}

static void must_hold(uint32_t cluster, uint32_t at, uint32_t len, uint8_t byte)
{
    g_assert_true(lane.is_held[cluster]);
    g_assert_nonnull(lane.data[cluster]);
    for (uint32_t i = at; i < at + len; i++)
        g_assert_cmphex(lane.data[cluster][i], ==, byte);
}

static void must_be_refused(const struct side *s, enum vma_put why, uint64_t where)
{
    g_assert_cmpuint(s->n_refused, ==, 1);
    g_assert_cmpint(s->why, ==, why);
    g_assert_cmpuint(s->where, ==, where);
}

/* --- pieces ------------------------------------------------------------------------------------- */

static void test_check(void)
{
    g_assert_cmpint(intake_check(512, 1024), ==, 0);
    g_assert_cmpint(intake_check(511, 512), ==, EINVAL);
    g_assert_cmpint(intake_check(512, 513), ==, EINVAL);
}

/* Whatever the portions, its pieces lie end to end, one for each cluster. */
static void check_landing(uint64_t offset, uint32_t len, unsigned pieces)
{
    static const size_t portions[] = {SIZE_MAX, 512, 4096, 777};

    for (unsigned i = 0; i < G_N_ELEMENTS(portions); i++) {
        struct desk *d = desk_new(false);
        g_assert_cmpint(bring_in_portions(&d->a, offset, len, 5, portions[i]), ==, 0);
        g_assert_cmpuint(d->a.n_put, ==, pieces);
        g_assert_cmpuint(d->a.bytes, ==, len);
        g_assert_cmpuint(d->a.news, ==, len);
        g_assert_cmpuint(d->a.last_end, ==, offset + len);
        desk_free(d);
    }
}

static void test_landing(void)
{
    check_landing(0, CLUSTER, 1);
    check_landing(512, 512, 1);
    check_landing(CLUSTER - 512, 1024, 2);
    check_landing(1024, 5 * CLUSTER, 6);
    check_landing(7 * (uint64_t)CLUSTER + 512, 2 * CLUSTER - 512, 2);
}

static void test_cluster_in_pieces(void)
{
    struct desk *d = desk_new(false);

    g_assert_cmpint(bring(&d->a, CLUSTER + 4096, 4096, 2), ==, 0);
    g_assert_cmpint(bring(&d->a, CLUSTER, 4096, 1), ==, 0);
    g_assert_false(lane.is_held[1]);
    g_assert_cmpint(bring(&d->a, CLUSTER + 8192, 2 * CLUSTER - 8192, 3), ==, 0); /* the next one, too */
    must_hold(1, 0, 4096, 1);
    must_hold(1, 4096, 4096, 2);
    must_hold(1, 8192, CLUSTER - 8192, 3);
    must_hold(2, 0, CLUSTER, 3);
    g_assert_cmpuint(intake_missing(&d->in), ==, CLUSTERS - 2);
    g_assert_cmpuint(d->a.news, ==, 2 * CLUSTER);
    desk_free(d);
}

/* By whoever has no payload in portions. */
static void test_whole_buffer(void)
{
    struct desk *d = desk_new(false);
    uint8_t *buffer = intake_buffer(&d->b.source);

    memset(buffer, 9, CLUSTER);
    g_assert_cmpint(intake_put(&d->b.source, 3 * CLUSTER, CLUSTER, buffer), ==, 0);
    g_assert_true(lane.data[3] == buffer);           /* never copied */
    pool_give(d->pool, intake_buffer(&d->b.source)); /* one that failed */
    desk_free(d);
}

static void test_short_last_cluster(void)
{
    struct desk *d = desk_new(false);
    uint8_t *dirty = pool_take(d->pool, POOL_FOR_GUEST);

    memset(dirty, 0xee, CLUSTER);
    pool_give(d->pool, dirty); /* the next to be taken */
    g_assert_cmpint(bring(&d->a, DRIVE_SIZE - TAIL, TAIL, 4), ==, 0);
    must_hold(CLUSTERS - 1, 0, TAIL, 4);
    must_hold(CLUSTERS - 1, TAIL, CLUSTER - TAIL, 0);
    desk_free(d);

    d = desk_new(false);
    dirty = pool_take(d->pool, POOL_FOR_GUEST);
    memset(dirty, 0xee, CLUSTER);
    pool_give(d->pool, dirty);
    g_assert_cmpint(bring(&d->a, DRIVE_SIZE - 512, 512, 5), ==, 0);
    g_assert_cmpint(bring(&d->a, DRIVE_SIZE - TAIL, TAIL - 512, 4), ==, 0);
    must_hold(CLUSTERS - 1, TAIL - 512, 512, 5);
    must_hold(CLUSTERS - 1, TAIL, CLUSTER - TAIL, 0);
    desk_free(d);
}

/* --- more than once ----------------------------------------------------------------------------- */

static void test_twice(void)
{
    struct desk *d = desk_new(false);

    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 1), ==, 0);
    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 2), ==, EIO);
    must_be_refused(&d->a, VMA_PUT_TWICE, 0);
    must_hold(0, 0, CLUSTER, 1);
    g_assert_cmpuint(d->a.news, ==, CLUSTER);
    g_assert_cmpuint(d->a.bytes, ==, 2 * CLUSTER);
    desk_free(d);

    d = desk_new(false);
    g_assert_cmpint(bring(&d->a, CLUSTER, 1024, 1), ==, 0);
    g_assert_cmpint(intake_zeroes(&d->a.source, 512, 2 * CLUSTER), ==, EIO); /* from its second piece on */
    must_be_refused(&d->a, VMA_PUT_TWICE, CLUSTER);
    g_assert_cmpuint(d->a.n_put, ==, 3);
    desk_free(d);
}

static void test_repeat(void)
{
    struct desk *d = desk_new(true);

    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 1), ==, 0);
    g_assert_cmpint(bring(&d->b, 0, CLUSTER, 2), ==, 0);
    g_assert_cmpint(intake_zeroes(&d->b.source, 0, CLUSTER), ==, 0);
    must_hold(0, 0, CLUSTER, 1);
    g_assert_cmpuint(d->b.n_refused, ==, 0);
    g_assert_cmpuint(d->b.bytes, ==, 2 * CLUSTER);
    g_assert_cmpuint(d->b.news, ==, 0);
    desk_free(d);
}

/* Both arrive at once, each in a buffer of its own: the one that is complete first stays. */
static void test_two_sources_at_once(void)
{
    struct desk *d = desk_new(true);
    struct request a = {&d->a, 0, CLUSTER, 0, NULL, 1}, b = {&d->b, 0, CLUSTER, 0, NULL, 2};

    g_assert_cmpint(land(&a, 8192), ==, 0);
    g_assert_cmpint(land(&b, 4096), ==, 0);
    g_assert_true(a.buffer && b.buffer && a.buffer != b.buffer);
    g_assert_cmpint(land(&b, SIZE_MAX), ==, 0);
    g_assert_null(b.buffer);
    must_hold(0, 0, CLUSTER, 2);
    g_assert_cmpint(land(&a, SIZE_MAX), ==, 0);
    must_hold(0, 0, CLUSTER, 2);
    g_assert_cmpuint(d->b.news, ==, CLUSTER);
    g_assert_cmpuint(d->a.news, ==, 0);
    desk_free(d);
}

static void test_two_sources_of_one_cluster(void)
{
    struct desk *d = desk_new(true);

    g_assert_cmpint(bring(&d->a, 0, 4096, 1), ==, 0);
    g_assert_cmpint(bring(&d->b, 4096, CLUSTER - 4096, 2), ==, 0);
    must_hold(0, 0, 4096, 1);
    must_hold(0, 4096, CLUSTER - 4096, 2);
    desk_free(d);
}

static void test_crowded(void)
{
    struct desk *d = desk_new(false);

    for (unsigned i = 0; i < VMA_MAX_PARTIAL; i++)
        g_assert_cmpint(bring(&d->a, i * (uint64_t)CLUSTER, 512, 1), ==, 0);
    g_assert_cmpint(bring(&d->a, 300 * (uint64_t)CLUSTER, 512, 1), ==, EIO);
    must_be_refused(&d->a, VMA_PUT_CROWDED, 300 * (uint64_t)CLUSTER);
    g_assert_cmpint(bring(&d->a, 300 * (uint64_t)CLUSTER, CLUSTER, 1), ==, 0); /* whole ones still come */
    g_assert_cmpuint(d->a.news, ==, VMA_MAX_PARTIAL * 512 + CLUSTER);
    desk_free(d);
}

static void test_reset(void)
{
    struct desk *d = desk_new(false);

    g_assert_cmpint(bring(&d->a, 0, 512, 1), ==, 0);
    g_assert_cmpuint(pool_free_count(d->pool), ==, BUFFERS - 1);
    intake_reset(&d->in, 2 * CLUSTER, true);
    g_assert_cmpuint(pool_free_count(d->pool), ==, BUFFERS);
    g_assert_cmpuint(intake_missing(&d->in), ==, 2);
    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 1), ==, 0);
    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 1), ==, 0); /* it may repeat now */
    desk_free(d);
}

/* --- not wanted, or no room --------------------------------------------------------------------- */

static void test_nobodys(void)
{
    struct desk *d = desk_new(false);

    d->a.is_nobodys = true;
    g_assert_null(intake_buffer(&d->a.source));
    g_assert_cmpint(bring_in_portions(&d->a, 512, 3 * CLUSTER, 1, 4096), ==, 0);
    g_assert_cmpint(intake_zeroes(&d->a.source, 0, 4 * CLUSTER), ==, 0);
    g_assert_cmpuint(intake_missing(&d->in), ==, CLUSTERS);
    g_assert_cmpuint(d->a.n_put + d->a.n_without_buffer + d->a.n_refused, ==, 0);
    d->a.source.policy = &drops;
    g_assert_cmpint(bring(&d->a, 0, CLUSTER, 1), ==, 0);
    desk_free(d);
}

static void test_nobodys_from_its_midst_on(void)
{
    struct desk *d = desk_new(false);
    struct request r = {&d->a, 0, 2 * CLUSTER, 0, NULL, 1};

    g_assert_cmpint(land(&r, 4096), ==, 0);
    d->a.is_nobodys = true;
    g_assert_cmpint(land(&r, SIZE_MAX), ==, 0);
    g_assert_null(r.buffer);
    g_assert_cmpuint(pool_free_count(d->pool), ==, BUFFERS);
    g_assert_cmpint(land(&r, SIZE_MAX), ==, 0);
    g_assert_false(lane.is_held[0] || lane.is_held[1]);
    desk_free(d);
}

/* Its payload is taken, and refused when it has come; where it is given up, it is thrown away. */
static void test_no_buffer(void)
{
    struct desk *d = desk_new(false);
    struct request r = {&d->a, 0, 2 * CLUSTER, 0, NULL, 1};

    leave_free(d, 0);
    g_assert_cmpint(land(&r, 4096), ==, 0);
    g_assert_cmpuint(d->a.n_without_buffer, ==, 0);
    g_assert_cmpint(land(&r, SIZE_MAX), ==, EIO);
    g_assert_cmpuint(d->a.n_without_buffer, ==, 1);
    g_assert_cmpint(intake_zeroes(&d->a.source, 0, CLUSTER), ==, 0); /* they need none */
    d->a.gives_up = true;
    g_assert_cmpint(bring(&d->a, CLUSTER, 2 * CLUSTER, 1), ==, 0);
    g_assert_cmpuint(d->a.n_without_buffer, ==, 2);
    g_assert_cmpuint(intake_missing(&d->in), ==, CLUSTERS - 1);
    desk_free(d);
}

/* One that is free again when its first bytes have been thrown away comes too late: they would be missing. */
static void test_buffer_too_late(void)
{
    struct desk *d = desk_new(false);
    struct request r = {&d->a, 0, CLUSTER, 0, NULL, 1};

    leave_free(d, 0);
    g_assert_cmpint(land(&r, 4096), ==, 0);
    pool_give(d->pool, d->hidden[--d->n_hidden]);
    g_assert_cmpint(land(&r, SIZE_MAX), ==, EIO);
    g_assert_false(lane.is_held[0]);
    desk_free(d);
}

static void test_no_buffer_and_no_policy(void)
{
    struct desk *d = desk_new(false);
    void *buffer = NULL;
    size_t room;

    d->a.source.policy = &drops;
    leave_free(d, 0);
    g_assert_null(intake_room(&d->a.source, 0, CLUSTER, 0, &buffer, &room));
    desk_free(d);
}

/* A job leaves those of the guest's writes. */
static void test_purpose(void)
{
    struct desk *d = desk_new(false);
    unsigned n_reserved = 0;

    for (uint8_t *buffer; (buffer = intake_buffer(&d->b.source));)
        d->hidden[d->n_hidden++] = buffer;
    for (uint8_t *buffer; (buffer = intake_buffer(&d->a.source)); n_reserved++)
        d->hidden[d->n_hidden++] = buffer;
    g_assert_cmpuint(n_reserved, >, 0);
    g_assert_cmpuint(d->n_hidden, ==, BUFFERS);
    desk_free(d);
}

/* --- zeros -------------------------------------------------------------------------------------- */

static void test_zeroes(void)
{
    struct desk *d = desk_new(false);

    g_assert_cmpint(intake_zeroes(&d->a.source, 100, 512), ==, EINVAL);
    g_assert_cmpint(intake_zeroes(&d->a.source, 0, 700), ==, EINVAL);
    g_assert_cmpuint(d->a.n_put, ==, 0);
    g_assert_cmpint(bring(&d->a, 0, 4096, 1), ==, 0);
    g_assert_cmpint(intake_zeroes(&d->a.source, 4096, 3 * CLUSTER - 512 - 4096), ==, 0);
    must_hold(0, 0, 4096, 1);
    must_hold(0, 4096, CLUSTER - 4096, 0);
    g_assert_true(lane.is_held[1] && !lane.data[1]);
    g_assert_false(lane.is_held[2]);
    g_assert_cmpint(bring(&d->a, 3 * CLUSTER - 512, 512, 2), ==, 0);
    must_hold(2, 0, CLUSTER - 512, 0);
    must_hold(2, CLUSTER - 512, 512, 2);
    g_assert_cmpuint(d->a.news, ==, 4096 + 512);
    desk_free(d);
}

static void test_zeroes_to_the_end(void)
{
    struct desk *d = desk_new(false);

    g_assert_cmpint(intake_zeroes(&d->a.source, 0, DRIVE_SIZE), ==, 0);
    g_assert_cmpuint(intake_missing(&d->in), ==, 0);
    g_assert_cmpuint(d->a.bytes, ==, DRIVE_SIZE);
    g_assert_cmpuint(d->a.news, ==, 0);
    g_assert_cmpuint(d->a.last_end, ==, DRIVE_SIZE);
    g_assert_cmpuint(lane.n_data, ==, 0);
    desk_free(d);
}

/* What is held stays, and what has come of a cluster is joined with them. */
static void test_zeroes_around_others(void)
{
    struct desk *d = desk_new(true);

    g_assert_cmpint(bring(&d->a, CLUSTER, CLUSTER, 1), ==, 0);
    g_assert_cmpint(bring(&d->a, 3 * CLUSTER, 4096, 0), ==, 0);
    g_assert_cmpint(intake_zeroes(&d->b.source, 0, 4 * CLUSTER), ==, 0);
    g_assert_cmpuint(intake_missing(&d->in), ==, CLUSTERS - 4);
    must_hold(1, 0, CLUSTER, 1);
    must_hold(3, 0, CLUSTER, 0);
    g_assert_true(lane.is_held[0] && !lane.data[0] && lane.is_held[2] && !lane.data[2]);
    g_assert_cmpuint(d->b.bytes, ==, 4 * CLUSTER);
    g_assert_cmpuint(d->b.n_refused, ==, 0);
    desk_free(d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/intake/check", test_check);
    g_test_add_func("/intake/landing", test_landing);
    g_test_add_func("/intake/cluster-in-pieces", test_cluster_in_pieces);
    g_test_add_func("/intake/whole-buffer", test_whole_buffer);
    g_test_add_func("/intake/short-last-cluster", test_short_last_cluster);
    g_test_add_func("/intake/twice", test_twice);
    g_test_add_func("/intake/repeat", test_repeat);
    g_test_add_func("/intake/two-sources-at-once", test_two_sources_at_once);
    g_test_add_func("/intake/two-sources-of-one-cluster", test_two_sources_of_one_cluster);
    g_test_add_func("/intake/crowded", test_crowded);
    g_test_add_func("/intake/reset", test_reset);
    g_test_add_func("/intake/nobodys", test_nobodys);
    g_test_add_func("/intake/nobodys-from-its-midst-on", test_nobodys_from_its_midst_on);
    g_test_add_func("/intake/buffer-too-late", test_buffer_too_late);
    g_test_add_func("/intake/no-buffer", test_no_buffer);
    g_test_add_func("/intake/no-buffer-and-no-policy", test_no_buffer_and_no_policy);
    g_test_add_func("/intake/purpose", test_purpose);
    g_test_add_func("/intake/zeroes", test_zeroes);
    g_test_add_func("/intake/zeroes-to-the-end", test_zeroes_to_the_end);
    g_test_add_func("/intake/zeroes-around-others", test_zeroes_around_others);
    return g_test_run();
}
