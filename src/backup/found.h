// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The guest's drives as they were found when the plan was made, and what they are called. */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct backup;

/* What query-block said of a drive, kept. */
struct found_drive {
    char *device, *qdev, *node_name, *format, *file, *backing;
    char *type;     /* of its device, where that was asked for: "scsi-hd" */
    char *occupant; /* "block job m0 (mirror) is on it": it cannot be saved now; NULL where nobody is at work on it */
    bool is_removable, has_medium, is_read_only, is_attached, is_encrypted;
    bool may_keep_bitmaps; /* over the end of QEMU: see track.c */
    bool is_shared;        /* other guests may write to it (share-rw); known where changes are tracked */
    bool is_in_iothread;   /* or may be, see plan_engine.c */
    bool is_asleep;        /* let go by a migration, and not woken since */
    uint64_t virtual_size, actual_size;
};

/* naming.c: what drives are called */
char *naming_of(struct backup *b, const struct found_drive *f); /* in the archive: unlike all rows of the model */
bool naming_fits(const struct backup *b, const struct found_drive *f,
                 const char *wanted); /* an operator may call it so */
/* The same for a list; or one of them is its name in the archive. */
bool naming_is_among(const struct backup *b, const GPtrArray *names, const char *name, const struct found_drive *f);
char *naming_device_path(const struct found_drive *f); /* of its device, in QOM */
