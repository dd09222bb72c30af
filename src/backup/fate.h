// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How each drive, and the RAM, ends: saved, started again from the same instant, taken again at another one,
 * or left out of the archive while the others go on. A part of run.h.
 */
#include <stdbool.h>
#include <glib.h>

struct backup;
struct drive;

/* fate.c */
void fate_judge(struct drive *d);                        /* its job has ended */
void fate_broken(struct drive *d, const char *why);      /* its frozen image: a retry takes a new instant */
void fate_not_retaken(struct drive *d, const char *why); /* at its new instant: once more, or it is out */
void fate_no_room(struct drive *d);                      /* a guest's write waits, and nothing is free */
void fate_not_restarted(struct drive *d, const GError *error);
void fate_refuse(struct drive *d, const char *why); /* nothing was put over it yet */
void fate_forget_clusters(struct drive *d);
void fate_stands_no_more(struct drive *d); /* nobody asked for a retry: it leaves */
bool fate_cancel(struct drive *d, GError **error);
bool fate_retry(struct drive *d, GError **error);

/* retake.c */
void retake_later(struct drive *d); /* once its nodes are gone and the RAM is saved */
void retake_on_tick(struct backup *b);
