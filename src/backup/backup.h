// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One backup run: connects to a guest's monitor, plans, freezes, takes everything in, leaves an archive
 * and a QEMU as it was. Both programs are front ends of this.
 *
 *     struct backup *b = backup_new(loop, &options, &listener, user);
 *     backup_connect(b);                       // events follow; model.phase tells where it stands
 *     ... backup_command(b, &command, &error)  // begin, limit, pause, …
 *     ... listener.on_done(user)               // everything undone, model.exit_status is set
 *     backup_free(b);
 *
 * All from the loop's thread. A listener may be called from within backup_connect(), backup_command() and
 * backup_cancel(): what they do is told before they return.
 */
#include <stdbool.h>
#include <glib.h>
#include <uv.h>
#include "model/command.h"
#include "model/event.h"
#include "model/model.h"
#include "options/options.h"

struct backup_listener {
    void (*on_event)(void *user, const struct model_event *event);
    void (*on_done)(void *user); /* once, after MODEL_EV_RESULT: QEMU is free, the archive is closed */
};

struct backup;
struct backup *backup_new(uv_loop_t *loop, const struct backup_options *options, const struct backup_listener *listener,
                          void *user);
/* Only when the loop has ended after on_done, or before backup_connect(). */
void backup_free(struct backup *b);
void backup_connect(struct backup *b);
/* Eight hexadecimal digits: in the names of its nodes, of its journal and its control socket. */
const char *backup_run_id(const struct backup *b);
/* For another run like this one, from its plan on: as it was planned last, but to another file. Clear them. */
void backup_next_options(struct backup *b, struct backup_options *o);
/* A line of its log, and an event; the hint (or NULL) says what to do about it. */
void backup_log(struct backup *b, enum model_level level, const char *hint, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* Brought up to date by the call: rates, ages, ETAs. */
const struct model *backup_model(struct backup *b);
/* False with a sentence when it is not valid now or names something unknown. */
bool backup_command(struct backup *b, const struct command *c, GError **error);
/* Stops whatever is under way, undoes everything, then on_done. exit_status 4, or 128+N for a signal. Before anything
 * has begun it only disconnects. Repeated calls change nothing. */
void backup_cancel(struct backup *b, int exit_status, const char *by_whom);
