// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/lines.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

struct lines {
    size_t max;
    lines_on_line on_line;
    void *user;
    GString *begun; /* of a line whose end has not come */
    bool is_too_long;
    bool *was_freed; /* while lines_feed() runs */
};

struct lines *lines_new(size_t max, lines_on_line on_line, void *user)
{
    struct lines *l = g_new0(struct lines, 1);
    l->max = max;
    l->on_line = on_line;
    l->user = user;
    l->begun = g_string_new(NULL);
    return l;
}

void lines_free(struct lines *l)
{
    if (!l)
        return;
    if (l->was_freed)
        *l->was_freed = true;
    g_string_free(l->begun, TRUE);
    g_free(l);
}

static void keep(struct lines *l, const char *bytes, size_t len)
{
    l->is_too_long |= l->begun->len + len > l->max;
    if (l->is_too_long)
        g_string_truncate(l->begun, 0);
    else
        g_string_append_len(l->begun, bytes, (gssize)len);
}

/* The line goes out of l first: whoever gets it may free l. */
static void hand_over(struct lines *l)
{
    g_autoptr(GString) line = l->begun;
    bool is_too_long = l->is_too_long;
    l->begun = g_string_new(NULL);
    l->is_too_long = false;
    l->on_line(l->user, is_too_long ? NULL : line->str, is_too_long ? 0 : line->len);
}

void lines_feed(struct lines *l, const char *bytes, size_t len)
{
    bool was_freed = false;
    l->was_freed = &was_freed;
    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) : len;
        keep(l, bytes, n);
        bytes += n + (end != NULL);
        len -= n + (end != NULL);
        if (end)
            hand_over(l);
        if (was_freed)
            return;
    }
    l->was_freed = NULL;
}
