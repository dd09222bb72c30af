// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The headless front end for people: one event in, zero or more complete lines out (each with '\n').
 *
 *     struct plain *p = plain_new(interval_s);
 *     g_autofree char *lines = plain_event(p, model, &event, now_s);   // "" = nothing to say
 *
 * Append-only, no colour, one fact per line, fixed word order: local time, what, figures. Lines are at most 100
 * columns; a longer fact goes on in lines that begin with blanks, and a word is never cut (it may be a path).
 * Progress on each 5 % (each 10 % when the variable ACCESSIBLE is set: a screen reader reads it all aloud) and at
 * least each interval.
 */
#include "model/event.h"

struct plain;
/* interval_s: 0 = 60 s. */
struct plain *plain_new(unsigned interval_s);
void plain_free(struct plain *p);
/* Never NULL. now_s: wall clock. */
char *plain_event(struct plain *p, const struct model *m, const struct model_event *e, int64_t now_s);
