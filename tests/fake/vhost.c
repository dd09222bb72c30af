// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/vhost.h"
#include <string.h>
#include "fake/acts.h"
#include "fake/vhost_back.h"

struct fake_vhost {
    int listener;
    bool is_connected;
    struct back back;
    struct device_read reads[VHOST_RING_SLOTS]; /* in flight, oldest first */
    unsigned n_reads, n_done;                   /* of the oldest one's clusters */
    uint8_t status;                             /* of the oldest one */
    bool has_read[FAKE_CLUSTERS];
};

/* --- from its beginning to its end -------------------------------------------------------------- */

struct fake_vhost *fake_vhost_new(int listener)
{
    struct fake_vhost *v = g_new0(struct fake_vhost, 1);
    v->listener = listener;
    return v;
}

static void disconnect(struct fake_vhost *v)
{
    if (v->is_connected)
        back_end(&v->back);
    v->is_connected = false;
    v->n_reads = v->n_done = 0;
}

void fake_vhost_free(struct fake_vhost *v)
{
    if (!v)
        return;
    disconnect(v);
    close(v->listener);
    g_free(v);
}

void fake_vhost_hang_up(struct fake_export *e)
{
    disconnect(e->vhost);
}

static bool lies(struct fake_qemu *q, const struct fake_export *e, enum fake_lie lie)
{
    if (q->lie != lie || !q->n_lies || fake_drive_of(q, e->node) != 0)
        return false;
    q->n_lies -= q->n_lies != FAKE_FOR_EVER;
    return true;
}

