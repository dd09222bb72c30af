// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archive.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/signals.h"
#include "store/snapshot_image.h"

/* `latest` is another snapshot tomorrow, or in a moment: a line that is kept names the one that was read. */
static char *name_of(const char *path)
{
    return snapshot_image_is(path) ? snapshot_resolve(path) : g_strdup(path);
}

void cli_archive_prefix(const char *path, GError **error)
{
    g_autofree char *name = name_of(path);
    g_prefix_error(error, "archive %s: ", strcmp(path, "-") ? name : "on standard input");
}

struct cli_archive *cli_archive_open(const char *path, const struct vma_walk_ops *ops, void *user, GError **error)
{
    g_autofree char *name = name_of(path);
    struct source *source = archive_open_source(name, error);
    if (!source) {
        cli_archive_prefix(name, error);
        return NULL;
    }
    struct cli_archive *a = g_new0(struct cli_archive, 1);
    a->shown = text_make_safe(strcmp(path, "-") ? name : "standard input");
    a->path = path;
    a->real = g_steal_pointer(&name);
    a->source = source;
    a->walk = vma_walk_new(ops, user);
    if (source_is_device(source))
        vma_walk_end_at_mark(a->walk);
    a->ahead = ahead_new(source);
    return a;
}

void cli_archive_free(struct cli_archive *a)
{
    if (!a)
        return;
    ahead_free(a->ahead);
    source_free(a->source);
    vma_walk_free(a->walk);
    g_clear_error(&a->stop);
    g_free(a->real);
    g_free(a->shown);
    g_free(a);
}

void cli_archive_stop(struct cli_archive *a, uint64_t offset, const char *text)
{
    if (!a->stop)
        g_set_error(&a->stop, VMB_ERROR, VMB_ERROR_DAMAGED, "damaged at offset %" G_GUINT64_FORMAT ": %s", offset,
                    text);
}

/* Reading met an error; true: it is told, and reading goes on behind it. */
static bool go_on(struct cli_archive *a, struct ahead_piece *p, GError **error)
{
    if (a->goes_on && g_error_matches(p->error, VMB_ERROR, VMB_ERROR_DAMAGED) && vma_walk_header(a->walk))
        return vma_walk_gap(a->walk, p->lost, p->error->message, error);
    g_propagate_error(error, g_steal_pointer(&p->error));
    return false;
}

static bool is_stopped(struct cli_archive *a, GError **error)
{
    if (a->stop) {
        g_clear_error(error);
        g_propagate_error(error, g_steal_pointer(&a->stop));
        return true;
    }
    if (signals_caught()) {
        g_clear_error(error);
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_CANCELLED, "interrupted");
        return true;
    }
    return false;
}

/* One piece; *is_over at the end. */
static bool read_piece(struct cli_archive *a, bool *is_over, GError **error)
{
    struct ahead_piece *p = ahead_next(a->ahead);
    bool is_good = true;
    if (p->len > 0)
        is_good = vma_walk_feed(a->walk, p->bytes, (size_t)p->len, error);
    else if (p->len < 0)
        is_good = go_on(a, p, error);
    *is_over = p->len == 0 || vma_walk_has_ended(a->walk);
    if (*is_over && is_good)
        is_good = vma_walk_end(a->walk, error);
    a->position = p->position;
    return !is_stopped(a, error) && is_good;
}

bool cli_archive_read_header(struct cli_archive *a, GError **error)
{
    for (bool is_over = false; !vma_walk_header(a->walk) && !is_over;)
        if (!read_piece(a, &is_over, error)) {
            cli_archive_prefix(a->real, error);
            return false;
        }
    return true;
}

bool cli_archive_read(struct cli_archive *a, const char *doing, GError **error)
{
    bool is_good = true;
    progress_start(&a->progress, doing);
    for (bool is_over = false; is_good && !is_over;) {
        is_good = read_piece(a, &is_over, error);
        progress_tell(&a->progress, a->position, source_size(a->source));
    }
    progress_clear(&a->progress);
    if (!is_good && !g_error_matches(*error, VMB_ERROR, VMB_ERROR_TARGET)) /* of what ops write to */
        cli_archive_prefix(a->real, error);
    return is_good;
}
