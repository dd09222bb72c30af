// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is asked for, and when: each drive from its begin to its end, but for what its filter has brought; a few drives
 * at a time; as much as there are buffers, and as fast as limits let.
 *
 * A request has up to 8 clusters, each read into a buffer of its own. One that fails is asked for again cluster by
 * cluster. If a single cluster cannot be read, one that could be – by us or by the filter – is read once more: fails
 * that too, then not the disk is bad there, but the frozen image is gone.
 */
#include "backup/pull.h"

#include <string.h>
#include "archive/vmstate.h"
#include "backup/run.h"
#include "base/units.h"
#include "vhost/front_uv.h"
#include "vhost/memory.h"
#include "vma/extent.h"

#define REQUEST_CLUSTERS 8                       /* 512 KiB: measured, see docs/performance.md */
#define IN_FLIGHT        64                      /* clusters over all drives */
#define TURN_CLUSTERS    VMA_CLUSTERS_PER_EXTENT /* so that not every drive has one half full */
#define NS_PER_MS        1000000

struct pull_request {
    struct drive *d;
    uint64_t offset;
    uint32_t len;
    unsigned n; /* clusters */
    bool is_probe;
    uint8_t *buffers[REQUEST_CLUSTERS];
};

/* --- life --------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    pull_pump(timer->data);
}

void pull_init(struct backup *b)
{
    uv_timer_init(b->loop, &b->pulls.timer);
    b->pulls.timer.data = b;
}

void pull_close(struct backup *b)
{
    uv_close((uv_handle_t *)&b->pulls.timer, NULL);
}

bool pull_prepare(struct backup *b, GError **error)
{
    unsigned n_buffers = pool_total(b->archive.pool), n_pulled = 0;

    for_each_drive (d, b) {
        n_pulled += d->is_pulled;
        d->job.is_at_rest = d->is_pulled; /* nothing was asked for */
    }
    b->jobs.n = b->drives->len - n_pulled;
    if (!n_pulled)
        return true;
    b->pulls.memory = vhost_memory_new((size_t)n_buffers * VMA_CLUSTER_SIZE, b->drives->len, error);
    if (!b->pulls.memory)
        return false;
    pool_free(b->archive.pool);
    b->archive.pool = pool_new(n_buffers, vhost_memory_pool(b->pulls.memory));
    for_each_drive (d, b)
        d->intake.pool = b->archive.pool;
    return true;
}

void pull_start(struct drive *d)
{
    d->pull.next = d->pull.single_until = 0;
    d->pull.rewind = d->pull.failed = d->pull.good = PULL_NOWHERE;
    d->pull.is_probing = false;
    if (!d->is_guarded)
        drive_take_instant(d);
    d->job.state = JOB_RUNNING;
    d->job.is_at_rest = true;
    d->job.moved_ms = uv_now(d->b->loop);
}

/* --- limits ------------------------------------------------------------------------------------- */

/* What the budget leaves when QEMU's own jobs have their shares. */
static uint64_t rate_of_all(const struct backup *b)
{
    uint64_t jobs = 0;

    for_each_drive (d, b) {
        if (!d->is_pulled && d->job.state == JOB_RUNNING)
            jobs += d->limit.pace.share;
    }
    return b->limits.pot.budget ? MAX(b->limits.pot.budget - MIN(b->limits.pot.budget, jobs), 1) : 0;
}

void pull_set_rates(struct backup *b)
{
    uint64_t now = uv_hrtime();

    if (!b->pulls.memory)
        return;
    tokens_set_rate(&b->pulls.tokens, rate_of_all(b), now);
    for_each_drive (d, b) {
        if (d->is_pulled)
            tokens_set_rate(&d->pull.tokens, d->limit.pace.own, now);
    }
    pull_pump(b);
}

void pull_take_tokens(struct drive *d, uint64_t bytes)
{
    tokens_take(&d->pull.tokens, bytes);
    tokens_take(&d->b->pulls.tokens, bytes);
}

/* It cannot be slowed: the drives make room for it. */
static void count_ram(struct backup *b)
{
    uint64_t bytes = b->ram.vmstate && b->ram.method == RAM_BACKGROUND ? vmstate_bytes(b->ram.vmstate) : 0;

    if (bytes > b->pulls.ram_bytes)
        tokens_take(&b->pulls.tokens, bytes - b->pulls.ram_bytes);
    b->pulls.ram_bytes = bytes;
}

static bool do_limits_let(struct drive *d, uint64_t now)
{
    struct pulls *all = &d->b->pulls;
    uint64_t wait = MAX(tokens_wait_ns(&all->tokens, now), tokens_wait_ns(&d->pull.tokens, now));

    if (wait)
        all->wait_ns = MIN(all->wait_ns, wait);
    return !wait;
}

