// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A finished archive, read once more by a worker: checked from end to end, or its SHA-256 made.
 *
 *     r = readback_new(loop, path, archive_open_source, READBACK_VERIFY, on_read, user);
 *     readback_look(r, &progress);           // now and then, for the screen
 *     readback_stop(r);                      // it is not wanted any more: on_read follows, with CANCELLED
 *
 * It frees itself after on_read, which comes by the loop.
 */
#include <stdint.h>
#include <glib.h>
#include <uv.h>

enum readback_kind { READBACK_VERIFY, READBACK_SHA256 };

/* Bytes of the file as it lies there, bytes/s, ms; UINT64_MAX = not known (yet). */
struct readback_progress {
    uint64_t done, total, rate, eta_ms;
};

/* said: what there is to say of a good one: "every extent's data matches its digest", or 64 hexadecimal digits. error:
 * DAMAGED tells the first fault; FAILED: it cannot be read at all; CANCELLED. */
typedef void (*readback_done)(void *user, const char *said, const GError *error);

struct source;
/* source_open(), or one that knows more kinds of archives. */
typedef struct source *(*readback_open)(const char *path, GError **error);

struct readback;
struct readback *readback_new(uv_loop_t *loop, const char *path, readback_open open, enum readback_kind kind,
                              readback_done done, void *user);
enum readback_kind readback_kind(const struct readback *r);
void readback_look(struct readback *r, struct readback_progress *progress);
void readback_stop(struct readback *r);
