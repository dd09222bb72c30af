// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The way back of model/json.h: lines of an event stream in, the model and its events out. So a recorded run,
 * or one that goes on in another process, is shown by the same screens as one of our own. Pure; the lines may
 * say anything.
 *
 *     struct replay *r = replay_new();
 *     struct model_event e;
 *     switch (replay_line(r, line, len, &e, &error)) {
 *     case REPLAY_EVENT:   … replay_model(r) is up to date, e is what has happened
 *     case REPLAY_IGNORED: … of a kind we do not know, or not for us
 *     case REPLAY_BROKEN:  … no line of an event stream: error says why, the model is as it was
 *     }
 */
#include "model/event.h"

#define REPLAY_MAX_LINE (1u << 20)
#define REPLAY_MAX_ROWS 1024

enum replay_result { REPLAY_EVENT, REPLAY_IGNORED, REPLAY_BROKEN };
struct replay;
struct replay *replay_new(void);
void replay_free(struct replay *r);
/* The event's texts are good until the next line. VMB_ERROR_DAMAGED. */
enum replay_result replay_line(struct replay *r, const char *line, size_t len, struct model_event *e, GError **error);
const struct model *replay_model(const struct replay *r);
/* Of the last line: wall clock, microseconds since the epoch. 0 = it did not say. */
int64_t replay_when_us(const struct replay *r);
/* The same of a line that is not to be read yet. */
int64_t replay_time_of(const char *line, size_t len);
/* As the last hello said, "" before. */
const char *replay_job(const struct replay *r);
