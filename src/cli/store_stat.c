// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup store stat [--json] DIR`; of DIR/GUEST the snapshots are shown, and the figures of the whole store. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/each.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/snapshots.h"
#include "cli/store.h"
#include "store/census.h"

struct figures {
    uint64_t logical;
    uint64_t stored, chunks;        /* that some snapshot names */
    uint64_t unused, unused_chunks; /* that none does */
    uint64_t aside;                 /* chunks */
    uint64_t *alone;                /* of each entry: bytes that would go with it */
};

static void count_chunk(struct figures *f, const struct census_chunk *chunk)
{
    f->aside += chunk->is_aside;
    if (chunk->owner == CENSUS_NOBODY) {
        f->unused += chunk->stored;
        f->unused_chunks++;
        return;
    }
    f->stored += chunk->stored;
    f->chunks++;
    if (chunk->owner != CENSUS_MANY)
        f->alone[chunk->owner - 1] += chunk->stored;
}

/* What cannot be read names nothing here: a check tells of it. */
static bool pass_over(void *user, const struct entry *e, const struct snapshot_device *d, const GError *why)
{
    return true;
}

static bool measure(const struct snapshots *all, struct figures *f, GError **error)
{
    struct census *c = census_new(all->store, all->entries);
    g_autoptr(GError) failed = NULL;
    f->alone = g_new0(uint64_t, all->entries->len);
    for_each_in (const struct entry, e, all->entries)
        f->logical += snapshots_size(e);
    while (census_next(c, &failed)) {
        census_walk(c, census_count, pass_over, NULL, NULL);
        for (guint i = 0; i < c->chunks->len; i++)
            count_chunk(f, census_chunk(c, i));
    }
    census_free(c);
    bool ok = !failed;
    if (failed)
        g_propagate_error(error, g_steal_pointer(&failed));
    return ok;
}

static double ratio_of(const struct figures *f)
{
    return f->stored ? (double)f->logical / (double)f->stored : 0;
}

static bool is_shown(const struct snapshots *all, const struct entry *e)
{
    return !all->guest || strcmp(all->guest, e->guest) == 0;
}

static void print_text(const struct snapshots *all, const struct figures *f)
{
    char a[UNITS_LEN], b[UNITS_LEN], c[UNITS_LEN];
    printf("store      %s\n", all->shown);
    printf("snapshots  %u, of %s\n", all->entries->len, units_format_size(f->logical, a));
    printf("stored     %s in %" G_GUINT64_FORMAT " chunks of %s", units_format_size(f->stored, a), f->chunks,
           units_format_size(all->store->chunk_bytes, b));
    printf(f->stored ? ": 1 to %.1f\n" : "\n", ratio_of(f));
    if (f->unused_chunks)
        printf("unused     %s in %" G_GUINT64_FORMAT " chunks; `vmabackup prune` removes them\n",
               units_format_size(f->unused, a), f->unused_chunks);
    if (f->aside)
        printf("set aside  %" G_GUINT64_FORMAT " damaged chunks\n", f->aside);
    if (all->entries->len)
        puts("\n  SIZE     NEW   ALONE  SNAPSHOT");
    for_each_in (const struct entry, e, all->entries)
        if (is_shown(all, e))
            printf("%6s  %6s  %6s  %s%s\n", units_format_size(snapshots_size(e), a),
                   units_format_size(snapshots_new_bytes(e), b), units_format_size(f->alone[e->number - 1], c),
                   e->shown, e->error ? "  cannot be read" : "");
}

static void add_number(struct json_object *o, const char *key, uint64_t number)
{
    json_object_object_add(o, key, json_object_new_int64((int64_t)number));
}

static void print_json(const struct snapshots *all, const struct figures *f)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    for_each_in (const struct entry, e, all->entries) {
        if (!is_shown(all, e))
            continue;
        struct json_object *s = snapshots_json(e);
        add_number(s, "alone_bytes", f->alone[e->number - 1]);
        json_object_array_add(list, s);
    }
    json_object_object_add(o, "store", json_object_new_string(all->shown));
    add_number(o, "chunk", all->store->chunk_bytes);
    add_number(o, "logical_bytes", f->logical);
    add_number(o, "stored_bytes", f->stored);
    add_number(o, "chunks", f->chunks);
    json_object_object_add(o, "ratio", json_object_new_double(ratio_of(f)));
    add_number(o, "unused_bytes", f->unused);
    add_number(o, "unused_chunks", f->unused_chunks);
    add_number(o, "set_aside", f->aside);
    json_object_object_add(o, "snapshots", list);
    cli_json_print(o);
}

/* Of all guests, whichever is shown: they share chunks. */
static bool load_all(struct snapshots *all, const char *path, GError **error)
{
    if (!snapshots_load(all, path, error))
        return false;
    if (all->guest) {
        g_ptr_array_unref(all->entries);
        all->entries = entries_load(all->store, NULL, error);
    }
    return all->entries != NULL;
}

int cli_store_stat(const char *path, bool is_json)
{
    struct snapshots all = {0};
    struct figures f = {0};
    g_autoptr(GError) error = NULL;
    bool ok = load_all(&all, path, &error) && measure(&all, &f, &error);
    if (ok)
        (is_json ? print_json : print_text)(&all, &f);
    g_free(f.alone);
    snapshots_clear(&all);
    return ok ? 0 : cli_fail(error);
}
