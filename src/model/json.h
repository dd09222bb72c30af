// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The event stream as NDJSON: one object per line, {"v":1,"seq":N,"ts":…,"ev":…}. Bytes, bytes/s, ms; null = unknown. */
#include "model/event.h"

struct json_stream;
struct json_stream *json_stream_new(const char *program, const char *job);
void json_stream_free(struct json_stream *s);
/* One line with its '\n'; never NULL. now_us: wall clock, microseconds since the epoch. */
char *json_stream_event(struct json_stream *s, const struct model *m, const struct model_event *e, int64_t now_us);
