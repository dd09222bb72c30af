// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where a device's bytes go when it is unpacked or restored: a new raw file, a new qcow2 file, a file or
 * block device that is there already, an NBD export.
 *
 *     struct output *o = output_new_raw(path, size, &error);
 *     output_write(o, offset, bytes, len, &error);       // in any order, as the archive has them
 *     output_zero(o, offset, len, &error);
 *     output_finish(o, size, &error);                    // durable
 *     output_publish(o, &error);                         // its final name
 *     output_free(o);                                    // removes what was new and was not published
 *
 * All errors are VMB_ERROR_TARGET. Blocking.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct output;
/* What an output can do; each kind is a file output_*.c, whose struct begins with a struct output. */
struct output_ops {
    bool (*write)(struct output *o, uint64_t offset, const uint8_t *bytes, size_t len, GError **error);
    bool (*zero)(struct output *o, uint64_t offset, uint64_t len, GError **error); /* NULL: it is all zeros at first */
    bool (*finish)(struct output *o, uint64_t size, GError **error);
    bool (*publish)(struct output *o, GError **error); /* NULL: it has its name */
    void (*free)(struct output *o);
};
struct output {
    const struct output_ops *ops;
};

/* Files that must not be there yet. */
struct output *output_new_raw(const char *path, GError **error);
/* By qemu-img and qemu-nbd, which must be installed. */
struct output *output_new_qcow2(const char *path, uint64_t size, GError **error);
/* A block device, or a raw file that is overwritten. Refused: smaller than size, used by a running guest (its
 * lock) or otherwise, another image format. */
struct output *output_open_raw(const char *path, uint64_t size, GError **error);
/* "nbd://…", "nbd+unix://…" and so on. Refused: smaller than size, read-only. */
struct output *output_open_nbd(const char *uri, uint64_t size, GError **error);

bool output_write(struct output *o, uint64_t offset, const uint8_t *bytes, size_t len, GError **error);
bool output_zero(struct output *o, uint64_t offset, uint64_t len, GError **error);
bool output_finish(struct output *o, uint64_t size, GError **error);
bool output_publish(struct output *o, GError **error);
void output_free(struct output *o); /* NULL is allowed */

/* For those that have a descriptor: all of it; false with errno. */
bool output_pwrite(int fd, uint64_t offset, const uint8_t *bytes, size_t len);
