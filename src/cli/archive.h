// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive as the commands see it that read it from front to back: a source, and a walk through it.
 *
 *     g_autoptr(cli_archive) a = cli_archive_open(path, &ops, user, &error);
 *     cli_archive_read_header(a, &error);                 // enough for some
 *     cli_archive_read(a, "verifying", &error);           // all of it, with progress; ends when interrupted
 *
 * Errors begin with "archive PATH: ".
 */
#include <stdbool.h>
#include <glib.h>
#include "cli/progress.h"
#include "sink/ahead.h"
#include "vma/walk.h"

struct cli_archive {
    const char *path; /* as it was given; "-" = standard input */
    char *real;       /* the same, but `latest` is resolved: what is read */
    char *shown;      /* that, safe to print */
    struct source *source;
    struct ahead *ahead; /* the only one who reads it */
    struct vma_walk *walk;
    struct progress progress;
    uint64_t position; /* in the file as it lies there: what was read up to here is done */
    bool goes_on;      /* over damage: each fault is told to ops.fault; else the first one ends it */
    GError *stop;      /* by cli_archive_stop() */
};

/* Reads nothing yet. ops (borrowed) and user as in vma/walk.h. */
struct cli_archive *cli_archive_open(const char *path, const struct vma_walk_ops *ops, void *user, GError **error);
void cli_archive_free(struct cli_archive *a);
/* Until vma_walk_header() is there. */
bool cli_archive_read_header(struct cli_archive *a, GError **error);
/* What is left of it. False: it could not be read, was stopped, or is damaged and goes_on is not set
 * (DAMAGED), or a signal came (CANCELLED). doing: for the line that shows progress. */
bool cli_archive_read(struct cli_archive *a, const char *doing, GError **error);
/* For ops.fault: what was read last is the last. */
void cli_archive_stop(struct cli_archive *a, uint64_t offset, const char *text);
/* "archive PATH: " before what stands in *error (if error and *error). */
void cli_archive_prefix(const char *path, GError **error);

typedef struct cli_archive cli_archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cli_archive, cli_archive_free)
