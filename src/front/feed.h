// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a front end shows and steers: a run of this process, one that goes on in another (by its control socket), or
 * one that was recorded. To a screen all three are a model, its events, and somebody who takes commands.
 *
 *     struct feed *f = feed_of_run(loop, &options, &listener, user);      // or feed_of_remote(), feed_of_file()
 *     feed_start(f);
 *     … feed_model(f), feed_command(f, &command, &error)
 *     … listener.on_done(user)          // nothing more comes
 *     feed_free(f);                     // when the loop has ended
 */
#include "backup/backup.h"

struct feed_listener {
    void (*on_event)(void *user, const struct model_event *event);
    void (*on_done)(void *user);   /* once: the run has ended, or is out of sight (feed_error() tells) */
    void (*on_detach)(void *user); /* somebody typed "detach" */
};

struct feed;
struct feed *feed_of_run(uv_loop_t *loop, const struct backup_options *options, const struct feed_listener *listener,
                         void *user);
/* path: of a control socket. */
struct feed *feed_of_remote(uv_loop_t *loop, const char *path, const struct feed_listener *listener, void *user,
                            GError **error);
/* A recording, told as fast as it went, or speed times that; speed 0: at once. */
struct feed *feed_of_file(uv_loop_t *loop, const char *path, double speed, const struct feed_listener *listener,
                          void *user, GError **error);

void feed_start(struct feed *f);
const struct model *feed_model(struct feed *f);
/* False with a sentence where it is refused; from afar the refusal comes later, as a reply. */
bool feed_command(struct feed *f, const struct command *c, GError **error);
/* A line as it was typed (NULL: it was too long). The answer comes as MODEL_EV_REPLY. */
void feed_line(struct feed *f, const char *line);
/* Ends a run of ours; only lets go of any other. on_done follows. */
void feed_cancel(struct feed *f, int exit_status, const char *by_whom);
/* What another run after this one begins from (clear it); false where the run is another process's. */
bool feed_next(struct feed *f, struct backup_options *o);
/* The run lives in this process. */
bool feed_is_own(const struct feed *f);
bool feed_is_recorded(const struct feed *f);
/* Eight hexadecimal digits, "" while it is not known. */
const char *feed_run_id(struct feed *f);
/* Why it is out of sight; NULL when the run has ended as a run does. */
const GError *feed_error(const struct feed *f);
void feed_free(struct feed *f);
