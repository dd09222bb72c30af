// SPDX-License-Identifier: GPL-2.0-or-later
/* What a plan says of the drives' changes: QEMU's bitmaps beside the snapshots that they are named after. */
#include "backup/found.h"
#include "backup/run.h"
#include "base/units.h"
#include "qemu/tracking.h"
#include "store/chunk_index.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "vma/bitmap.h"

#define MOST_SNAPSHOTS 64 /* that are looked at: an older bitmap is not believed */
#define SNAPSHOTS_SAID 3

bool track_is_wanted(const struct backup *b)
{
    return backup_options_track(&b->options) || b->options.only_ask ||
           (b->options.wait_for_begin && !b->options.no_track);
}

/* --- QEMU's bitmaps ------------------------------------------------------------------------------ */

static char *keep(struct backup *b, const char *text)
{
    return text ? g_string_chunk_insert_const(b->tracks.texts, text) : NULL;
}

void track_take_bitmaps(struct backup *b, const struct qmp_bitmap *bitmaps, unsigned n)
{
    if (!b->tracks.bitmaps) {
        b->tracks.bitmaps = g_array_new(FALSE, FALSE, sizeof(struct qmp_bitmap));
        b->tracks.texts = g_string_chunk_new(1024);
    }
    g_array_set_size(b->tracks.bitmaps, 0);
    g_string_chunk_clear(b->tracks.texts);
    for (unsigned i = 0; i < n; i++) {
        struct qmp_bitmap mine = bitmaps[i];
        mine.node_name = keep(b, mine.node_name);
        mine.name = keep(b, mine.name);
        mine.format = keep(b, mine.format);
        mine.file = keep(b, mine.file);
        mine.backing = keep(b, mine.backing);
        g_array_append_val(b->tracks.bitmaps, mine);
    }
}

/* --- the store's snapshots ----------------------------------------------------------------------- */

static gint newest_first(gconstpointer a, gconstpointer b)
{
    return snapshot_compare_names(*(const char *const *)b, *(const char *const *)a);
}

/* Their names; none where there is no such folder. */
static GPtrArray *names_in(const char *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (snapshot_is_name(name))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, newest_first);
    return names;
}

static void free_snapshot(gpointer s)
{
    snapshot_free(s);
}

/* "2026-11-30 08:10, 1.2G new, verified" */
static void say_snapshot(GString *text, const struct snapshot *s)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(s->instant);
    g_autofree char *time = when ? g_date_time_format(when, "%Y-%m-%d %H:%M") : g_strdup("?");
    char size[UNITS_LEN];

    g_string_append_printf(text, "%s, %s new%s", time, units_format_size(snapshot_new_bytes(s), size),
                           s->is_damaged ? ", DAMAGED"
                           : s->verified ? ", verified"
                                         : "");
}

/* For the operator, whatever is tracked. */
static void say_snapshots(struct backup *b, unsigned n)
{
    g_autoptr(GString) text = g_string_new(n ? NULL : "none in this store yet");

    if (n > 1)
        g_string_printf(text, "%u: ", n);
    for (unsigned i = 0; i < MIN(b->tracks.snapshots->len, SNAPSHOTS_SAID); i++) {
        g_string_append(text, i ? "; " : "");
        say_snapshot(text, g_ptr_array_index(b->tracks.snapshots, i));
    }
    model_set(b->model.sink.backups, "%s", text->str);
}

/* Without the store's lock: a snapshot that goes meanwhile is not believed when it is looked at again. */
static void load_snapshots(struct backup *b)
{
    g_autofree char *guest = store_guest_name(b->model.guest);
    g_autofree char *folder = g_build_filename(b->options.target, guest, NULL);
    g_autoptr(GPtrArray) names = names_in(folder);

    if (g_strcmp0(folder, b->tracks.snapshots_of) == 0)
        return;
    g_free(b->tracks.snapshots_of);
    b->tracks.snapshots_of = g_steal_pointer(&folder);
    g_clear_pointer(&b->tracks.snapshots, g_ptr_array_unref);
    b->tracks.snapshots = g_ptr_array_new_with_free_func(free_snapshot);
    for (unsigned i = 0; i < MIN(names->len, MOST_SNAPSHOTS); i++) {
        g_autofree char *path = g_build_filename(b->tracks.snapshots_of, g_ptr_array_index(names, i), NULL);
        struct snapshot *s = snapshot_load(path, NULL);
        if (s)
            g_ptr_array_add(b->tracks.snapshots, s);
    }
    say_snapshots(b, names->len);
}

