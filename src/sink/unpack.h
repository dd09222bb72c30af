// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a source needs of each kind of packing: one file each. What makes an archive that is no file offers the same to
 * source_of().
 *
 *     struct unpack *u = unpack_zstd_new();
 *     n = u->ops->read(u, &infile, to, len, &error);
 */
#include "sink/infile.h"

struct unpack;
struct unpack_ops {
    /* Some bytes, at least 1; 0 at the end. -1 with error set; if that is DAMAGED, unpacking may go on by the
     * next call, behind what is damaged: `lost` says how many bytes of the plain archive are missing there. When
     * there is no way to go on the next call returns 0. */
    ssize_t (*read)(struct unpack *u, struct infile *in, uint8_t *to, size_t len, GError **error);
    void (*free)(struct unpack *u);
};

struct unpack {
    const struct unpack_ops *ops;
    uint64_t lost;
};

struct unpack *unpack_zstd_new(const struct infile *in);
struct unpack *unpack_gzip_new(void);
struct unpack *unpack_lzop_new(void);
