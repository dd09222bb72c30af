// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose turn it is: a few drives at a time, as much as there are buffers, and as fast as limits let. */
#include "archive/pool.h"
#include "archive/writer.h"
#include "base/each.h"
#include "pull/inside.h"
#include "vma/format.h"

#define IN_FLIGHT     64                      /* clusters over all drives */
#define TURN_CLUSTERS VMA_CLUSTERS_PER_EXTENT /* so that not every drive has one half full */
#define NS_PER_MS     1000000

/* --- life --------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    puller_pump(timer->data);
}

struct puller *puller_new(uv_loop_t *loop, struct pool *pool, const struct puller_events *events, void *user)
{
    struct puller *all = g_new0(struct puller, 1);

    all->pool = pool;
    all->events = events;
    all->user = user;
    all->pulls = g_ptr_array_new();
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
    return all;
}

void puller_close(struct puller *all)
{
    if (all)
        uv_close((uv_handle_t *)&all->timer, NULL);
}

void puller_free(struct puller *all)
{
    if (!all)
        return;
    g_ptr_array_unref(all->pulls);
    g_free(all);
}

/* --- limits ------------------------------------------------------------------------------------- */

void puller_set_rate(struct puller *all, uint64_t bytes_per_s)
{
    if (all)
        tokens_set_rate(&all->tokens, bytes_per_s, uv_hrtime());
}

static void count_beside(struct puller *all)
{
    uint64_t bytes = all->events->beside_bytes(all->user);

    if (bytes > all->beside_bytes)
        tokens_take(&all->tokens, bytes - all->beside_bytes);
    all->beside_bytes = bytes;
}

static bool do_limits_let(struct pull *p, uint64_t now)
{
    uint64_t wait = MAX(tokens_wait_ns(&p->all->tokens, now), tokens_wait_ns(&p->tokens, now));

    if (wait)
        p->all->wait_ns = MIN(p->all->wait_ns, wait);
    return !wait;
}

static void wait_for_tokens(struct puller *all)
{
    if (all->wait_ns == UINT64_MAX)
        uv_timer_stop(&all->timer);
    else
        uv_timer_start(&all->timer, on_timer, (all->wait_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* --- turns -------------------------------------------------------------------------------------- */

static bool has_credit(const struct puller *all)
{
    return pool_free_count(all->pool) > WRITER_SPOOLS_BELOW + PULL_REQUEST_CLUSTERS;
}

/* Whose turn it is, or the next that can ask, which may be the one whose turn has just ended; NULL for none. */
static struct pull *pull_in_turn(struct puller *all, uint64_t now)
{
    unsigned n = all->pulls->len;

    for (unsigned i = 0; n && i <= n; i++) {
        struct pull *p = g_ptr_array_index(all->pulls, all->turn % n);
        if (all->left && pull_may_ask(p) && do_limits_let(p, now))
            return p;
        all->turn++;
        all->left = TURN_CLUSTERS;
    }
    return NULL;
}

void puller_pump(struct puller *all)
{
    uint64_t now = uv_hrtime();
    struct pull *p = NULL;
    unsigned n;

    if (!all)
        return;
    count_beside(all);
    all->wait_ns = UINT64_MAX;
    while (all->in_flight < IN_FLIGHT && has_credit(all) && (p = pull_in_turn(all, now))) {
        n = pull_ask(p, all->left);
        if (!n)
            break;
        all->left -= n;
    }
    all->is_starved = !has_credit(all);
    if (all->is_starved && !all->in_flight)
        all->events->on_starved(all->user);
    wait_for_tokens(all);
}

void puller_on_tick(struct puller *all)
{
    for (unsigned i = 0; all && i < all->pulls->len; i++)
        pull_settle_idle(g_ptr_array_index(all->pulls, i));
    puller_pump(all);
}

bool puller_is_starved(const struct puller *all)
{
    return all && all->is_starved;
}
