// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is asked for of drives that are pulled, and when. Connections are a fake that keeps what is asked for until the
 * test answers it; so is the writer's lane, which drops what it is given.
 */
#include <errno.h>
#include <string.h>
#include "archive/intake.h"
#include "archive/writer.h"
#include "pull/pull.h"
#include "pull/puller.h"
#include "vhost/front_uv.h"
#include "vma/bitmap.h"

#define CLUSTER  VMA_CLUSTER_SIZE
#define BUFFERS  400
#define REQUEST  8  /* clusters */
#define AT_ONCE  64 /* clusters in flight over all drives */
#define N_DRIVES 2

/* --- the writer's lane -------------------------------------------------------------------------- */

struct writer_lane {
    struct pool *pool;
    uint64_t n_zeroes; /* that were not read */
};

static struct writer_lane lane;

struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate)
{
    return &lane;
}

void writer_set_size(struct writer_lane *l, uint64_t size)
{
}

void writer_add(struct writer_lane *l, uint32_t cluster, uint8_t *data)
{
    g_assert_true(!data || (data[0] == 7 && (data[CLUSTER - 1] == 7 || data[CLUSTER - 1] == 0)));
    l->n_zeroes += !data;
    pool_give(l->pool, data);
}

void writer_add_zeroes(struct writer_lane *l, uint32_t cluster, uint32_t n)
{
    l->n_zeroes += n;
}

/* --- the connection ----------------------------------------------------------------------------- */

struct request {
    uint64_t offset;
    uint32_t len;
    uint8_t *buffers[REQUEST];
    void *tag;
};

struct vhost_front {
    GArray *asked; /* struct request, not answered */
    unsigned n_asked;
};

bool vhost_read(struct vhost_front *f, uint64_t offset, uint32_t len, uint8_t *const *buffers, void *tag)
{
    struct request r = {.offset = offset, .len = len, .tag = tag};
    unsigned n = (len + CLUSTER - 1) / CLUSTER;

    g_assert_cmpuint(n, <=, REQUEST);
    g_assert_cmpuint(offset % CLUSTER, ==, 0);
    memcpy(r.buffers, buffers, n * sizeof *buffers);
    g_array_append_val(f->asked, r);
    f->n_asked++;
    return true;
}

unsigned vhost_room(const struct vhost_front *f)
{
    return 100;
}

unsigned vhost_max_clusters(const struct vhost_front *f)
{
    return 16;
}

/* --- two drives --------------------------------------------------------------------------------- */

struct drive {
    struct intake in;
    struct intake_source source;
    struct vhost_front front;
    struct pull *p;
    bool is_nobodys, is_done, is_image_gone;
    char *why;
};

struct desk {
    uv_loop_t loop;
    struct pool *pool;
    struct puller *all;
    struct drive d[N_DRIVES];
    uint64_t beside, room;
    struct vma_bitmap *zeroes, *unchanged; /* of the first drive */
    unsigned n_starved;
};

static bool is_nobodys(void *user)
{
    return ((struct drive *)user)->is_nobodys;
}

static void on_refused(void *user, uint64_t offset, enum vma_put why)
{
    g_assert_not_reached();
}

static void on_put(void *user, uint64_t end, uint32_t len, bool is_news)
{
}

static void on_done(void *user)
{
    struct drive *d = user;

    g_assert_false(d->is_done);
    d->is_done = true;
}

static void on_failed(void *user, const char *why, bool is_image_gone)
{
    struct drive *d = user;

    g_assert_false(d->is_done || d->why);
    d->why = g_strdup(why);
    d->is_image_gone = is_image_gone;
}

static uint64_t beside_bytes(void *user)
{
    return ((struct desk *)user)->beside;
}

static uint64_t room(void *user)
{
    return ((struct desk *)user)->room;
}

static void on_starved(void *user)
{
    ((struct desk *)user)->n_starved++;
}

