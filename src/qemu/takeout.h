// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Takes a filter of ours out of the chain it is in now, so that it can be deleted. What it stood on when it
 * went in does not count: a snapshot, or a job that has ended, may have put another node there.
 *
 *     takeout_begin(&b->takeout, b->qmp, "vmb-0123abcd-cbw-0", on_out, op);
 *
 *     on_out: t->stays      // why it has to stay, which harms nobody; NULL: nobody stands on it any more
 *
 * One at a time; it ends early, with an error, when the connection does.
 *
 * A device is given what is below. If somebody has put something over the filter since we looked, QEMU refuses: as
 * long as anything stands on the filter, nobody else may write to what is below. Then we look anew. An image whose
 * backing file the filter has become (by blockdev-snapshot-sync) gets what is below by a block-stream that finds
 * nothing to copy: so its header names the right file and format, too.
 */
#include "qemu/survey.h"

struct takeout;
typedef void (*takeout_done)(void *user, const struct takeout *t, const GError *error);
struct takeout {
    struct qmp *q;
    struct survey survey; /* the last one; graph_has() and others may be asked of it in `done` */
    takeout_done done;
    void *user;
    char *filter;
    char *stays;
    char *qdev, *below; /* while a device is given back */
    GError *refusal;    /* of that */
    unsigned n_turns;
    struct qmp_again again; /* whether its stream has ended */
    bool is_bare_path_wrong;
};
void takeout_begin(struct takeout *t, struct qmp *q, const char *filter, takeout_done done, void *user);
void takeout_clear(struct takeout *t);