/* In clusters. */
static unsigned portion_of(const struct drive *d)
{
    uint64_t most = (uint64_t)REQUEST_CLUSTERS * VMA_CLUSTER_SIZE;

    most = tokens_portion(&d->b->pulls.tokens, VMA_CLUSTER_SIZE, most);
    most = tokens_portion(&d->pull.tokens, VMA_CLUSTER_SIZE, most);
    if (d->pull.next < d->pull.single_until)
        return 1;
    return MIN((unsigned)(most / VMA_CLUSTER_SIZE), vhost_max_clusters(d->pull.front));
}

/* --- asking ------------------------------------------------------------------------------------- */

static bool is_held(const struct drive *d, uint64_t offset)
{
    return vma_assemble_holds(d->intake.clusters, offset, 1);
}

static void skip_what_is_held(struct drive *d)
{
    while (d->pull.next < d->size && is_held(d, d->pull.next))
        d->pull.next += VMA_CLUSTER_SIZE;
}

/* One that is cancelled may wait long until it is undone: for the monitor, or for others' turns. */
static bool does_read(const struct drive *d)
{
    return d->is_pulled && d->job.state == JOB_RUNNING && d->pull.front && !d->pull.broken && !d->b->is_failing &&
           !drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT);
}

static bool may_ask(struct drive *d)
{
    if (!does_read(d) || d->job.pause_reasons & (PAUSE_OPERATOR | PAUSE_FULL) || d->pull.rewind != PULL_NOWHERE ||
        d->pull.failed != PULL_NOWHERE || !vhost_room(d->pull.front))
        return false;
    skip_what_is_held(d);
    return d->pull.next < d->size;
}

static struct pull_request *request_new(struct drive *d, uint64_t offset)
{
    struct pull_request *r = g_new(struct pull_request, 1);

    r->d = d;
    r->offset = offset;
    r->len = r->n = 0;
    r->is_probe = false;
    return r;
}

static bool add_cluster(struct pull_request *r)
{
    uint8_t *buffer = intake_buffer(&r->d->target.source);

    if (!buffer)
        return false;
    r->buffers[r->n++] = buffer;
    r->len += (uint32_t)MIN(r->d->size - r->offset - r->len, VMA_CLUSTER_SIZE);
    return true;
}

static void give_back(struct pull_request *r)
{
    for (unsigned i = 0; i < r->n; i++)
        pool_give(r->d->b->archive.pool, r->buffers[i]);
}

static bool send_request(struct pull_request *r)
{
    struct drive *d = r->d;

    if (!r->n || !vhost_read(d->pull.front, r->offset, r->len, r->buffers, r)) {
        give_back(r);
        g_free(r);
        return false;
    }
    d->pull.in_flight += r->n;
    d->b->pulls.in_flight += r->n;
    d->job.is_at_rest = false;
    return true;
}

static bool has_credit(const struct backup *b)
{
    return pool_free_count(b->archive.pool) > WRITER_SPOOLS_BELOW + REQUEST_CLUSTERS;
}

/* How many clusters it has asked for. */
static unsigned ask(struct drive *d, unsigned most)
{
    struct pull_request *r = request_new(d, d->pull.next);
    uint64_t end = d->pull.next;
    unsigned n;

    most = MIN(most, portion_of(d));
    while (r->n < most && end < d->size && !is_held(d, end) && add_cluster(r))
        end += VMA_CLUSTER_SIZE;
    n = r->n;
    if (!send_request(r))
        return 0;
    pull_take_tokens(d, end - d->pull.next);
    d->pull.next = end;
    return n;
}

/* Whose turn it is, or the next that can ask; NULL for none. */
static struct drive *drive_in_turn(struct backup *b, uint64_t now)
{
    for (unsigned i = 0; i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, b->pulls.turn % b->drives->len);
        if (b->pulls.left && may_ask(d) && do_limits_let(d, now))
            return d;
        b->pulls.turn++;
        b->pulls.left = TURN_CLUSTERS;
    }
    return NULL;
}

/* Buffers in extents that nobody closes would never come back. */
static void free_buffers(struct backup *b)
{
    if (!b->pulls.in_flight && !writer_queued(b->archive.writer))
        writer_flush(b->archive.writer);
}