static const struct intake_policy policy = {.is_nobodys = is_nobodys, .on_refused = on_refused, .on_put = on_put};
static const struct pull_events pull_events = {.on_done = on_done, .on_failed = on_failed};
static const struct puller_events puller_events = {
    .beside_bytes = beside_bytes, .room = room, .on_starved = on_starved};

static void desk_up(struct desk *k, gconstpointer unused)
{
    uv_loop_init(&k->loop);
    k->pool = lane.pool = pool_new(BUFFERS, NULL);
    k->room = 1000;
    lane.n_zeroes = 0;
    k->all = puller_new(&k->loop, k->pool, &puller_events, k);
    for (unsigned i = 0; i < N_DRIVES; i++) {
        struct drive *d = &k->d[i];
        d->in.pool = k->pool;
        d->front.asked = g_array_new(FALSE, FALSE, sizeof(struct request));
        d->source = (struct intake_source){&d->in, &policy, POOL_FOR_JOB, d};
        d->p = pull_new(k->all, &d->source, &pull_events, d);
    }
}

/* Every buffer has come back. */
static void desk_down(struct desk *k, gconstpointer unused)
{
    for (unsigned i = 0; i < N_DRIVES; i++) {
        struct drive *d = &k->d[i];
        for (unsigned j = 0; j < d->front.asked->len; j++)
            pull_taken_back(NULL, g_array_index(d->front.asked, struct request, j).tag);
        g_assert_cmpuint(pull_in_flight(d->p), ==, 0);
        pull_free(d->p);
        intake_clear(&d->in);
        g_array_unref(d->front.asked);
        g_free(d->why);
    }
    g_assert_cmpuint(pool_free_count(k->pool), ==, BUFFERS);
    puller_close(k->all);
    uv_run(&k->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&k->loop), ==, 0);
    puller_free(k->all);
    vma_bitmap_free(k->zeroes);
    vma_bitmap_free(k->unchanged);
    pool_free(k->pool);
}

/* Nothing of it is held. */
static void start(struct desk *k, unsigned i, uint64_t size)
{
    struct drive *d = &k->d[i];

    intake_reset(&d->in, size, true);
    intake_open(&d->in, NULL, 1);
    pull_start(d->p, &(struct pull_image){.front = &d->front,
                                          .size = size,
                                          .may_break = true,
                                          .zeroes = i == 0 ? k->zeroes : NULL,
                                          .unchanged = i == 0 ? k->unchanged : NULL});
    puller_pump(k->all);
}

static const struct request *oldest(const struct drive *d)
{
    g_assert_true(d->front.asked->len);
    return &g_array_index(d->front.asked, struct request, 0);
}

static void must_ask(const struct drive *d, uint64_t cluster, unsigned n)
{
    g_assert_cmpuint(oldest(d)->offset, ==, cluster * CLUSTER);
    g_assert_cmpuint(oldest(d)->len, ==, n * CLUSTER);
}

/* The oldest request. */
static void answer(struct drive *d, int error)
{
    struct request r = *oldest(d);

    g_array_remove_index(d->front.asked, 0);
    for (uint32_t at = 0; at < r.len && !error; at += CLUSTER)
        memset(r.buffers[at / CLUSTER], 7, CLUSTER);
    pull_read_ended(r.tag, error);
}

static void answer_all(struct drive *d)
{
    while (d->front.asked->len)
        answer(d, 0);
}

/* The filter brings it. */
static void bring(struct drive *d, uint64_t cluster)
{
    g_assert_cmpint(intake_put(&d->source, cluster * CLUSTER, CLUSTER, NULL), ==, 0);
}

/* --- what is asked for -------------------------------------------------------------------------- */

static void test_whole_drive(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    start(k, 0, 200 * CLUSTER + 512); /* what lies behind its end is zero */
    must_ask(d, 0, REQUEST);
    while (d->front.asked->len) {
        g_assert_cmpuint(pull_in_flight(d->p), <, AT_ONCE + REQUEST);
        answer(d, 0);
    }
    g_assert_true(d->is_done);
    g_assert_cmpuint(intake_missing(&d->in), ==, 0);
    g_assert_cmpuint(d->front.n_asked, <=, 200 / REQUEST + 200 / VMA_CLUSTERS_PER_EXTENT + 1);
    puller_on_tick(k->all); /* that is told once */
}

