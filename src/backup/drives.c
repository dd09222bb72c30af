// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of each drive of a run, and which one is meant: by its name, its job, or its device. */
#include <string.h>
#include "backup/run.h"

void drive_become(struct drive *d, enum drive_state state)
{
    if (!drive_state_moves(d->state, state))
        g_error("drive %s: from %s to %s", d->name, drive_state_name(d->state), drive_state_name(state));
    d->state = state;
    backup_row_state(d->b, d->row, drive_state_shown(state));
}

/* The run's instant is that of the first drive to be frozen: all are while the guest stands still. */
void drive_take_instant(struct drive *d)
{
    struct backup *b = d->b;
    int64_t *instant_us = drive_is(d, DRIVE_IS_RETAKEN) ? &b->retake.instant_us : &b->instant_us;

    if (!*instant_us)
        *instant_us = g_get_real_time();
    d->instant_us = *instant_us;
}

struct drive *drive_by_name(const struct backup *b, const char *name, GError **error)
{
    for_each_drive (d, b)
        if (strcmp(d->name, name) == 0)
            return d;
    return vmb_null(error, VMB_ERROR_USAGE, "no drive %s is being saved", name);
}

struct drive *drive_by_job(const struct backup *b, const char *id)
{
    for_each_drive (d, b)
        if (g_strcmp0(d->names.job, id) == 0)
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
