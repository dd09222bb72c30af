// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Who stands on what in QEMU, at one moment: what a filter of ours stands on, who stands on it, and whether
 * somebody else is at work on a drive. Pure.
 *
 *     device ──root──▶ filter of ours ──file──▶ the drive's node ──backing──▶ …
 *                                                    ▲ source
 *                                                block job
 *
 *     struct graph *g = graph_new(answer, jobs, n_jobs, exports, n_exports);
 *     char *who = graph_occupant(g, device, node, "0123abcd");      // "block job m0 (mirror) is on it"
 *     struct graph_exit exit = graph_way_out(g, "vmb-0123abcd-cbw-0", false);
 */
#include <stdbool.h>
#include <glib.h>
#include "qmp/calls.h"

#define GRAPH_PREFIX "vmb-" /* of all our names in QEMU */

struct graph;
/* Copies all of it. answer NULL: this QEMU does not tell. */
struct graph *graph_new(const struct qmp_graph *answer, const struct qmp_job *jobs, unsigned n_jobs,
                        const struct qmp_export *exports, unsigned n_exports);
void graph_free(struct graph *g);

bool graph_has(const struct graph *g, const char *node);
/* The node that a filter of ours, or its lid, stands on now; NULL where that is not told. */
const char *graph_below(const struct graph *g, const char *filter);

/*
 * Why a drive cannot be touched now: who is at work anywhere in its chain. NULL: nobody; owned. `device` is
 * its backend's name (the drive's id, else its qdev), `node` what query-block shows, which hides the filters
 * of jobs. Names of run `run_id` are ours.
 */
char *graph_occupant(const struct graph *g, const char *device, const char *node, const char *run_id);

enum graph_way {
    GRAPH_FREE,    /* nobody stands on it: it can be deleted */
    GRAPH_DEVICE,  /* a device does: it can be given what is below */
    GRAPH_OVERLAY, /* an image `above` has it as its backing file, by a snapshot that was taken meanwhile */
    GRAPH_STUCK,   /* somebody else stands on it, or it is not told what is below */
};
struct graph_exit {
    enum graph_way way;
    const char *above, *below; /* of g */
    char *why;                 /* GRAPH_STUCK; owned */
};
/* is_shown: query-block shows the filter as the node of a device. */
struct graph_exit graph_way_out(const struct graph *g, const char *filter, bool is_shown);