/* A whole extent of one, then the other. */
static void test_turns(struct desk *k, gconstpointer unused)
{
    for (unsigned i = 0; i < N_DRIVES; i++) {
        pull_pause(k->d[i].p, true);
        start(k, i, 200 * CLUSTER);
    }
    for (unsigned i = 0; i < N_DRIVES; i++)
        pull_pause(k->d[i].p, false);
    puller_pump(k->all);
    g_assert_cmpuint(MAX(pull_in_flight(k->d[0].p), pull_in_flight(k->d[1].p)), ==, VMA_CLUSTERS_PER_EXTENT);
    g_assert_cmpuint(MIN(pull_in_flight(k->d[0].p), pull_in_flight(k->d[1].p)), ==, REQUEST);
}

static void test_held(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    pull_pause(d->p, true);
    start(k, 0, 10 * CLUSTER);
    bring(d, 0);
    bring(d, 5);
    pull_pause(d->p, false);
    puller_pump(k->all);
    must_ask(d, 1, 4);
    answer(d, 0);
    must_ask(d, 6, 4);
    answer(d, 0);
    g_assert_true(d->is_done);
}

static void test_filter_brings_the_last(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    pull_pause(d->p, true);
    start(k, 0, 2 * CLUSTER);
    bring(d, 0);
    bring(d, 1);
    puller_on_tick(k->all);
    g_assert_true(d->is_done);
    g_assert_cmpuint(d->front.n_asked, ==, 0);
}

/* --- what need not be asked for ----------------------------------------------------------------- */

static void know_zeroes(struct desk *k, uint64_t first, uint64_t n)
{
    if (!k->zeroes)
        k->zeroes = vma_bitmap_new(UINT64_C(1) << 28);
    g_assert_cmpuint(vma_bitmap_set_clear(k->zeroes, first, n), ==, n);
}

/* Requests end where they begin, and go on behind them. */
static void test_zeroes(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    know_zeroes(k, 2, 3);
    know_zeroes(k, 10, 2);
    start(k, 0, 11 * CLUSTER + 512);
    must_ask(d, 0, 2);
    answer(d, 0);
    must_ask(d, 5, 5);
    answer(d, 0);
    g_assert_true(d->is_done);
    g_assert_cmpuint(d->front.n_asked, ==, 2);
    g_assert_cmpuint(lane.n_zeroes, ==, 3 + 2);
}

/* 16 TiB, in portions, and nothing else until there is room. */
static void test_only_zeroes(struct desk *k, gconstpointer unused)
{
    const uint64_t n = UINT64_C(1) << 28;
    struct drive *d = &k->d[0];

    know_zeroes(k, 0, n);
    k->room = 0;
    start(k, 0, n * CLUSTER);
    g_assert_cmpuint(lane.n_zeroes, ==, 0);
    k->room = 1 << 20;
    pull_set_rate(d->p, 1);
    puller_pump(k->all);
    puller_on_tick(k->all);
    g_assert_true(d->is_done);
    g_assert_cmpuint(lane.n_zeroes, ==, n);
    g_assert_cmpuint(intake_missing(&d->in), ==, 0);
    g_assert_cmpuint(d->front.n_asked, ==, 0);
}

/* What the guest writes there comes by the filter first, and stays; another try at the same instant knows them, too. */
static void test_zeroes_that_are_held(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    know_zeroes(k, 0, 8);
    pull_pause(d->p, true);
    start(k, 0, 16 * CLUSTER);
    bring(d, 3);
    pull_pause(d->p, false);
    puller_pump(k->all);
    must_ask(d, 8, REQUEST);
    g_assert_cmpuint(lane.n_zeroes, ==, 7 + 1);
    pull_stop(d->p);
    answer_all(d);
    pull_start(d->p, &(struct pull_image){.front = &d->front, .size = 16 * CLUSTER, .zeroes = k->zeroes});
    puller_on_tick(k->all);
    g_assert_true(d->is_done);
    g_assert_cmpuint(lane.n_zeroes, ==, 7 + 1);
}

