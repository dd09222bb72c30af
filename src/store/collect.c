// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/collect.h"

#include <stdio.h>

#include "base/each.h"
#include "base/error.h"
#include "store/census.h"
#include "store/stray.h"

#define ASK_EVERY 64u /* files */

static bool all_are_read(const GPtrArray *entries, GError **error)
{
    for_each_in (const struct entry, e, entries)
        if (!e->snapshot) {
            if (error)
                *error = g_error_copy(e->error);
            return false;
        }
    return true;
}

static bool remove_unnamed(struct census *c, const struct collect_options *o, struct collected *done, GError **error)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct census_chunk *chunk = census_chunk(c, i);
        if (chunk->owner != CENSUS_NOBODY) {
            done->kept_chunks++;
            done->kept_bytes += chunk->stored;
            continue;
        }
        if (done->chunks % ASK_EVERY == 0 && o->go_on && !o->go_on(o->user)) {
            c->is_ended = true;
            return false;
        }
        if (!o->is_dry_run && !chunk_folder_remove(c->store->chunks, &chunk->id, chunk->is_aside, error))
            return false;
        done->chunks++;
        done->bytes += chunk->stored;
    }
    return true;
}

bool collect(struct store *s, const GPtrArray *entries, const struct collect_options *options, struct collected *done,
             GError **error)
{
    struct census *c = census_new(s, entries);
    g_autoptr(GError) failed = NULL;
    *done = (struct collected){0};
    c->most = options->most ? options->most : c->most;
    c->go_on = options->go_on;
    c->user = options->user;
    bool ok = all_are_read(entries, &failed) && stray_check(s, &failed);
    while (ok && census_next(c, &failed))
        ok = census_walk(c, census_count, NULL, NULL, &failed) && remove_unnamed(c, options, done, &failed);
    done->is_ended_early = c->is_ended;
    census_free(c);
    if (!failed)
        return true;
    g_prefix_error(&failed, "unused chunks are not removed: ");
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}
