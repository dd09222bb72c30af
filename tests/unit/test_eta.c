// SPDX-License-Identifier: GPL-2.0-or-later
/* Forecasts along traces of runs: what is told on the way against how long it took in the end. */
#include <glib.h>

#include "base/eta.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

/* A stretch of a drive: so many bytes, at so many a second. */
struct stretch {
    bool is_data;
    uint64_t bytes, per_s;
};

struct trace {
    struct eta eta;
    const struct stretch *stretches;
    unsigned n;
    uint64_t size, used;  /* of the drive, and what is told of its data beforehand */
    uint64_t data, holes; /* so far */
    uint64_t at, in, now; /* stretch, bytes of it, ms */
};

static void open_trace(struct trace *t, const struct stretch *stretches, unsigned n)
{
    *t = (struct trace){.stretches = stretches, .n = n, .now = 12345};
    for (unsigned i = 0; i < n; i++) {
        t->size += stretches[i].bytes;
        t->used += stretches[i].is_data ? stretches[i].bytes : 0;
    }
    eta_add(&t->eta, 0, 0, t->now);
}

/* 100 ms on; false at the end. Within one of them several stretches may pass. */
static bool go_on(struct trace *t)
{
    double ms = 100;
    while (ms > 0 && t->at < t->n) {
        const struct stretch *s = &t->stretches[t->at];
        uint64_t most = (uint64_t)((double)s->per_s * ms / 1000), bytes = MIN(most, s->bytes - t->in);
        *(s->is_data ? &t->data : &t->holes) += bytes;
        t->in += bytes;
        ms -= s->per_s ? (double)bytes * 1000 / (double)s->per_s : ms;
        if (t->in < s->bytes)
            break;
        t->in = 0;
        t->at++;
    }
    t->now += 100;
    eta_add(&t->eta, t->data, t->holes, t->now);
    return t->at < t->n;
}

static uint64_t told(struct trace *t)
{
    uint64_t data_left, holes_left;
    eta_split(t->size, t->used, t->data, t->holes, &data_left, &holes_left);
    return eta_left_ms(&t->eta, data_left, holes_left, t->now);
}

static uint64_t length_of(const struct trace *t)
{
    struct trace ahead = *t;
    while (go_on(&ahead))
        ;
    return ahead.now - t->now;
}

/* Within so many percent of what it takes. */
static void assert_right(struct trace *t, unsigned percent)
{
    uint64_t is = told(t), truth = length_of(t), gap = is > truth ? is - truth : truth - is;
    if (is == ETA_UNKNOWN || gap > truth * percent / 100 + 1000)
        g_error("after %.1f s: told %.1f s, it takes %.1f s", (double)(t->now - 12345) / 1000, (double)is / 1000,
                (double)truth / 1000);
}

static void run_for(struct trace *t, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 100)
        go_on(t);
}

/* Half of it is holes that come last: by the speed of all bytes so far it would be told twice as long. */
static void test_holes_last(void)
{
    static const struct stretch s[] = {{true, 50 * G, 100 * M}, {false, 50 * G, 20 * G}};
    struct trace t;
    open_trace(&t, s, G_N_ELEMENTS(s));
    run_for(&t, 4900);
    g_assert_cmpuint(told(&t), ==, ETA_UNKNOWN); /* too early */
    run_for(&t, 1000);
    for (unsigned i = 0; i < 8; i++, run_for(&t, 60000))
        assert_right(&t, 15); /* how fast holes pass is a guess yet */
}

/* Holes first: they say nothing of how long the data will take. */
static void test_holes_first(void)
{
    static const struct stretch s[] = {{false, 500 * G, 50 * G}, {true, 50 * G, 100 * M}};
    struct trace t;
    open_trace(&t, s, G_N_ELEMENTS(s));
    run_for(&t, 9000);
    g_assert_cmpuint(told(&t), ==, ETA_UNKNOWN);
    run_for(&t, 4000);
    for (unsigned i = 0; i < 8; i++, run_for(&t, 60000))
        assert_right(&t, 5);
}

/* Both within each second, as most drives are; later in quite another mixture. */
static void test_mixed(void)
{
    struct stretch s[4000];
    struct trace t;
    for (unsigned i = 0; i < G_N_ELEMENTS(s); i += 2) {
        s[i] = (struct stretch){true, i < 2000 ? 8 * M : 40 * M, 100 * M};
        s[i + 1] = (struct stretch){false, i < 2000 ? 200 * M : 20 * M, 10 * G};
    }
    open_trace(&t, s, G_N_ELEMENTS(s));
    run_for(&t, 8000);
    for (unsigned i = 0; i < 5; i++, run_for(&t, 90000))
        assert_right(&t, i < 2 ? 35 : 15);
}