/* Only what has changed is asked for, and when that is here all is done; what the filter brings of the rest may stay.
 */
static void test_unchanged(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    k->unchanged = vma_bitmap_new(33);
    g_assert_cmpuint(vma_bitmap_set_clear(k->unchanged, 0, 4), ==, 4);
    g_assert_cmpuint(vma_bitmap_set_clear(k->unchanged, 8, 24), ==, 24);
    pull_pause(d->p, true);
    start(k, 0, 32 * CLUSTER + 512);
    bring(d, 1);
    bring(d, 5);
    pull_pause(d->p, false);
    puller_pump(k->all);
    must_ask(d, 4, 1);
    answer(d, 0);
    must_ask(d, 6, 2);
    answer(d, EIO); /* each alone, then, and nothing else again */
    answer(d, 0);
    g_assert_false(d->is_done || d->why);
    must_ask(d, 6, 1);
    answer_all(d);
    g_assert_true(d->is_done);
    g_assert_cmpuint(d->front.n_asked, ==, 3 + 2);
    g_assert_cmpuint(intake_missing(&d->in), ==, 33 - 5 - 1);
}

/* Nothing at all. */
static void test_all_unchanged(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    k->unchanged = vma_bitmap_new(10);
    g_assert_cmpuint(vma_bitmap_set_clear(k->unchanged, 0, 10), ==, 10);
    start(k, 0, 10 * CLUSTER);
    puller_on_tick(k->all);
    g_assert_true(d->is_done);
    g_assert_cmpuint(d->front.n_asked, ==, 0);
}

/* --- what holds it back ------------------------------------------------------------------------- */

static void test_pause(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    start(k, 0, 200 * CLUSTER);
    pull_pause(d->p, true);
    answer_all(d);
    g_assert_cmpuint(d->front.n_asked, ==, 9); /* a turn, and the first of the next */
    pull_pause(d->p, false);
    puller_pump(k->all);
    g_assert_cmpuint(d->front.n_asked, >, 8);
}

/* A drive that is cancelled, or stopped, reads no more, and has no end of its own. */
static void test_unwanted(struct desk *k, gconstpointer unused)
{
    for (unsigned i = 0; i < N_DRIVES; i++) {
        struct drive *d = &k->d[i];
        unsigned n;
        start(k, i, 10 * CLUSTER);
        n = d->front.n_asked;
        if (i == 0)
            d->is_nobodys = true;
        else
            pull_stop(d->p);
        answer_all(d);
        puller_on_tick(k->all);
        g_assert_cmpuint(d->front.n_asked, ==, n);
        g_assert_false(d->is_done || d->why);
    }
}

static void test_no_buffers(struct desk *k, gconstpointer unused)
{
    uint8_t *hidden[BUFFERS - 200];

    for (unsigned i = 0; i < G_N_ELEMENTS(hidden); i++)
        hidden[i] = pool_take(k->pool, POOL_FOR_GUEST);
    start(k, 0, 10 * CLUSTER);
    g_assert_cmpuint(k->d[0].front.n_asked, ==, 0);
    g_assert_cmpuint(k->n_starved, >, 0);
    g_assert_true(puller_is_starved(k->all));
    for (unsigned i = 0; i < G_N_ELEMENTS(hidden); i++)
        pool_give(k->pool, hidden[i]);
    puller_pump(k->all);
    g_assert_cmpuint(k->d[0].front.n_asked, >, 0);
    g_assert_false(puller_is_starved(k->all));
}

/* The timer asks for what a limit lets pass, without anybody's word. */
static void test_rate(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    pull_set_rate(d->p, 1 << 20);
    start(k, 0, 10 * CLUSTER);
    must_ask(d, 0, 1);
    g_assert_cmpuint(d->front.n_asked, ==, 1);
    while (d->front.n_asked == 1)
        uv_run(&k->loop, UV_RUN_ONCE);
}

