// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Integers at any alignment, as the wire and the archive have them: big-endian. */
#include <stdint.h>
#include <string.h>
#include <endian.h>

#define BE_DEFINE(bits)                                                                                                \
    static inline uint##bits##_t be##bits##_get(const void *at)                                                        \
    {                                                                                                                  \
        uint##bits##_t raw;                                                                                            \
        memcpy(&raw, at, sizeof raw);                                                                                  \
        return be##bits##toh(raw);                                                                                     \
    }                                                                                                                  \
    static inline void be##bits##_put(void *at, uint##bits##_t value)                                                  \
    {                                                                                                                  \
        value = htobe##bits(value);                                                                                    \
        memcpy(at, &value, sizeof value);                                                                              \
    }
BE_DEFINE(16)
BE_DEFINE(32)
BE_DEFINE(64)
#undef BE_DEFINE
