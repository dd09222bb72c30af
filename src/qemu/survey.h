// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The guest's drives as they are now: what was true when the plan was made need not be true any more. Others
 * take snapshots, mirror, resize and unplug meanwhile, so whatever is done to a drive asks first.
 *
 *     survey_take(&b->survey, b->qmp, on_surveyed, op);     // one at a time; ends early with the connection
 *     …
 *     const struct survey_drive *d = survey_find(s, qdev);  // NULL: it is gone
 *     char *who = survey_occupant(s, d, run_id);            // "block job m0 (mirror) is on it"
 */
#include <stdint.h>
#include <glib.h>
#include "qemu/graph.h"

struct survey_drive {
    char *device, *qdev, *node; /* node NULL: no medium */
    uint64_t size;
};

struct survey;
/* s is NULL with an error. */
typedef void (*survey_done)(void *user, const struct survey *s, const GError *error);
struct survey {
    struct qmp *q;
    survey_done done;
    void *user;
    GArray *drives;         /* struct survey_drive */
    GArray *jobs, *exports; /* while it is taken: with names of their own */
    struct graph *graph;
};
void survey_take(struct survey *s, struct qmp *q, survey_done done, void *user);
void survey_clear(struct survey *s);

const struct survey_drive *survey_find(const struct survey *s, const char *qdev);
/* The device that shows this node; NULL if none does. */
const struct survey_drive *survey_showing(const struct survey *s, const char *node);
char *survey_occupant(const struct survey *s, const struct survey_drive *d, const char *run_id);