/* What comes beside the drives counts for all, what the filter brings for its drive, too. */
static void test_beside(struct desk *k, gconstpointer unused)
{
    puller_set_rate(k->all, 1 << 20);
    k->beside = UINT64_C(1) << 40;
    start(k, 0, 10 * CLUSTER);
    g_assert_cmpuint(k->d[0].front.n_asked, ==, 0);
    puller_set_rate(k->all, 0);
    puller_pump(k->all);
    g_assert_cmpuint(k->d[0].front.n_asked, >, 0);
    pull_set_rate(k->d[1].p, 1 << 20);
    pull_count(k->d[1].p, UINT64_C(1) << 40);
    start(k, 1, 10 * CLUSTER);
    g_assert_cmpuint(k->d[1].front.n_asked, ==, 0);
}

/* --- what cannot be read ------------------------------------------------------------------------ */

/* Of 20 clusters the first request fails: when the others are through, each of its clusters is asked for alone. Up to
 * the moment when the fourth cannot be read, and nothing else is in flight. */
static void read_bad(struct desk *k)
{
    struct drive *d = &k->d[0];

    start(k, 0, 20 * CLUSTER);
    g_assert_cmpuint(d->front.asked->len, ==, 3);
    answer(d, EIO);
    answer(d, 0);
    g_assert_cmpuint(d->front.asked->len, ==, 1);
    answer(d, 0);
    for (unsigned i = 0; i < REQUEST; i++) {
        must_ask(d, i, 1);
        answer(d, i == 3 ? EIO : 0);
    }
}

static void test_bad_cluster(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    read_bad(k);
    must_ask(d, 7, 1); /* it could be read */
    g_assert_null(d->why);
    answer(d, 0);
    g_assert_cmpstr(d->why, ==, "read error at 192K (offset 196608)");
    g_assert_false(d->is_image_gone);
}

/* Asked for alone because its neighbours are held, it has its second chance like any other. */
static void test_lone_cluster(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    pull_pause(d->p, true);
    start(k, 0, 3 * CLUSTER);
    bring(d, 0);
    bring(d, 2);
    pull_pause(d->p, false);
    puller_pump(k->all);
    must_ask(d, 1, 1);
    answer(d, EIO);
    must_ask(d, 1, 1);
    answer(d, 0);
    g_assert_true(d->is_done && !d->why);
}

static void test_broken_image(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    read_bad(k);
    answer(d, EIO);
    g_assert_true(d->why && d->is_image_gone);
}

/* By the next connection all is asked for once more that is not held. */
static void test_started_again(struct desk *k, gconstpointer unused)
{
    struct drive *d = &k->d[0];

    test_bad_cluster(k, NULL);
    pull_start(d->p, &(struct pull_image){.front = &d->front, .size = 20 * CLUSTER});
    g_clear_pointer(&d->why, g_free);
    puller_on_tick(k->all);
    must_ask(d, 3, 1);
    answer(d, EIO);
    must_ask(d, 3, 1);
    answer(d, EIO); /* what cannot break is not doubted */
    g_assert_true(d->why && !d->is_image_gone);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, f) g_test_add("/pull/" path, struct desk, NULL, desk_up, f, desk_down)
    ADD("whole-drive", test_whole_drive);
    ADD("turns", test_turns);
    ADD("held", test_held);
    ADD("filter-brings-the-last", test_filter_brings_the_last);
    ADD("zeroes", test_zeroes);
    ADD("only-zeroes", test_only_zeroes);
    ADD("zeroes-that-are-held", test_zeroes_that_are_held);
    ADD("unchanged", test_unchanged);
    ADD("all-unchanged", test_all_unchanged);
    ADD("pause", test_pause);
    ADD("unwanted", test_unwanted);
    ADD("no-buffers", test_no_buffers);
    ADD("rate", test_rate);
    ADD("beside", test_beside);
    ADD("bad-cluster", test_bad_cluster);
    ADD("lone-cluster", test_lone_cluster);
    ADD("broken-image", test_broken_image);
    ADD("started-again", test_started_again);
    return g_test_run();
}
