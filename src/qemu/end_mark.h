// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Makes it seen when the drive of a dirty bitmap was made smaller.
 *
 *     end_mark_set(q, &(struct end_mark_spec){…}, on_set, op);           // a bitmap that begins
 *
 * A drive that is shrunk and then grown to its old size holds zeros where data was, and QEMU (7.2, 10.0, 11.1) counts
 * none of that: shrinking takes the bits of what is cut off out of the bitmap, growing adds clean ones. So a bitmap
 * gets a witness: another one, which counts nothing and has its last bit set. As long as it has, the drive was never
 * smaller by more than that. The last bit of the bitmap itself is set, too: what is less is read each time.
 *
 * Nothing sets a bit of a bitmap but a write. It goes to a null node of the drive's size, which has a bitmap of its
 * own, and that is merged. A refusal is no error: then there is no witness, and the bitmap will not be believed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/calls.h"

struct end_mark_spec {
    const char *node, *bitmap;
    const char *witness;   /* name of its witness, which is added */
    bool is_persistent;    /* it is, as the bitmap is */
    const char *null_node; /* name of a node that is added for this, and deleted again */
    uint64_t size;         /* of the drive, bytes */
    uint32_t granularity;  /* of the bitmap, bytes */
};

/* is_marked: it is now. refusal: what QEMU refused, NULL = nothing. error: the
 * connection has ended; the null node may be left. */
typedef void (*end_mark_done)(void *user, bool is_marked, const char *refusal, const GError *error);
void end_mark_set(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user);
