// SPDX-License-Identifier: GPL-2.0-or-later
/* Which drive of a run is meant: by its name, its job, or its device. */
#include <string.h>
#include "backup/run.h"

struct drive *drive_by_name(const struct backup *b, const char *name, GError **error)
{
    for_each_drive (d, b)
        if (strcmp(d->name, name) == 0)
            return d;
    g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "no drive %s is being saved", name);
    return NULL;
}

struct drive *drive_by_job(const struct backup *b, const char *id)
{
    for_each_drive (d, b)
        if (g_strcmp0(d->job_id, id) == 0)
            return d;
    return NULL;
}

struct drive *drive_by_device(const struct backup *b, const char *qdev)
{
    for_each_drive (d, b)
        if (qdev && g_strcmp0(d->qdev, qdev) == 0)
            return d;
    return NULL;
}
