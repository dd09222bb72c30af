// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/check.h"

#include <string.h>
#include <unistd.h>

#include "base/each.h"
#include "base/error.h"
#include "store/census.h"

#define MAX_THREADS 4u

struct checking {
    struct store *store;
    const struct check_options *options;
    struct checked *done;
    struct census *census;
    GHashTable *whys; /* census_chunk -> text, of this range */
    GArray *damaged;  /* census_chunk, of all ranges */
    GPtrArray *order; /* census_chunk, of this range: as they lie on the disk */
    uint64_t all;     /* bytes of this range and those before */
    GMutex lock;
    gint next; /* of the order: nobody has read it */
};

/* ---- faults ---- */

static void add_fault(struct checking *c, const struct entry *e, const struct snapshot_device *d, uint64_t offset,
                      uint64_t len, const char *what)
{
    struct check_fault *f = g_new0(struct check_fault, 1);
    *f = (struct check_fault){e, d, offset, len, g_intern_string(what)};
    g_ptr_array_add(c->done->faults, f);
}

static int compare(gconstpointer a, gconstpointer b)
{
    const struct check_fault *x = *(const struct check_fault *const *)a, *y = *(const struct check_fault *const *)b;
    if (x->entry != y->entry)
        return x->entry->number < y->entry->number ? -1 : 1;
    if (x->device != y->device)
        return !x->device ? -1 : !y->device ? 1 : strcmp(x->device->name, y->device->name);
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static bool continues(const struct check_fault *f, const struct check_fault *next)
{
    return f->entry == next->entry && f->device == next->device && f->len && f->offset + f->len == next->offset &&
           f->what == next->what;
}

static void sort_faults(GPtrArray *faults)
{
    g_ptr_array_sort(faults, compare);
    GPtrArray *merged = g_ptr_array_new();
    for (unsigned i = 0; i < faults->len; i++) {
        struct check_fault *f = g_ptr_array_index(faults, i);
        struct check_fault *last = merged->len ? g_ptr_array_index(merged, merged->len - 1) : NULL;
        if (last && continues(last, f))
            last->len += f->len;
        else
            g_ptr_array_add(merged, g_memdup2(f, sizeof *f));
    }
    g_ptr_array_set_size(faults, 0);
    for (unsigned i = 0; i < merged->len; i++)
        g_ptr_array_add(faults, g_ptr_array_index(merged, i));
    g_ptr_array_unref(merged);
}

/* ---- reading ---- */

static void on_damage(struct checking *c, struct census_chunk *chunk, const GError *error)
{
    chunk->is_damaged = true;
    c->done->damaged++;
    g_hash_table_insert(c->whys, chunk, g_strdup(error->message));
    if (error->code == VMB_ERROR_DAMAGED) /* what cannot be read today may be good: it keeps its name */
        g_array_append_val(c->damaged, *chunk);
}

static void read_one(struct checking *c, struct census_chunk *chunk, uint8_t *buffer)
{
    g_autoptr(GError) error = NULL;
    chunk_folder_read(c->store->chunks, &chunk->id, buffer, chunk->len, &error);
    g_mutex_lock(&c->lock);
    c->done->chunks++;
    c->done->bytes += chunk->stored;
    if (error)
        on_damage(c, chunk, error);
    else if (chunk->is_suspect)
        chunk_folder_suspect(c->store->chunks, &chunk->id, false, NULL);
    if (c->options->on_progress)
        c->options->on_progress(c->options->user, c->done->bytes, census_is_last(c->census) ? c->all : 0);
    g_mutex_unlock(&c->lock);
}

static gpointer read_some(gpointer user)
{
    struct checking *c = user;
    g_autofree uint8_t *buffer = g_malloc(CHUNK_MAX_BYTES);
    for (guint i; (i = (guint)g_atomic_int_add(&c->next, 1)) < c->order->len;)
        read_one(c, g_ptr_array_index(c->order, i), buffer);
    return NULL;
}

static gint compare_inodes(gconstpointer a, gconstpointer b)
{
    const struct census_chunk *x = *(const struct census_chunk *const *)a, *y = *(const struct census_chunk *const *)b;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

/* In the order of their digests, a disk would have to seek for each. */
static void put_in_order(struct checking *c)
{
    g_ptr_array_set_size(c->order, 0);
    for (guint i = 0; i < c->census->chunks->len; i++) {
        struct census_chunk *chunk = census_chunk(c->census, i);
        if (chunk->owner == CENSUS_NOBODY)
            continue;
        g_ptr_array_add(c->order, chunk);
        c->all += chunk->stored;
    }
    g_ptr_array_sort(c->order, compare_inodes);
}

static void read_range(struct checking *c)
{
    GThread *threads[MAX_THREADS];
    unsigned n = MIN(g_get_num_processors(), MAX_THREADS);
    put_in_order(c);
    c->next = 0;
    for (unsigned i = 0; i < n; i++)
        threads[i] = g_thread_new("check", read_some, c);
    for (unsigned i = 0; i < n; i++)
        g_thread_join(threads[i]);
}

/* ---- who names what ---- */

static void on_place(void *user, const struct census_place *p, struct census_chunk *chunk)
{
    const char *what = !chunk                               ? "chunk is missing"
                       : chunk->is_aside                    ? "chunk was set aside as damaged"
                       : chunk->len && chunk->len != p->len ? "chunk is named with two lengths"
                                                            : NULL;
    if (what)
        add_fault(user, p->entry, p->device, p->offset, p->len, what);
    else
        census_count(NULL, p, chunk);
}

static void on_place_again(void *user, const struct census_place *p, struct census_chunk *chunk)
{
    struct checking *c = user;
    if (chunk && chunk->is_damaged)
        add_fault(c, p->entry, p->device, p->offset, p->len, g_hash_table_lookup(c->whys, chunk));
}

/* Told once, not for each range; of what is pruned meanwhile, not at all. */
static bool on_bad_index(void *user, const struct entry *e, const struct snapshot_device *d, const GError *why)
{
    struct checking *c = user;
    if (c->census->from == 0 && access(e->path, F_OK) == 0)
        add_fault(c, e, d, 0, 0, why->message);
    return true;
}

static bool ignore_bad_index(void *user, const struct entry *e, const struct snapshot_device *d, const GError *why)
{
    return true;
}

static void check_range(struct checking *c)
{
    g_hash_table_remove_all(c->whys);
    census_walk(c->census, on_place, on_bad_index, c, NULL);
    read_range(c);
    if (g_hash_table_size(c->whys))
        census_walk(c->census, on_place_again, ignore_bad_index, c, NULL);
}

static void check_entry(struct checking *c, const struct entry *e)
{
    if (!e->snapshot && access(e->path, F_OK) == 0)
        add_fault(c, e, NULL, 0, 0, e->error->message);
    for (unsigned i = 0; e->snapshot && i < e->snapshot->configs->len; i++) {
        const struct snapshot_config *config = g_ptr_array_index(e->snapshot->configs, i);
        g_autofree char *what = g_strdup_printf("configuration %s is missing or was changed", config->name);
        if (config->is_damaged)
            add_fault(c, e, NULL, 0, 0, what);
    }
}

/* ---- what follows ---- */

static void set_one_aside(struct checking *c, const struct census_chunk *chunk, uint8_t *buffer)
{
    g_autoptr(GError) error = NULL;
    chunk_folder_read(c->store->chunks, &chunk->id, buffer, chunk->len, &error);
    if (g_error_matches(error, VMB_ERROR, VMB_ERROR_DAMAGED) &&
        chunk_folder_set_aside(c->store->chunks, &chunk->id, NULL))
        c->done->set_aside++;
}

static bool names_one_of(const struct entry *e, GHashTable *ids)
{
    for (unsigned i = 0; e->snapshot && i < e->snapshot->devices->len; i++) {
        g_autoptr(chunk_index) x = snapshot_load_index(e->snapshot, g_ptr_array_index(e->snapshot->devices, i), NULL);
        for (uint64_t at = 0; x && at < x->n; at++)
            if (g_hash_table_contains(ids, &x->ids[at]))
                return true;
    }
    return false;
}

static bool note(struct checking *c, bool is_noted, GError *why)
{
    if (!is_noted && !c->done->unnoted)
        c->done->unnoted = why;
    else
        g_clear_error(&why);
    return is_noted;
}

/* A backup that has ended meanwhile may name what was damaged already. False: some are not marked. */
static bool mark_new_ones(struct checking *c)
{
    GError *why = NULL;
    g_autoptr(GHashTable) ids = g_hash_table_new(chunk_id_hash, chunk_id_is_same);
    g_autoptr(GPtrArray) entries = entries_load(c->store, NULL, &why);
    bool ok = note(c, entries, why);
    for (guint i = 0; i < c->damaged->len; i++)
        g_hash_table_add(ids, &g_array_index(c->damaged, struct census_chunk, i).id);
    for (unsigned i = 0; entries && i < entries->len; i++) {
        const struct entry *e = g_ptr_array_index(entries, i);
        why = NULL;
        if (names_one_of(e, ids))
            ok &= note(c, snapshot_mark(e->path, SNAPSHOT_DAMAGED, true, &why), why);
    }
    return ok;
}

static void suspect_one(struct checking *c, const struct census_chunk *chunk)
{
    c->done->suspected += chunk_folder_suspect(c->store->chunks, &chunk->id, true, NULL);
}

/* With the lock nobody else is there: what is still damaged is not what a backup has written anew meanwhile. Snapshots
 * are marked first: one whose chunk is gone must never look whole to the next backup. */
static void set_aside(struct checking *c)
{
    g_autofree uint8_t *buffer = g_malloc(CHUNK_MAX_BYTES);
    bool is_mine = c->damaged->len && store_lock_exclusive(c->store, NULL), may_go = is_mine && mark_new_ones(c);
    for (guint i = 0; i < c->damaged->len; i++) {
        const struct census_chunk *chunk = &g_array_index(c->damaged, struct census_chunk, i);
        if (may_go)
            set_one_aside(c, chunk, buffer);
        else
            suspect_one(c, chunk);
    }
    if (is_mine)
        store_lock_shared(c->store);
}

/* A store that cannot be written is checked all the same. */
static void mark(struct checking *c, const struct entry *e, int64_t now)
{
    bool is_damaged = checked_is_damaged(c->done, e);
    GError *why = NULL;
    if (!e->snapshot || access(e->path, W_OK) < 0) /* or it is gone */
        return;
    bool ok = snapshot_mark(e->path, SNAPSHOT_DAMAGED, is_damaged, &why) &&
              snapshot_set_verified(e->path, is_damaged ? 0 : now, &why);
    note(c, ok || access(e->path, F_OK) < 0, why);
}

bool checked_is_damaged(const struct checked *done, const struct entry *e)
{
    for_each_in (const struct check_fault, f, done->faults)
        if (f->entry == e)
            return true;
    return false;
}

void checked_clear(struct checked *done)
{
    g_clear_pointer(&done->faults, g_ptr_array_unref);
    g_clear_error(&done->unnoted);
}

static bool check_all(struct checking *c, const GPtrArray *entries, GError **error)
{
    g_autoptr(GError) failed = NULL;
    for_each_in (const struct entry, e, entries)
        check_entry(c, e);
    while (census_next(c->census, &failed))
        check_range(c);
    if (failed)
        g_propagate_error(error, g_steal_pointer(&failed));
    return !failed;
}

bool check(struct store *s, const GPtrArray *entries, const struct check_options *options, struct checked *done,
           GError **error)
{
    struct checking c = {.store = s, .options = options, .done = done, .census = census_new(s, entries)};
    int64_t now = g_get_real_time() / G_USEC_PER_SEC;
    bool ok;
    *done = (struct checked){.faults = g_ptr_array_new_with_free_func(g_free)};
    c.census->most = options->most ? options->most : c.census->most;
    c.whys = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    c.order = g_ptr_array_new();
    c.damaged = g_array_new(FALSE, FALSE, sizeof(struct census_chunk));
    g_mutex_init(&c.lock);
    if ((ok = check_all(&c, entries, error))) {
        sort_faults(done->faults);
        for_each_in (const struct entry, e, entries)
            mark(&c, e, now);
        set_aside(&c);
    }
    census_free(c.census);
    g_hash_table_unref(c.whys);
    g_array_unref(c.damaged);
    g_ptr_array_unref(c.order);
    g_mutex_clear(&c.lock);
    return ok;
}
