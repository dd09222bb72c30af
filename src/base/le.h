// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The same as base/be.h for what is little-endian: zstd's frames and its seek table. */
#include <stdint.h>
#include <string.h>
#include <endian.h>

static inline uint32_t le32_get(const void *at)
{
    uint32_t raw;
    memcpy(&raw, at, sizeof raw);
    return le32toh(raw);
}

static inline void le32_put(void *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}
