// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A drive of an archive and its place on the guest's command line. For guest_command.c.
 *
 *     struct guest_drive *d = guest_drive_new(description, line, "scsi0", "/tmp/overlay", "qcow2");
 *     guest_drive_finish(drives, line, entry, empty)      // each -drive and -blockdev
 *     guest_drive_plain(d)                                // the one for which none is left
 */
#include <stdbool.h>
#include <glib.h>

#include "guest/line.h"

struct json_object;
struct guest_drive;
/* description, line: may be NULL. */
struct guest_drive *guest_drive_new(struct json_object *description, const struct guest_line *line, const char *name,
                                    const char *file, const char *format);
void guest_drive_free(void *drive);
/* entry gets the drive that has its place, else nothing but zeros (told to `empty`), no medium, or firmware
 * of this host. False: leave it out. */
bool guest_drive_finish(const GPtrArray *drives, struct guest_line *line, struct guest_entry *entry, GPtrArray *empty);
/* The argument of a -drive for one that has no place; NULL: it has. g_free() it. */
char *guest_drive_plain(const struct guest_drive *d);
/* Once all are there: no two have the same place. */
void guest_drive_settle(const GPtrArray *drives);
