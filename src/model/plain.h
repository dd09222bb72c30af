// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The headless front ends as pure text: one event in, zero or more complete lines out (each with '\n').
 *
 *     struct plain *p = plain_new(interval_s, local_time);
 *     g_autofree char *lines = plain_event(p, model, &event, now_s);   // NULL or "" = nothing to say
 *
 * Append-only, no colour, at most 100 columns, one fact per line, fixed word order. Progress on each 5 % and
 * at least each interval.
 */
#include "model/event.h"

struct plain;
struct plain *plain_new(unsigned interval_s);
void plain_free(struct plain *p);
char *plain_event(struct plain *p, const struct model *m, const struct model_event *e, int64_t now_s);
