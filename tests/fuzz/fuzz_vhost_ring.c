// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a device writes into the memory it shares with us, between any two of our calls: every tag comes back at
 * most once, never one that was not asked for, all of them by the end, and we write nowhere but into the ring's area.
 *
 * Input: a script of bytes. Each begins with what to do (modulo 8), then what that needs:
 *   0 ask for a read of 1…16 clusters (one byte)      1 end the oldest, or another, of those asked for, truly (one
 * byte) 2 take what has ended                             3 write into the area (u16 place, one byte length, bytes) 4
 * say that a read has ended (id, u16 length)      5 move the used index (i8) 6 write a status byte (slot, status) 7 is
 * a kick wanted?
 */
#include <errno.h>
#include "../fake/vhost_device.h"

enum { GUARD_BYTES = 4096, TAGS_MAX = 512 };
enum state { UNASKED, ASKED, BACK };

static const uint8_t guard[GUARD_BYTES];

struct run {
    const uint8_t *data;
    size_t size;
    uint8_t *memory; /* guard, area, guard; the buffers are behind it and never touched */
    struct vhost_ring *r;
    struct device d;
    uint8_t tags[TAGS_MAX]; /* enum state */
    unsigned n_tags, n_back;
    struct device_read *asked; /* as the device has seen them, before it wrote over anything */
    unsigned n_ended;
};

static unsigned next(struct run *run)
{
    if (run->size == 0)
        return 0;
    run->size--;
    return *run->data++;
}

static void came_back(struct run *run, void *tag)
{
    unsigned number = GPOINTER_TO_UINT(tag);

    g_assert(number < run->n_tags && run->tags[number] == ASKED);
    run->tags[number] = BACK;
    run->n_back++;
}

static void on_taken_back(void *user, void *tag)
{
    came_back(user, tag);
}

static void expect_sense(struct run *run)
{
    bool is_broken = vhost_ring_why(run->r)[0] != '\0';

    g_assert(vhost_ring_in_flight(run->r) == run->n_tags - run->n_back);
    g_assert(vhost_ring_room(run->r) == (is_broken ? 0 : VHOST_RING_SLOTS - vhost_ring_in_flight(run->r)));
    g_assert(memcmp(run->memory, guard, GUARD_BYTES) == 0);
    g_assert(memcmp(run->memory + GUARD_BYTES + VHOST_RING_BYTES, guard, GUARD_BYTES) == 0);
}

static void ask(struct run *run)
{
    uint8_t *buffers[VHOST_REQUEST_CLUSTERS];
    unsigned n = 1 + next(run) % VHOST_REQUEST_CLUSTERS, room = vhost_ring_room(run->r);
    struct device fresh = run->d;

    for (unsigned i = 0; i < n; i++)
        buffers[i] = run->memory + ((size_t)i + 1) * VHOST_CLUSTER_BYTES;
    if (run->n_tags == TAGS_MAX)
        return;
    g_assert(vhost_ring_read(run->r, 0, n * VHOST_CLUSTER_BYTES - 512, buffers, GUINT_TO_POINTER(run->n_tags)) ==
             (room > 0));
    if (room == 0)
        return;
    fresh.taken = run->n_tags; /* as many as were put in before */
    g_assert(device_take(&fresh, &run->asked[run->n_tags]));
    run->tags[run->n_tags++] = ASKED;
}

static void take(struct run *run)
{
    enum vhost_ring_verdict verdict;
    struct vhost_ring_done done;

    while ((verdict = vhost_ring_next_done(run->r, &done)) == VHOST_RING_DONE) {
        g_assert(done.error == 0 || done.error == EIO);
        came_back(run, done.tag);
    }
    g_assert((verdict == VHOST_RING_BROKEN) == (vhost_ring_why(run->r)[0] != '\0'));
}

static void scribble(struct run *run)
{
    unsigned place = next(run) | next(run) << 8, n = next(run);

    for (unsigned i = 0; i < n; i++)
        run->memory[GUARD_BYTES + (place + i) % VHOST_RING_BYTES] = next(run);
}

static void end_one(struct run *run)
{
    unsigned i = run->n_ended + next(run) % 4;

    if (i >= run->n_tags)
        return;
    run->n_ended += i == run->n_ended;
    device_end(&run->d, &run->asked[i], 0);
}

static void step(struct run *run)
{
    unsigned what = next(run) % 8, id;

    switch (what) {
    case 0:
        ask(run);
        break;
    case 1:
        end_one(run);
        break;
    case 2:
        take(run);
        break;
    case 3:
        scribble(run);
        break;
    case 4:
        id = next(run);
        device_say(&run->d, id == 255 ? UINT32_MAX : id, next(run) | next(run) << 8);
        break;
    case 5:
        device_publish(&run->d, (uint16_t)(int8_t)next(run));
        break;
    case 6:
        id = next(run);
        if (id < run->n_tags)
            run->memory[run->asked[id].status] = next(run);
        break;
    default:
        vhost_ring_wants_kick(run->r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[2 * GUARD_BYTES + VHOST_RING_BYTES] __attribute__((aligned(4096)));
    static struct device_read asked[TAGS_MAX];
    struct run run = {.data = data, .size = size, .memory = memory, .asked = asked};

    run.r = vhost_ring_new(memory, GUARD_BYTES);
    run.d = device_of(memory, run.r);
    while (run.size > 0)
        step(&run);
    take(&run);
    expect_sense(&run);
    vhost_ring_take_back(run.r, on_taken_back, &run);
    g_assert(run.n_back == run.n_tags && vhost_ring_in_flight(run.r) == 0 && vhost_ring_room(run.r) == 0);
    vhost_ring_free(run.r);
    return 0;
}
