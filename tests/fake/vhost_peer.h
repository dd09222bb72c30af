// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The other side of a vhost-user handshake, for tests: what QEMU answers, truly or with a lie.
 *
 *     struct peer peer = peer_of_qemu();
 *     peer.capacity = 0;
 *     peer_reply(&peer, GET_CONFIG, bytes);        // appends the answer to a GByteArray
 */
#include <glib.h>
#include "base/le.h"

enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
};

/* What it answers, and how it lies in the answer to `lies_in` (0: nowhere): each of these takes the place of the truth
 * unless it is 0. */
struct peer {
    uint64_t features, protocol_features, capacity; /* capacity: sectors */
    uint32_t size_max, seg_max;
    uint32_t lies_in, request, flags, size, config_offset, config_size;
};

/* As QEMU 7.2 and 10.0 answer. */
static inline struct peer peer_of_qemu(void)
{
    return (struct peer){
        .features = UINT64_C(0x175007e66), .protocol_features = 0x823b, .capacity = 2048, .seg_max = 126};
}

static inline void peer_put32(GByteArray *to, uint32_t value)
{
    le32_put(&value, value);
    g_byte_array_append(to, (const uint8_t *)&value, sizeof value);
}

static inline void peer_put64(GByteArray *to, uint64_t value)
{
    peer_put32(to, (uint32_t)value);
    peer_put32(to, value >> 32);
}

static inline void peer_reply(const struct peer *peer, uint32_t request, GByteArray *to)
{
    static const struct peer truth;
    const struct peer *lie = peer->lies_in == request ? peer : &truth;

    peer_put32(to, lie->request ? lie->request : request);
    peer_put32(to, lie->flags ? lie->flags : 5);
    peer_put32(to, lie->size ? lie->size : request == GET_CONFIG ? 28 : 8);
    if (request != GET_CONFIG) {
        peer_put64(to, request == GET_FEATURES ? peer->features : peer->protocol_features);
        return;
    }
    peer_put32(to, lie->config_offset);
    peer_put32(to, lie->config_size ? lie->config_size : 16);
    peer_put32(to, 0);
    peer_put64(to, peer->capacity);
    peer_put32(to, peer->size_max);
    peer_put32(to, peer->seg_max);
}
