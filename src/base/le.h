// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The same as base/be.h for what is little-endian: zstd's frames and its seek table, vhost-user and virtio. */
#include <stdint.h>
#include <string.h>
#include <endian.h>

#define LE_DEFINE(bits)                                                                                                \
    static inline uint##bits##_t le##bits##_get(const void *at)                                                        \
    {                                                                                                                  \
        uint##bits##_t raw;                                                                                            \
        memcpy(&raw, at, sizeof raw);                                                                                  \
        return le##bits##toh(raw);                                                                                     \
    }                                                                                                                  \
    static inline void le##bits##_put(void *at, uint##bits##_t value)                                                  \
    {                                                                                                                  \
        value = htole##bits(value);                                                                                    \
        memcpy(at, &value, sizeof value);                                                                              \
    }
LE_DEFINE(16)
LE_DEFINE(32)
LE_DEFINE(64)
#undef LE_DEFINE
