// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Inside of snapshot_commit.c and snapshot_change.c: folders that are worked in. */
#include <unistd.h>
#include "store/durable.h"

/* What a changed manifest is written as: beside the snapshots, where snapshot_tidy() looks. */
#define SNAPSHOT_FRESH_JSON ".manifest-"

typedef struct {
    char *path;
    int fd; /* -1: it could not be opened */
} place;

/* Takes the path. */
static inline place place_open(char *path, GError **error)
{
    return (place){path, durable_open_folder(path, error)};
}

static inline void place_close(place *p)
{
    if (p->fd >= 0)
        close(p->fd);
    g_free(p->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(place, place_close)

/* `latest`, at the last of this guest's snapshots but that one. It is for people: where a file system has no symbolic
 * links there is none. */
void snapshot_point_latest(const place *guest, const char *but);
