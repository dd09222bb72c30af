// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The log that is always kept: the plain lines of a run, appended to TARGET.log or where --log says.
 *
 *     struct logfile *l = logfile_open(loop, "x.vma.log", &error);
 *     logfile_event(l, model, &event);
 *     logfile_close(l);
 *
 * A disk that hangs does not hang us, see textout.h.
 */
#include <glib.h>
#include <uv.h>
#include "model/event.h"

struct logfile;
struct logfile *logfile_open(uv_loop_t *loop, const char *path, GError **error);
void logfile_event(struct logfile *l, const struct model *m, const struct model_event *e);
/* Writes what is left, at once, unless a write hangs; frees when none is under way. */
void logfile_close(struct logfile *l);