static void wait_for_tokens(struct backup *b)
{
    if (b->pulls.wait_ns == UINT64_MAX)
        uv_timer_stop(&b->pulls.timer);
    else
        uv_timer_start(&b->pulls.timer, on_timer, (b->pulls.wait_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

void pull_pump(struct backup *b)
{
    uint64_t now = uv_hrtime();
    struct drive *d = NULL;
    unsigned n;

    if (!b->pulls.memory || !b->archive.writer)
        return;
    count_ram(b);
    b->pulls.wait_ns = UINT64_MAX;
    while (b->pulls.in_flight < IN_FLIGHT && has_credit(b) && (d = drive_in_turn(b, now))) {
        n = ask(d, b->pulls.left);
        if (!n)
            break;
        b->pulls.left -= n;
    }
    b->pulls.is_starved = !has_credit(b);
    if (b->pulls.is_starved)
        free_buffers(b);
    wait_for_tokens(b);
}

/* --- what has come ------------------------------------------------------------------------------ */

/* Takes the buffer. What lies behind the drive's end is zero in the archive. */
static void take_in(struct drive *d, uint64_t offset, uint8_t *buffer)
{
    uint32_t len = (uint32_t)MIN(d->size - offset, VMA_CLUSTER_SIZE);

    memset(buffer + len, 0, VMA_CLUSTER_SIZE - len);
    if (vma_is_zero(buffer, VMA_CLUSTER_SIZE)) {
        pool_give(d->b->archive.pool, buffer);
        tokens_give_back(&d->pull.tokens, len);
        tokens_give_back(&d->b->pulls.tokens, len);
        buffer = NULL;
    }
    intake_put(&d->target.source, offset, len, buffer);
}

static void take_all_in(struct pull_request *r)
{
    for (unsigned i = 0; i < r->n; i++)
        take_in(r->d, r->offset + (uint64_t)i * VMA_CLUSTER_SIZE, r->buffers[i]);
}

static void note_unreadable(struct pull_request *r)
{
    struct pull *p = &r->d->pull;

    if (r->n > 1) {
        p->rewind = MIN(p->rewind, r->offset);
        p->single_until = MAX(p->single_until, r->offset + r->len);
    } else if (r->is_probe) {
        p->good = PULL_NOWHERE;
    } else {
        p->failed = MIN(p->failed, r->offset);
    }
}

/* What could be read, by us or by the filter, can be read again while the image stands. */
static uint64_t place_to_probe(const struct drive *d)
{
    uint64_t last = (d->size - 1) / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE;

    if (!d->is_guarded)
        return PULL_NOWHERE;
    if (d->pull.good != PULL_NOWHERE)
        return d->pull.good;
    for (uint64_t at = d->pull.failed; at > 0; at -= VMA_CLUSTER_SIZE)
        if (is_held(d, at - VMA_CLUSTER_SIZE))
            return at - VMA_CLUSTER_SIZE;
    for (uint64_t at = d->pull.failed; at < d->size; at += VMA_CLUSTER_SIZE)
        if (is_held(d, at))
            return at;
    return last != d->pull.failed ? last : PULL_NOWHERE; /* anywhere else */
}

static void end_with_failure(struct drive *d)
{
    g_autofree char *why = NULL;
    char at[UNITS_LEN];

    if (d->pull.is_probing && d->pull.good == PULL_NOWHERE && !d->doubt)
        d->doubt = g_strdup("the frozen image broke (a write of the guest could not be kept for us in time, or another "
                            "node was put over it)");
    why = g_strdup_printf("read error at %s (offset %" G_GUINT64_FORMAT ")", units_format_size(d->pull.failed, at),
                          d->pull.failed);
    d->b->hooks->drive_read(d, why);
}

static void probe(struct drive *d, uint64_t offset)
{
    struct pull_request *r = request_new(d, offset);

    r->is_probe = true;
    add_cluster(r);
    d->pull.is_probing = send_request(r);
    if (!d->pull.is_probing)
        end_with_failure(d);
}

/* Nothing of the drive is in flight. */
static void settle(struct drive *d)
{
    uint64_t other;

    d->job.is_at_rest = true;
    if (!does_read(d))
        return;
    if (d->pull.failed != PULL_NOWHERE) {
        other = d->pull.is_probing ? PULL_NOWHERE : place_to_probe(d);
        if (other != PULL_NOWHERE)
            probe(d, other);
        else
            end_with_failure(d);
    } else if (d->pull.rewind != PULL_NOWHERE) {
        d->pull.next = d->pull.rewind;
        d->pull.rewind = PULL_NOWHERE;
    } else {
        skip_what_is_held(d);
        if (d->pull.next >= d->size)
            d->b->hooks->drive_read(d, NULL);
    }
}

/* What was left of it the filter has brought since. */
void pull_settle_idle(struct backup *b)
{
    for_each_drive (d, b) {
        if (does_read(d) && !d->pull.in_flight)
            settle(d);
    }
}

void pull_on_read(void *user, void *tag, int error)
{
    struct drive *d = user;
    struct pull_request *r = tag;

    d->pull.in_flight -= r->n;
    d->b->pulls.in_flight -= r->n;
    d->job.moved_ms = uv_now(d->b->loop);
    if (error || r->is_probe)
        give_back(r);
    else
        take_all_in(r);
    if (error)
        note_unreadable(r);
    else
        d->pull.good = r->offset;
    g_free(r);
    if (!d->pull.in_flight)
        settle(d);
    pull_pump(d->b);
}

void pull_taken_back(void *user, void *tag)
{
    struct drive *d = user;
    struct pull_request *r = tag;

    d->pull.in_flight -= r->n;
    d->b->pulls.in_flight -= r->n;
    give_back(r);
    g_free(r);
}
