// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Makes a dirty bitmap notice when its drive is made smaller.
 *
 *     end_mark_begin(q, &(struct end_mark_spec){…}, on_marked, op);
 *
 * A drive that is shrunk and then grown to its old size holds zeros where data was, and QEMU (7.2, 10.0, 11.1) counts
 * none of that: shrinking takes the bits of what is cut off out of the bitmap, growing adds clean ones. So the last bit
 * of each bitmap is set when it begins: as long as it is, the drive was never smaller.
 *
 * Nothing sets a bit of a bitmap but a write. It goes to a null node of the drive's size, which has a bitmap of its
 * own, and that is merged. A refusal is no error: then the bitmap is not marked, and will not be believed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/calls.h"

struct end_mark_spec {
    const char *node, *bitmap; /* that is to be marked */
    const char *base;          /* another bitmap of the node: is it marked? NULL: do not look */
    const char *null_node;     /* name of a node that is added for this, and deleted again */
    uint64_t size;             /* of the drive, bytes */
    uint32_t granularity;      /* of these bitmaps, bytes */
};

/* is_base_whole: the base is marked. refusal: what QEMU refused, NULL = nothing. error: the connection has ended; the
 * null node may be left. */
typedef void (*end_mark_done)(void *user, bool is_base_whole, const char *refusal, const GError *error);
void end_mark_begin(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user);