static GArray *marks_of(const struct backup *b, const struct drive *d)
{
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct tracking_mark));

    for_each_in (const struct snapshot, s, b->tracks.snapshots) {
        const struct snapshot_device *device = snapshot_find_device(s, d->name);
        if (device && device->bitmap) {
            struct tracking_mark mark = {device->bitmap, device->size, s->instant, s->is_damaged};
            g_array_append_val(marks, mark);
        }
    }
    return marks;
}

static bool is_named_in(const struct snapshot *s, const char *bitmap)
{
    for_each_in (const struct snapshot_device, device, s->devices)
        if (tracking_belongs(bitmap, device->bitmap))
            return true;
    return false;
}

bool track_is_known(const struct backup *b, const char *bitmap)
{
    for_each_in (const struct snapshot, s, b->tracks.snapshots)
        if (is_named_in(s, bitmap))
            return true;
    return false;
}

static const struct snapshot *snapshot_of(const struct backup *b, const struct drive *d, const char *bitmap)
{
    for_each_in (const struct snapshot, s, b->tracks.snapshots) {
        const struct snapshot_device *device = snapshot_find_device(s, d->name);
        if (device && g_strcmp0(device->bitmap, bitmap) == 0)
            return s;
    }
    return NULL;
}

/* --- the plan ------------------------------------------------------------------------------------ */

void track_clear_drive(struct drive *d)
{
    g_free(d->track.base);
    g_free(d->track.snapshot);
    g_free(d->track.node);
    chunk_index_free(d->track.index);
    vma_bitmap_free(d->track.unchanged);
    d->track = (struct track){.base = NULL};
}

static void believe(struct drive *d, const struct tracking *t)
{
    d->track.is_believed = true;
    d->track.base = g_strdup(t->mark->bitmap);
    d->track.snapshot = g_strdup(snapshot_of(d->b, d, t->mark->bitmap)->path);
    d->track.since = t->mark->instant;
    backup_row(d)->track.is_incremental = true;
    backup_row(d)->track.changed = tracking_changed(t->bitmap, d->size);
}

static void plan_drive(struct drive *d)
{
    struct backup *b = d->b;
    g_autoptr(GArray) marks = marks_of(b, d);
    struct tracking_facts facts = {
        .drive = d->name,
        .format = backup_row(d)->format,
        .node = d->node,
        .size = d->size,
        .is_shared = d->track.is_shared,
        .bitmaps = (const struct qmp_bitmap *)(void *)b->tracks.bitmaps->data,
        .n_bitmaps = b->tracks.bitmaps->len,
        .marks = (const struct tracking_mark *)(void *)marks->data,
        .n_marks = marks->len,
    };
    struct tracking t = tracking_judge(&facts);
    g_autofree char *said = tracking_sentence(&t, d->size, g_get_real_time() / G_USEC_PER_SEC);

    if (t.mark)
        believe(d, &t);
    model_set(backup_row(d)->track.plan, "%s", said);
    tracking_clear(&t);
}

/* Without a store nobody knows since when: "vmb-0123abcd, ~1.2G changed; vmb-…". */
static void list_bitmaps(struct backup *b, struct model_drive *row)
{
    g_autoptr(GString) list = g_string_new(NULL);
    char size[UNITS_LEN];

    for (unsigned i = 0; i < b->tracks.bitmaps->len; i++) {
        const struct qmp_bitmap *m = &g_array_index(b->tracks.bitmaps, struct qmp_bitmap, i);
        if (!tracking_is_name(m->name) || tracking_is_witness(m->name) || g_strcmp0(m->node_name, row->node) != 0)
            continue;
        g_string_append_printf(list, "%s%s%s: %s%s changed", list->len ? "; " : "", m->name,
                               m->is_persistent ? ", persistent" : "", tracking_changed(m, row->size) ? "~" : "",
                               units_format_size(tracking_changed(m, row->size), size));
        if (m->is_inconsistent || !m->is_recording)
            g_string_append(list, m->is_inconsistent ? ", broken off" : ", switched off");
    }
    model_set(row->track.bitmaps, "%s", list->str);
}

void track_plan(struct backup *b)
{
    if (b->options.is_store)
        load_snapshots(b);
    else
        model_set(b->model.sink.backups, "%s", "");
    if (!b->tracks.bitmaps)
        return;
    for (unsigned i = 0; i < b->model.n_drives && b->options.only_ask; i++)
        list_bitmaps(b, &b->model.drives[i]);
    if (!backup_options_track(&b->options))
        return;
    for_each_drive (d, b)
        if (d->is_guarded)
            plan_drive(d);
}

void track_clear(struct backup *b)
{
    g_clear_pointer(&b->tracks.bitmaps, g_array_unref);
    g_clear_pointer(&b->tracks.texts, g_string_chunk_free);
    g_clear_pointer(&b->tracks.snapshots, g_ptr_array_unref);
    g_clear_pointer(&b->tracks.snapshots_of, g_free);
}
