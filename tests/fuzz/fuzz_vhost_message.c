// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a device answers, and however it is cut into pieces: the same verdict, the same sentence, and until it is
 * broken the same said by us; silence after that.
 *
 * Input: one byte that seeds the cutting, then the bytes of the device.
 */
#include <string.h>
#include <glib.h>
#include "vhost/message.h"

struct run {
    struct vhost_message *m;
    enum vhost_message_verdict verdict;
    GByteArray *says;
};

static void take_output(struct run *run, GRand *random)
{
    enum vhost_message_fd fd;
    const uint8_t *bytes;
    size_t len;

    while ((bytes = vhost_message_output(run->m, &len, &fd))) {
        size_t n = random ? (size_t)g_rand_int_range(random, 1, len + 1) : len;
        g_assert(len > 0 && len <= 52 && run->verdict != VHOST_MESSAGE_BROKEN);
        g_byte_array_append(run->says, bytes, n);
        vhost_message_sent(run->m, n);
    }
}

static void run_feed(struct run *run, const uint8_t *data, size_t size, GRand *random)
{
    const struct vhost_message_setup setup = {.memory_bytes = 1 << 20, .n_slots = 128};

    run->m = vhost_message_new(&setup);
    run->says = g_byte_array_new();
    run->verdict = VHOST_MESSAGE_GOES_ON;
    for (size_t done = 0, n; done < size; done += n) {
        n = random ? (size_t)g_rand_int_range(random, 1, MIN(size - done, 40) + 1) : size - done;
        if (random)
            take_output(run, random);
        run->verdict = vhost_message_input(run->m, data + done, n);
    }
    take_output(run, random);
}

static void expect_sense(const struct run *run)
{
    g_assert((run->verdict == VHOST_MESSAGE_BROKEN) == (vhost_message_why(run->m)[0] != '\0'));
    if (run->verdict != VHOST_MESSAGE_READY)
        return;
    g_assert(vhost_message_capacity(run->m) > 0 && vhost_message_capacity(run->m) <= INT64_MAX);
    g_assert(vhost_message_capacity(run->m) % 512 == 0 && vhost_message_max_segments(run->m) >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(size ? data[0] : 0);
    struct run whole, cut;

    if (size == 0)
        return 0;
    run_feed(&whole, data + 1, size - 1, NULL);
    run_feed(&cut, data + 1, size - 1, random);
    expect_sense(&whole);
    g_assert(whole.verdict == cut.verdict);
    g_assert(strcmp(vhost_message_why(whole.m), vhost_message_why(cut.m)) == 0);
    if (whole.verdict != VHOST_MESSAGE_BROKEN)
        g_assert(whole.says->len == cut.says->len && memcmp(whole.says->data, cut.says->data, cut.says->len) == 0);
    vhost_message_free(whole.m);
    vhost_message_free(cut.m);
    g_byte_array_unref(whole.says);
    g_byte_array_unref(cut.says);
    return 0;
}
