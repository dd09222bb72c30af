// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The event stream of a run kept in a file (--record), for `vmabackup-tui --replay`: the lines of model/json.h.
 *
 *     struct record *r = record_open(loop, "run.ndjson", run_id, &error);
 *     record_event(r, model, &event);
 *     record_close(r);
 *
 * A disk that hangs does not hang us, see textout.h.
 */
#include <glib.h>
#include <uv.h>
#include "model/event.h"

struct record;
/* What stood in the file is replaced. */
struct record *record_open(uv_loop_t *loop, const char *path, const char *run_id, GError **error);
void record_event(struct record *r, const struct model *m, const struct model_event *e);
/* Writes what is left, unless a write hangs. NULL is allowed. */
void record_close(struct record *r);