/* Nobody says how much is data: then the rest is like what has come. */
static void test_unknown_use(void)
{
    struct stretch s[400];
    struct trace t;
    for (unsigned i = 0; i < G_N_ELEMENTS(s); i += 2) {
        s[i] = (struct stretch){true, 300 * M, 100 * M};
        s[i + 1] = (struct stretch){false, 5 * G, 5 * G};
    }
    open_trace(&t, s, G_N_ELEMENTS(s));
    t.used = ETA_UNKNOWN;
    run_for(&t, 40000);
    for (unsigned i = 0; i < 8; i++, run_for(&t, 60000))
        assert_right(&t, 20);
    open_trace(&t, s, G_N_ELEMENTS(s));
    t.used = 200 * M; /* less than there is: a drive on top of another image */
    run_for(&t, 40000);
    assert_right(&t, 20);
}

/* A limit is set, and halves the speed: one jump to the new end, within a minute, and calm before and after. */
static void test_slower(void)
{
    static const struct stretch s[] = {{true, 20 * G, 100 * M}, {true, 20 * G, 50 * M}};
    struct trace t;
    unsigned jumps = 0;
    open_trace(&t, s, G_N_ELEMENTS(s));
    t.used = ETA_UNKNOWN;
    run_for(&t, 6000);
    told(&t);
    for (unsigned i = 0; i < 450; i++, run_for(&t, 1000)) {
        uint64_t end = t.eta.end_ms;
        told(&t);
        jumps += t.eta.end_ms != end;
    }
    assert_right(&t, 5);
    g_assert_cmpuint(jumps, <=, 16);
}

/* Speed that swings by a few per cent does not show: it only counts down. */
static void test_calm(void)
{
    struct stretch s[100];
    struct trace t;
    uint64_t last = ETA_UNKNOWN;
    for (unsigned i = 0; i < G_N_ELEMENTS(s); i++)
        s[i] = (struct stretch){true, 300 * M, i % 2 ? 102 * M : 98 * M};
    open_trace(&t, s, G_N_ELEMENTS(s));
    run_for(&t, 6000);
    for (unsigned i = 0; i < 250; i++, run_for(&t, 1000)) {
        uint64_t is = told(&t);
        g_assert_cmpuint(is, <=, last);
        last = is;
    }
}

/* Never "for ever": what stands still has no end. Then it goes on as before. */
static void test_standstill(void)
{
    static const struct stretch s[] = {{true, 2 * G, 100 * M}, {true, M, 100 * 1024}, {true, 2 * G, 100 * M}};
    struct trace t;
    open_trace(&t, s, 1);
    run_for(&t, 10000);
    g_assert_cmpuint(told(&t), !=, ETA_UNKNOWN);
    for (unsigned i = 0; i < 70; i++)
        eta_add(&t.eta, t.data, t.holes, t.now += 100);
    g_assert_cmpuint(told(&t), ==, ETA_UNKNOWN);
    run_for(&t, 100);
    g_assert_cmpuint(told(&t), !=, ETA_UNKNOWN);
    t.now += 600000; /* the host has slept: that is no speed */
    run_for(&t, 1500);
    g_assert_cmpuint(told(&t), <, 30000);
}

/* It begins anew: what was known goes with it. */
static void test_anew(void)
{
    struct eta e = {0};
    for (uint64_t ms = 0; ms <= 10000; ms += 100)
        eta_add(&e, ms * 100, 0, ms);
    g_assert_cmpuint(eta_left_ms(&e, 1000000, 0, 10000), ==, 10000);
    g_assert_cmpuint(eta_left_ms(&e, 0, 0, 10000), ==, 0);
    eta_add(&e, 0, 0, 10100);
    g_assert_cmpuint(eta_left_ms(&e, 1000000, 0, 10100), ==, ETA_UNKNOWN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/eta/holes-last", test_holes_last);
    g_test_add_func("/eta/holes-first", test_holes_first);
    g_test_add_func("/eta/mixed", test_mixed);
    g_test_add_func("/eta/unknown-use", test_unknown_use);
    g_test_add_func("/eta/slower", test_slower);
    g_test_add_func("/eta/calm", test_calm);
    g_test_add_func("/eta/standstill", test_standstill);
    g_test_add_func("/eta/anew", test_anew);
    return g_test_run();
}
