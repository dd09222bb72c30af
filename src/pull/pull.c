// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request has up to 8 clusters, each read into a buffer of its own. One that fails is asked for again, cluster by
 * cluster. If one of these cannot be read, one that could be – by us or by the filter – is read once more: fails
 * that too, then not the disk is bad there, but the frozen image is gone.
 */
#include <string.h>
#include "archive/intake.h"
#include "base/units.h"
#include "pull/inside.h"
#include "vhost/front_uv.h"
#include "vma/bitmap.h"
#include "vma/extent.h"

struct request {
    struct pull *p;
    uint64_t offset;
    uint32_t len;
    unsigned n; /* clusters */
    bool is_probe;
    uint8_t *buffers[PULL_REQUEST_CLUSTERS];
};

/* --- life --------------------------------------------------------------------------------------- */

struct pull *pull_new(struct puller *all, const struct intake_source *source, const struct pull_events *events,
                      void *user)
{
    struct pull *p = g_new0(struct pull, 1);

    p->all = all;
    p->source = source;
    p->events = events;
    p->user = user;
    g_ptr_array_add(all->pulls, p);
    return p;
}

void pull_free(struct pull *p)
{
    if (p)
        g_ptr_array_remove(p->all->pulls, p);
    g_free(p);
}

void pull_start(struct pull *p, const struct pull_image *image)
{
    p->image = *image;
    p->next = p->single_until = 0;
    p->rewind = p->failed = p->good = PULL_NOWHERE;
    p->is_probing = false;
    p->is_started = true;
}

void pull_stop(struct pull *p)
{
    p->is_started = false;
}

void pull_pause(struct pull *p, bool is_paused)
{
    p->is_paused = is_paused;
}

unsigned pull_in_flight(const struct pull *p)
{
    return p->in_flight;
}

/* --- limits ------------------------------------------------------------------------------------- */

void pull_set_rate(struct pull *p, uint64_t bytes_per_s)
{
    tokens_set_rate(&p->tokens, bytes_per_s, uv_hrtime());
}

void pull_count(struct pull *p, uint64_t bytes)
{
    tokens_take(&p->tokens, bytes);
    tokens_take(&p->all->tokens, bytes);
}

/* In clusters. */
static unsigned portion_of(const struct pull *p)
{
    uint64_t most = (uint64_t)PULL_REQUEST_CLUSTERS * VMA_CLUSTER_SIZE;

    most = tokens_portion(&p->all->tokens, VMA_CLUSTER_SIZE, most);
    most = tokens_portion(&p->tokens, VMA_CLUSTER_SIZE, most);
    if (p->next < p->single_until)
        return 1;
    return MIN((unsigned)(most / VMA_CLUSTER_SIZE), vhost_max_clusters(p->image.front));
}

/* --- asking ------------------------------------------------------------------------------------- */

static bool is_held(const struct pull *p, uint64_t offset)
{
    return vma_assemble_holds(p->source->intake->clusters, offset, 1);
}

static void skip_what_is_held(struct pull *p)
{
    uint64_t cluster = vma_assemble_next_missing(p->source->intake->clusters, p->next / VMA_CLUSTER_SIZE);

    p->next = cluster * VMA_CLUSTER_SIZE;
}

static bool is_zero(const struct pull *p, uint64_t offset)
{
    return p->image.zeroes && vma_bitmap_get(p->image.zeroes, offset / VMA_CLUSTER_SIZE);
}

static bool is_unchanged(const struct pull *p, uint64_t offset)
{
    return p->image.unchanged && vma_bitmap_get(p->image.unchanged, offset / VMA_CLUSTER_SIZE);
}

static void skip_what_is_unchanged(struct pull *p)
{
    if (p->next < p->image.size && is_unchanged(p, p->next))
        p->next = vma_bitmap_next_clear(p->image.unchanged, p->next / VMA_CLUSTER_SIZE, UINT64_MAX) * VMA_CLUSTER_SIZE;
}

/* As many clusters of zeros as there is room for. */
static void take_zeroes(struct pull *p)
{
    uint64_t first = p->next / VMA_CLUSTER_SIZE, room = p->all->events->room(p->all->user);
    uint64_t end = vma_bitmap_next_clear(p->image.zeroes, first, first + room) * VMA_CLUSTER_SIZE;

    intake_zeroes(p->source, p->next, MIN(end, p->image.size) - p->next);
    p->next = end;
}

/* To the next cluster that is to be read. False: first there has to be room for zeros. */
static bool advance(struct pull *p)
{
    uint64_t before;

    do {
        skip_what_is_held(p);
        before = p->next;
        skip_what_is_unchanged(p);
        if (p->next < p->image.size && is_zero(p, p->next))
            take_zeroes(p);
    } while (p->next != before);
    return p->next >= p->image.size || !is_zero(p, p->next);
}

static bool is_to_be_read(const struct pull *p, uint64_t offset)
{
    return offset < p->image.size && !is_held(p, offset) && !is_zero(p, offset) && !is_unchanged(p, offset);
}

/* One that is cancelled may wait long until it is undone: for the monitor, or for others' turns. */
static bool does_read(const struct pull *p)
{
    return p->is_started && !p->source->policy->is_nobodys(p->source->user);
}

bool pull_may_ask(struct pull *p)
{
    if (!does_read(p) || p->is_paused || p->rewind != PULL_NOWHERE || p->failed != PULL_NOWHERE ||
        !vhost_room(p->image.front))
        return false;
    return advance(p) && p->next < p->image.size;
}

static struct request *request_new(struct pull *p, uint64_t offset)
{
    struct request *r = g_new(struct request, 1);

