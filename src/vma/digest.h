// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The two checksums of the format: MD5 of headers with its own field zeroed, and XXH3-128 of payload. */
#include <stddef.h>
#include <stdint.h>

/* MD5 of bytes[len] where the 16 bytes from `field` count as zero. out may be the field itself. */
void vma_md5(const uint8_t *bytes, size_t len, size_t field, uint8_t out[16]);

/* XXH3-128 as bytes in canonical (big-endian) order, piece by piece. */
struct vma_digest {
    _Alignas(64) uint8_t state[576]; /* an XXH3_state_t, whose header stays in digest.c */
};
void vma_digest_start(struct vma_digest *d);
void vma_digest_add(struct vma_digest *d, const void *bytes, size_t len);
void vma_digest_end(struct vma_digest *d, uint8_t out[16]);

/* sum += add, sum -= sub modulo 2^128, all big-endian. */
void vma_sum128_add(uint8_t sum[16], const uint8_t add[16]);
void vma_sum128_sub(uint8_t sum[16], const uint8_t sub[16]);
