// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * May a dirty bitmap in QEMU be believed, and what a plan says of it. Pure.
 *
 *     struct tracking_facts f = {.drive = "scsi0", .node = "disk0", .size = 64 * GIB, .bitmaps = …, .marks = …};
 *     struct tracking t = tracking_judge(&f);
 *     g_autofree char *text = tracking_sentence(&t, f.size, now);      // "changed since 08:10: ~1.2G of 64G"
 *     tracking_clear(&t);
 *
 * Our bitmaps are named after the backup that they count from and the image that the drive had then. One is believed
 * only if that backup is there and whole, if drive and image are the same, and if it has counted without a break. The
 * image: two drives may have changed theirs, qcow2 files take their bitmaps along, and blockdev-reopen gives a node
 * another file, or another part of it, under its bitmaps. Whatever is not sure means that everything is read,
 * which is never wrong.
 */
#include "qmp/calls.h"

#define TRACKING_PREFIX "vmb-"

/* What a snapshot says of the drive. */
struct tracking_mark {
    const char *bitmap; /* that counts from it on */
    uint64_t size;      /* of the drive then, bytes */
    int64_t instant;    /* seconds since the epoch */
    bool is_damaged;    /* a check has found that not all of it is there */
};
struct tracking_facts {
    const char *drive;  /* its name in the archive */
    const char *format; /* its node's driver */
    const char *node;   /* that the guest's device stands on */
    uint64_t size;      /* of the drive now, bytes */
    bool is_shared;     /* other guests may write to it */
    const struct qmp_bitmap *bitmaps;
    unsigned n_bitmaps; /* of all nodes */
    const struct tracking_mark *marks;
    unsigned n_marks; /* of this drive, the newest first */
};
struct tracking {
    const struct tracking_mark *mark; /* NULL: nothing is believed */
    const struct qmp_bitmap *bitmap;
    char *obstacle; /* why nothing is: "it has no bitmap", … */
};

/* Can a bitmap on a node of this driver tell of all that changes? Not on a filter: a snapshot-load or a block_resize of
 * the image below goes past it (QEMU refuses the one, and the bitmap notices the other, where it is the image's). */
bool tracking_is_possible(const char *format);
struct tracking tracking_judge(const struct tracking_facts *f);
void tracking_clear(struct tracking *t);
/* now: seconds since the epoch; of an instant of today the time is enough. g_free() it. */
/* Bytes, of a drive of this size. Its last bit is always set, whatever has changed there: see end_mark.h. */
uint64_t tracking_changed(const struct qmp_bitmap *m, uint64_t size);
char *tracking_sentence(const struct tracking *t, uint64_t size, int64_t now);

/* What a drive consists of, as QEMU says; each may be NULL. */
struct tracking_image {
    const char *drive, *format, *file, *backing;
};
/* "vmb-RUN-IMAGE"; owned. */
char *tracking_name(const char *run_id, const struct tracking_image *image);
/* Eight hexadecimal digits each; without those of an image, too, as earlier versions had it. */
/* The name of what lies beside a bitmap of ours and tells whether the drive was made smaller: see end_mark.h. */
char *tracking_witness(const char *bitmap);
bool tracking_is_witness(const char *name);
bool tracking_belongs(const char *name, const char *bitmap); /* is it the bitmap, or its witness? */
/* One of both. */
bool tracking_is_name(const char *name);
char *tracking_run_of(const char *name); /* of such a name; owned */
/* Is the image of its node that which the bitmap began with, and the drive's? */
bool tracking_is_of_image(const struct qmp_bitmap *m, const char *drive);
