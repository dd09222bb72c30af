// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The event stream for programs, as NDJSON: one object per line, {"v":1,"seq":N,"ts":"…Z","ev":…, …}.
 *
 *     struct json_stream *s = json_stream_new("vmabackup", "b7c1");
 *     g_autofree char *line = json_stream_event(s, model, &event, g_get_real_time());
 *
 * Bytes, bytes/s, ms; null = unknown, limit 0 = none. seq counts from 1 without a gap. A reader must ignore
 * fields and values of "ev" it does not know. Kinds: hello guest plan phase drive progress impact limit log error
 * note reply result; an "error" is a log line of that level, a "note" repeats another event as a line of the screen's
 * log, and "result" is the last line of all. Which field of the model is which member: json_fields.h. model/replay.h
 * makes the model again from the lines.
 */
#include "model/event.h"

struct json_stream;
/* job: tells runs apart in a collected log. */
struct json_stream *json_stream_new(const char *program, const char *job);
void json_stream_free(struct json_stream *s);
/* One line with its '\n'; never NULL. now_us: wall clock, microseconds since the epoch. */
char *json_stream_event(struct json_stream *s, const struct model *m, const struct model_event *e, int64_t now_us);
/* Lines that tell a reader who comes late how it stands: hello guest plan phase, the log as notes, progress impact, and
 * the result when there is one. The hello makes him forget what he knew; the impact ends it where a run goes on. */
char *json_stream_state(struct json_stream *s, const struct model *m, int64_t now_us);
