// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archive.h"

#include <string.h>

#include "base/error.h"

#define READ_SIZE (1u << 20)

void cli_archive_prefix(const char *path, GError **error)
{
    g_prefix_error(error, "archive %s: ", strcmp(path, "-") ? path : "on standard input");
}

struct source *cli_archive_source(const char *path, GError **error)
{
    struct source *s = source_open(path, error);
    if (!s)
        cli_archive_prefix(path, error);
    return s;
}

static bool fail_broken(const struct cli_archive *a, GError **error)
{
    if (a->header)
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "damaged at offset %" G_GUINT64_FORMAT ": %s",
                    vma_reader_offset(a->reader), vma_reader_why(a->reader));
    else
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_DAMAGED, vma_reader_why(a->reader));
    return false;
}

static bool feed(struct cli_archive *a, GError **error)
{
    ssize_t n = source_read(a->source, a->buffer, READ_SIZE, error);
    if (n > 0)
        vma_reader_feed(a->reader, a->buffer, (size_t)n);
    else if (n == 0)
        vma_reader_feed_end(a->reader);
    return n >= 0;
}

bool cli_archive_next(struct cli_archive *a, enum vma_read_event *event, GError **error)
{
    bool is_good = !a->wants_more || feed(a, error);
    if (is_good) {
        *event = vma_reader_next(a->reader);
        a->wants_more = *event == VMA_READ_MORE;
        is_good = *event != VMA_READ_BROKEN || fail_broken(a, error);
    }
    if (!is_good)
        cli_archive_prefix(a->path, error);
    return is_good;
}

struct cli_archive *cli_archive_open(const char *path, GError **error)
{
    struct source *source = cli_archive_source(path, error);
    if (!source)
        return NULL;
    g_autoptr(cli_archive) a = g_new0(struct cli_archive, 1);
    a->path = path;
    a->source = source;
    a->reader = vma_reader_new();
    a->buffer = g_malloc(READ_SIZE);
    a->wants_more = true;
    for (enum vma_read_event event = VMA_READ_MORE; event != VMA_READ_HEADER;)
        if (!cli_archive_next(a, &event, error))
            return NULL;
    a->header = vma_reader_header(a->reader);
    return g_steal_pointer(&a);
}

void cli_archive_free(struct cli_archive *a)
{
    if (!a)
        return;
    source_free(a->source);
    vma_reader_free(a->reader);
    g_free(a->buffer);
    g_free(a);
}