    r->p = p;
    r->offset = offset;
    r->len = r->n = 0;
    r->is_probe = false;
    return r;
}

static bool add_cluster(struct request *r)
{
    uint8_t *buffer = intake_buffer(r->p->source);

    if (!buffer)
        return false;
    r->buffers[r->n++] = buffer;
    r->len += (uint32_t)MIN(r->p->image.size - r->offset - r->len, VMA_CLUSTER_SIZE);
    return true;
}

static void give_back(struct request *r)
{
    for (unsigned i = 0; i < r->n; i++)
        pool_give(r->p->all->pool, r->buffers[i]);
}

static bool send_request(struct request *r)
{
    struct pull *p = r->p;

    if (!r->n || !vhost_read(p->image.front, r->offset, r->len, r->buffers, r)) {
        give_back(r);
        g_free(r);
        return false;
    }
    p->in_flight += r->n;
    p->all->in_flight += r->n;
    return true;
}

unsigned pull_ask(struct pull *p, unsigned most)
{
    struct request *r = request_new(p, p->next);
    uint64_t end = p->next;
    unsigned n;

    most = MIN(most, portion_of(p));
    while (r->n < most && is_to_be_read(p, end) && add_cluster(r))
        end += VMA_CLUSTER_SIZE;
    n = r->n;
    if (!send_request(r))
        return 0;
    pull_count(p, end - p->next);
    p->next = end;
    return n;
}

/* --- what has come ------------------------------------------------------------------------------ */

/* Takes the buffer. What lies behind the drive's end is zero in the archive. */
static void take_in(struct pull *p, uint64_t offset, uint8_t *buffer)
{
    uint32_t len = (uint32_t)MIN(p->image.size - offset, VMA_CLUSTER_SIZE);

    memset(buffer + len, 0, VMA_CLUSTER_SIZE - len);
    if (vma_is_zero(buffer, VMA_CLUSTER_SIZE)) {
        pool_give(p->all->pool, buffer);
        tokens_give_back(&p->tokens, len);
        tokens_give_back(&p->all->tokens, len);
        buffer = NULL;
    }
    intake_put(p->source, offset, len, buffer);
}

static void take_all_in(struct request *r)
{
    for (unsigned i = 0; i < r->n; i++)
        take_in(r->p, r->offset + (uint64_t)i * VMA_CLUSTER_SIZE, r->buffers[i]);
}

static void note_unreadable(struct request *r)
{
    struct pull *p = r->p;
    bool is_first = !r->is_probe && r->offset >= p->single_until; /* of one cluster, too: its neighbours were held */

    if (r->n > 1 || is_first) {
        p->rewind = MIN(p->rewind, r->offset);
        p->single_until = MAX(p->single_until, r->offset + r->len);
    } else if (r->is_probe) {
        p->good = PULL_NOWHERE;
    } else {
        p->failed = MIN(p->failed, r->offset);
    }
}

/* What could be read, by us or by the filter, can be read again while the image stands. */
static uint64_t place_to_probe(const struct pull *p)
{
    uint64_t last = (p->image.size - 1) / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE;

    if (!p->image.may_break)
        return PULL_NOWHERE;
    if (p->good != PULL_NOWHERE)
        return p->good;
    for (uint64_t at = p->failed; at > 0; at -= VMA_CLUSTER_SIZE)
        if (is_held(p, at - VMA_CLUSTER_SIZE))
            return at - VMA_CLUSTER_SIZE;
    for (uint64_t at = p->failed; at < p->image.size; at += VMA_CLUSTER_SIZE)
        if (is_held(p, at))
            return at;
    return last != p->failed ? last : PULL_NOWHERE; /* anywhere else */
}

static void end_with_failure(struct pull *p)
{
    g_autofree char *why = NULL;
    char at[UNITS_LEN];

    why =
        g_strdup_printf("read error at %s (offset %" G_GUINT64_FORMAT ")", units_format_size(p->failed, at), p->failed);
    pull_stop(p);
    p->events->on_failed(p->user, why, p->is_probing && p->good == PULL_NOWHERE);
}

static void probe(struct pull *p, uint64_t offset)
{
    struct request *r = request_new(p, offset);

    r->is_probe = true;
    add_cluster(r);
    p->is_probing = send_request(r);
    if (!p->is_probing)
        end_with_failure(p);
}

/* Nothing of the drive is in flight. */
static void settle(struct pull *p)
{
    uint64_t other;

    if (p->failed != PULL_NOWHERE) {
        other = p->is_probing ? PULL_NOWHERE : place_to_probe(p);
        if (other != PULL_NOWHERE)
            probe(p, other);
        else
            end_with_failure(p);
    } else if (p->rewind != PULL_NOWHERE) {
        p->next = p->rewind;
        p->rewind = PULL_NOWHERE;
    } else {
        advance(p);
        if (p->next < p->image.size)
            return;
        pull_stop(p);
        p->events->on_done(p->user);
    }
}

void pull_settle_idle(struct pull *p)
{
    if (does_read(p) && !p->in_flight)
        settle(p);
}

static void request_over(struct request *r)
{
    r->p->in_flight -= r->n;
    r->p->all->in_flight -= r->n;
}

void pull_read_ended(void *tag, int error)
{
    struct request *r = tag;
    struct pull *p = r->p;

    request_over(r);
    if (error || r->is_probe)
        give_back(r);
    else
        take_all_in(r);
    if (error)
        note_unreadable(r);
    else
        p->good = r->offset;
    g_free(r);
    pull_settle_idle(p);
    puller_pump(p->all);
}

void pull_taken_back(void *user, void *tag)
{
    struct request *r = tag;

    request_over(r);
    give_back(r);
    g_free(r);
}
