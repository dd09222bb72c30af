// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive as the reading commands see it: a source and a reader, events one by one.
 *
 *     g_autoptr(cli_archive) a = cli_archive_open(path, &error);      // its header has been read
 *     while (cli_archive_next(a, &event, &error) && event != VMA_READ_END) …
 *
 * Errors begin with "archive PATH: ".
 */
#include <stdbool.h>
#include <glib.h>
#include "sink/source.h"
#include "vma/reader.h"

struct cli_archive {
    const char *path; /* as it was given; "-" = standard input */
    struct source *source;
    struct vma_reader *reader;
    const struct vma_header *header;
    uint8_t *buffer;
    bool wants_more;
};

struct cli_archive *cli_archive_open(const char *path, GError **error);
void cli_archive_free(struct cli_archive *a);
/* VMA_READ_MORE is an event, too: what VMA_READ_BLOCK pointed to ends with it. Never VMA_READ_BROKEN: that is
 * an error of code DAMAGED. */
bool cli_archive_next(struct cli_archive *a, enum vma_read_event *event, GError **error);
/* Opens without reading anything; "archive PATH: " stands before its errors, too. */
struct source *cli_archive_source(const char *path, GError **error);
/* "archive PATH: " before what stands in *error (if error and *error). */
void cli_archive_prefix(const char *path, GError **error);

typedef struct cli_archive cli_archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cli_archive, cli_archive_free)
