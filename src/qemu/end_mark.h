// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Makes a dirty bitmap notice when its drive is made smaller.
 *
 *     end_mark_set(q, &(struct end_mark_spec){…}, on_set, op);           // a bitmap that begins
 *     end_mark_look(q, &(struct end_mark_spec){…}, on_looked, op);       // what it, or a copy of it, has counted
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
    const char *node, *bitmap;
    const char *null_node; /* name of a node that is added for this, and deleted again */
    uint64_t size;         /* of the drive, bytes */
    uint32_t granularity;  /* of the bitmap, bytes */
};

/* is_marked: it is now, or was when it was looked at. refusal: what QEMU refused, NULL = nothing. error: the
 * connection has ended; the null node may be left. */
typedef void (*end_mark_done)(void *user, bool is_marked, const char *refusal, const GError *error);
void end_mark_set(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user);
void end_mark_look(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user);
