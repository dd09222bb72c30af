// SPDX-License-Identifier: GPL-2.0-or-later
/* Dirty bitmaps: what a dead run had frozen goes with its frozen image, and what it began to count goes unless its
 * backup is saved. What an earlier backup counts on stays. */
#include <string.h>
#include "base/error.h"
#include "qemu/tracking.h"
#include "rescue/cleanup_inside.h"

static void tell_stays(struct cleanup *c, const struct qmp_bitmap *m, const char *why)
{
    g_autofree char *line = g_strdup_printf("dirty bitmap %s of node %s stays: %s", m->name, m->node_name, why);

    c->on_line(c->user, line);
}

static void add(struct cleanup *c, const struct qmp_bitmap *m)
{
    struct action a = {REMOVE_BITMAP, NULL, NULL};

    if (m->is_read_only) { /* of a backing image: refused */
        tell_stays(c, m, "its image is open for reading only");
        return;
    }
    a.name = g_strdup(m->name);
    a.node = g_strdup(m->node_name);
    g_array_append_val(c->bitmaps, a);
}

static const struct journal_record *record_of(const struct cleanup *c, const char *run_id)
{
    for_each_in (const struct journal_record, r, c->records)
        if (g_str_equal(r->run_id, run_id))
            return r;
    return NULL;
}

static bool is_in(const GArray *actions, const char *prefix)
{
    for (unsigned i = 0; i < actions->len; i++)
        if (g_str_has_prefix(g_array_index(actions, struct action, i).name, prefix))
            return true;
    return false;
}

/* Without its journal nobody knows if the backup of a run that died was saved. */
static void tell_kept(struct cleanup *c, const struct qmp_bitmap *m)
{
    g_autofree char *run = tracking_run_of(m->name), *prefix = g_strdup_printf(PREFIX "%s-", run);

    if (!is_in(c->snapshots, prefix) && !is_in(c->nodes, prefix) && !is_in(c->jobs, prefix))
        return;
    tell_stays(c, m, "its backup may have been saved; --untrack removes it");
}

static void judge(struct cleanup *c, const struct qmp_bitmap *m)
{
    g_autofree char *run = tracking_is_name(m->name) ? tracking_run_of(m->name) : NULL;
    const struct journal_record *r = run ? record_of(c, run) : NULL;
    bool is_frozen = g_str_has_prefix(m->name, PREFIX) && g_str_has_suffix(m->name, "-changed");

    if (is_frozen || (r && !r->is_saved) || (c->is_untrack && run))
        add(c, m);
    else if (!r && run && !tracking_is_witness(m->name))
        tell_kept(c, m);
}

static void on_bitmaps(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    for (unsigned i = 0; !error && i < n; i++)
        judge(c, &bitmaps[i]);
    c->bitmaps_found(c, qmp_error_is_refusal(error) && !c->is_untrack ? NULL : error);
}

void cleanup_find_bitmaps(struct cleanup *c, void (*found)(struct cleanup *c, const GError *error))
{
    c->bitmaps_found = found;
    qmp_query_bitmaps(c->qmp, on_bitmaps, c);
}