static void let_in(struct fake_qemu *q, struct fake_export *e)
{
    struct fake_vhost *v = e->vhost;
    v->back = back_of(accept4(v->listener, NULL, NULL, SOCK_CLOEXEC));
    v->back.peer.capacity = FAKE_DRIVE_SIZE / 512 + lies(q, e, LIE_CAPACITY);
    v->back.is_silent = lies(q, e, LIE_SILENT);
    v->is_connected = true;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* The oldest read has ended; how that is told. */
static void tell(struct fake_qemu *q, struct fake_export *e)
{
    struct fake_vhost *v = e->vhost;
    const struct device_read *read = &v->reads[0];
    struct device *ring = &v->back.ring;
    if (lies(q, e, LIE_ID)) {
        device_say(ring, (read->slot + VHOST_RING_SLOTS / 2) % VHOST_RING_SLOTS, read->len + 1);
    } else if (lies(q, e, LIE_TWICE)) {
        device_end(ring, read, 0);
        device_end(ring, read, 0);
    } else if (lies(q, e, LIE_STATUS)) {
        device_end(ring, read, 2);
    } else if (lies(q, e, LIE_COUNT)) {
        device_publish(ring, 500);
    } else if (lies(q, e, LIE_CHATTER)) {
        g_assert_cmpint(send(v->back.fd, "x", 1, MSG_NOSIGNAL), ==, 1);
    } else if (lies(q, e, LIE_LENGTH)) {
        v->back.ring.memory[read->status] = 0;
        device_say(ring, read->slot, read->len);
    } else {
        device_end(ring, read, v->status);
    }
}

static void read_cluster(struct fake_qemu *q, struct fake_export *e)
{
    struct fake_vhost *v = e->vhost;
    const struct device_read *read = &v->reads[0];
    unsigned drive = fake_drive_of(q, e->node), cluster = read->sector * 512 / FAKE_CLUSTER + v->n_done;
    const struct fake_content *content = fake_content_of(q, e->node, drive);
    g_assert_cmpuint(cluster, <, FAKE_CLUSTERS);
    g_assert_cmpuint(read->sector * 512 + read->len, <=, FAKE_DRIVE_SIZE);
    if (!content || fake_is_unreadable(q, drive, cluster)) {
        v->status = 1;
        return;
    }
    memset(v->back.ring.memory + read->data[v->n_done].address, fake_byte(drive, cluster, content),
           read->data[v->n_done].len);
    v->has_read[cluster] = true;
    q->n_zero_reads += q->is_told_zero[drive][cluster];
}

void fake_vhost_step(struct fake_qemu *q, struct fake_export *e)
{
    struct fake_vhost *v = e->vhost;
    if (lies(q, e, LIE_CLOSES)) {
        disconnect(v);
        return;
    }
    read_cluster(q, e);
    if (++v->n_done < v->reads[0].n_data)
        return;
    tell(q, e);
    back_call(&v->back);
    memmove(v->reads, v->reads + 1, --v->n_reads * sizeof v->reads[0]);
    v->n_done = v->status = 0;
}

static void take_reads(struct fake_vhost *v)
{
    while (v->is_connected && back_has_ring(&v->back) && v->n_reads < VHOST_RING_SLOTS &&
           device_take(&v->back.ring, &v->reads[v->n_reads]))
        v->n_reads++;
}

static void read_all(struct fake_qemu *q, struct fake_export *e)
{
    take_reads(e->vhost);
    while (e->vhost->n_reads)
        fake_vhost_step(q, e);
}

static bool is_sent(struct fake_qemu *q, const char *node, unsigned cluster)
{
    const struct fake_node *n = fake_node(q, node);
    while (n && n->file && !n->target)
        n = fake_node(q, n->file);
    return n && n->has_sent[cluster];
}

/* All has come that the filter has not sent. */
static bool is_complete(struct fake_qemu *q, const struct fake_export *e)
{
    const bool *is_told_zero = q->is_told_zero[fake_drive_of(q, e->node)];
    for (unsigned i = 0; i < FAKE_CLUSTERS; i++)
        if (!e->vhost->has_read[i] && !is_sent(q, e->node, i) && !is_told_zero[i])
            return false;
    return true;
}

void fake_vhost_end(struct fake_qemu *q, struct fake_export *e)
{
    take_reads(e->vhost);
    if (e->vhost->n_reads && q->kind.hangs_disks)
        fake_violate(q, "an export goes while its disk hangs: QEMU would hang, too");
    read_all(q, e);
    q->n_copied += is_complete(q, e);
}

/* --- many of them ------------------------------------------------------------------------------- */

static bool is_open(const struct fake_export *e)
{
    return e->vhost;
}

static void take_kick(struct fake_qemu *q, struct fake_export *e)
{
    eventfd_t count;
    eventfd_read(e->vhost->back.kick_fd, &count);
    take_reads(e->vhost);
    if (!q->kind.is_lively && !q->kind.hangs_disks)
        read_all(q, e);
}

static void take_message(struct fake_qemu *q, struct fake_export *e)
{
    if (back_receive(&e->vhost->back))
        return;
    take_reads(e->vhost);
    if (e->vhost->n_reads)
        fake_violate(q, "the front end's connection ends while reads are in flight: QEMU aborts");
    disconnect(e->vhost);
}

unsigned fake_vhost_poll(struct fake_qemu *q, struct pollfd *fds)
{
    unsigned n = 0;
    fake_each (struct fake_export, e, q->exports) {
        if (!is_open(e))
            continue;
        const struct fake_vhost *v = e->vhost;
        g_assert_cmpuint(n + 2, <=, FAKE_VHOST_FDS);
        fds[n++] = (struct pollfd){v->is_connected ? v->back.fd : v->listener, POLLIN, 0};
        fds[n++] = (struct pollfd){v->is_connected ? v->back.kick_fd : -1, POLLIN, 0};
    }
    return n;
}

void fake_vhost_serve(struct fake_qemu *q, const struct pollfd *fds)
{
    fake_each (struct fake_export, e, q->exports) {
        if (!is_open(e))
            continue;
        if (fds[1].revents)
            take_kick(q, e);
        if (fds[0].revents && !e->vhost->is_connected && !fds[1].revents)
            let_in(q, e);
        else if (fds[0].revents && e->vhost->is_connected)
            take_message(q, e);
        fds += 2;
    }
}

struct fake_export *fake_vhost_next(struct fake_qemu *q)
{
    for (unsigned i = 0; !q->kind.hangs_disks && i < q->exports->len; i++) {
        struct fake_export *e = g_ptr_array_index(q->exports, (q->n_moments + i) % q->exports->len);
        if (e->vhost && e->vhost->n_reads)
            return e;
    }
    return NULL;
}

unsigned fake_vhost_complete(struct fake_qemu *q)
{
    unsigned n = 0;
    fake_each (struct fake_export, e, q->exports)
        n += is_open(e) && is_complete(q, e);
    return n;
}
