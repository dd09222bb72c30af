// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The RAM inside the engine: its rows, and what becomes of it. A part of run.h.
 *
 *     ram_lose(b, "guest has panicked (guest-panicked)", NULL);     left out; the drives are saved all the same
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct backup;
struct steps_op;

/* ram.c */
void ram_begin_moving(struct steps_op *op);
void ram_undo_moving(struct steps_op *op); /* plain and background: whatever still moves is cancelled */
void ram_on_tick(struct backup *b);
/* Bytes/s, 0 = none. False with the reason where it cannot be slowed. */
bool ram_limit(struct backup *b, uint64_t rate, GError **error);
void ram_stream_moved(struct backup *b); /* the receiver has read more, or the end */
void ram_interrupt(struct backup *b);
void ram_leave_out(struct backup *b);                /* by the operator's wish, while it moves */
void ram_abandon(struct backup *b, const char *why); /* a plain migration of a guest that has stopped by itself */
/* The RAM is not saved, the drives are; with --strict the run fails. */
void ram_lose(struct backup *b, const char *why, const char *hint);

/* activate.c */
void ram_begin_activate(struct steps_op *op);
void ram_undo_activate(struct steps_op *op);

/* ram_settings.c */
#define RAM_FIRST_DOWNTIME_MS 300 /* QEMU's own default */
void ram_begin_capability(struct steps_op *op);
void ram_undo_capability(struct steps_op *op);
void ram_begin_params(struct steps_op *op);
void ram_undo_params(struct steps_op *op);
int64_t ram_bandwidth(const struct backup *b);
void ram_send_limit(struct backup *b);
void ram_put_settings_back(struct backup *b); /* once it is saved, while drives are copied */
