// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/digest.h"

#define XXH_STATIC_LINKING_ONLY /* for the size of the state */
#include <glib.h>
#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h> /* by the widest registers of this processor, not of those the library was built for */
#endif

#include "base/be.h"

G_STATIC_ASSERT(sizeof(XXH3_state_t) <= sizeof(struct vma_digest));
G_STATIC_ASSERT(_Alignof(XXH3_state_t) <= _Alignof(struct vma_digest));

void vma_md5(const uint8_t *bytes, size_t len, size_t field, uint8_t out[16])
{
    static const uint8_t zeros[16];
    gsize out_len = sizeof zeros;
    g_autoptr(GChecksum) md5 = g_checksum_new(G_CHECKSUM_MD5);
    g_checksum_update(md5, bytes, (gssize)field);
    g_checksum_update(md5, zeros, sizeof zeros);
    g_checksum_update(md5, bytes + field + sizeof zeros, (gssize)(len - field - sizeof zeros));
    g_checksum_get_digest(md5, out, &out_len);
}

static XXH3_state_t *state_of(struct vma_digest *d)
{
    return (XXH3_state_t *)(void *)d->state;
}

void vma_digest_start(struct vma_digest *d)
{
    XXH3_INITSTATE(state_of(d));
    XXH3_128bits_reset(state_of(d));
}

void vma_digest_add(struct vma_digest *d, const void *bytes, size_t len)
{
    XXH3_128bits_update(state_of(d), bytes, len);
}

void vma_digest_end(struct vma_digest *d, uint8_t out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_of(d)));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

void vma_sum128_add(uint8_t sum[16], const uint8_t add[16])
{
    uint64_t low = be64_get(sum + 8) + be64_get(add + 8);
    be64_put(sum, be64_get(sum) + be64_get(add) + (low < be64_get(add + 8)));
    be64_put(sum + 8, low);
}

void vma_sum128_sub(uint8_t sum[16], const uint8_t sub[16])
{
    uint64_t low = be64_get(sum + 8), low_sub = be64_get(sub + 8);
    be64_put(sum, be64_get(sum) - be64_get(sub) - (low < low_sub));
    be64_put(sum + 8, low - low_sub);
}
