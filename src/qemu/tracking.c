// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/tracking.h"

#include <string.h>
#include "base/units.h"

#define HEX        "0123456789abcdef"
#define RUN_ID_LEN 8
#define IMAGE_LEN  8
#define WITNESS    "-end"

bool tracking_is_name(const char *name)
{
    size_t prefix = strlen(TRACKING_PREFIX);

    if (!name || !g_str_has_prefix(name, TRACKING_PREFIX) || strspn(name + prefix, HEX) != RUN_ID_LEN)
        return false;
    name += prefix + RUN_ID_LEN;
    if (*name != '-' || strspn(name + 1, HEX) != IMAGE_LEN)
        return !*name;
    name += 1 + IMAGE_LEN;
    return !*name || g_str_equal(name, WITNESS);
}

char *tracking_witness(const char *bitmap)
{
    return g_strconcat(bitmap, WITNESS, NULL);
}

bool tracking_is_witness(const char *name)
{
    return tracking_is_name(name) && g_str_has_suffix(name, WITNESS);
}

bool tracking_belongs(const char *name, const char *bitmap)
{
    g_autofree char *witness = bitmap ? tracking_witness(bitmap) : NULL;

    return bitmap && (g_str_equal(name, bitmap) || g_str_equal(name, witness));
}

char *tracking_run_of(const char *name)
{
    return g_strndup(name + strlen(TRACKING_PREFIX), RUN_ID_LEN);
}

char *tracking_name(const char *run_id, const struct tracking_image *image)
{
    const char *const parts[] = {image->drive, image->format, image->file, image->backing};
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        const char *part = parts[i] ? parts[i] : "";
        g_checksum_update(sum, (const guchar *)part, (gssize)strlen(part) + 1);
    }
    return g_strdup_printf(TRACKING_PREFIX "%s-%.*s", run_id, IMAGE_LEN, g_checksum_get_string(sum));
}

bool tracking_is_of_image(const struct qmp_bitmap *m, const char *drive)
{
    g_autofree char *run = tracking_run_of(m->name);
    g_autofree char *name = tracking_name(run, &(struct tracking_image){drive, m->format, m->file, m->backing});

    return g_str_equal(m->name, name);
}

static bool is_counter(const struct tracking_facts *f, const struct qmp_bitmap *m)
{
    return g_strcmp0(m->node_name, f->node) == 0 && tracking_is_name(m->name) && !tracking_is_witness(m->name);
}

/* Of the same run: it may be another drive's. */
static const struct qmp_bitmap *find(const struct tracking_facts *f, const char *name)
{
    size_t len = strlen(TRACKING_PREFIX) + RUN_ID_LEN;

    for (unsigned i = 0; i < f->n_bitmaps; i++)
        if (is_counter(f, &f->bitmaps[i]) && strncmp(f->bitmaps[i].name, name, len) == 0)
            return &f->bitmaps[i];
    return NULL;
}

/* Nobody writes to it, so its only bit is lost with the end of the drive and never comes back. */
static bool was_smaller(const struct tracking_facts *f, const char *bitmap)
{
    g_autofree char *name = tracking_witness(bitmap);

    for (unsigned i = 0; i < f->n_bitmaps; i++) {
        const struct qmp_bitmap *m = &f->bitmaps[i];
        if (g_strcmp0(m->node_name, f->node) == 0 && g_strcmp0(m->name, name) == 0)
            return m->is_recording || m->is_inconsistent || !m->count;
    }
    return true;
}

/* Owned; NULL: none. */
static char *obstacle_of(const struct tracking_facts *f, const struct tracking_mark *mark, const struct qmp_bitmap *m)
{
    char then[UNITS_LEN], now[UNITS_LEN];

    if (g_strcmp0(mark->bitmap, m->name) != 0 || !tracking_is_of_image(m, f->drive))
        return g_strdup("its image is another one than then, or was another drive's");
    if (m->is_inconsistent)
        return g_strdup("QEMU was killed before its bitmap was saved");
    if (!m->is_recording)
        return g_strdup("its bitmap has been switched off");
    if (m->is_busy)
        return g_strdup("its bitmap is in use by somebody else");
    if (!m->granularity)
        return g_strdup("QEMU does not tell how its bitmap counts");
    if (mark->is_damaged)
        return g_strdup("the backup that its bitmap counts from is damaged");
    if (mark->size != f->size)
        return g_strdup_printf("it has another size than then: %s, not %s", units_format_size(f->size, now),
                               units_format_size(mark->size, then));
    if (was_smaller(f, m->name))
        return g_strdup("it was made smaller since, or its bitmap cannot tell");
    return NULL;
}

/* No snapshot here has a bitmap that is there. */
static char *nothing_fits(const struct tracking_facts *f)
{
    for (unsigned i = 0; i < f->n_bitmaps; i++)
        if (is_counter(f, &f->bitmaps[i]))
            return g_strdup("its bitmap counts from a backup that is not in this store");
    return g_strdup(f->n_marks ? "its bitmap is gone: the image or QEMU is another one than then"
                               : "no backup in this store has counted its changes");
}

bool tracking_is_possible(const char *format)
{
    static const char *const filters[] = {"blkdebug",     "blklogwrites", "blkreplay", "blkverify",   "compress",
                                          "copy-on-read", "preallocate",  "quorum",    "replication", "throttle"};

    for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
        if (g_strcmp0(format, filters[i]) == 0)
            return false;
    return true;
}

struct tracking tracking_judge(const struct tracking_facts *f)
{
    struct tracking t = {NULL};

    if (!tracking_is_possible(f->format)) {
        t.obstacle = g_strdup_printf("no bitmap tells what changes below a filter (%s)", f->format);
        return t;
    }
    if (f->is_shared) {
        t.obstacle = g_strdup("other guests may write to it (share-rw), which no bitmap tells");
        return t;
    }
    for (unsigned i = 0; i < f->n_marks; i++) {
        const struct tracking_mark *mark = &f->marks[i];
        const struct qmp_bitmap *bitmap = tracking_is_name(mark->bitmap) ? find(f, mark->bitmap) : NULL;
        g_autofree char *obstacle = bitmap ? obstacle_of(f, mark, bitmap) : NULL;
        if (bitmap && !obstacle) {
            g_clear_pointer(&t.obstacle, g_free);
            t.mark = mark;
            t.bitmap = bitmap;
            return t;
        }
        if (!t.obstacle)
            t.obstacle = g_steal_pointer(&obstacle);
    }
    if (!t.obstacle)
        t.obstacle = nothing_fits(f);
    return t;
}

void tracking_clear(struct tracking *t)
{
    g_clear_pointer(&t->obstacle, g_free);
}

static char *instant_text(int64_t instant, int64_t now)
{
    g_autoptr(GDateTime) then = g_date_time_new_from_unix_local(instant), today = g_date_time_new_from_unix_local(now);
    bool is_today = then && today && g_date_time_get_year(then) == g_date_time_get_year(today) &&
                    g_date_time_get_day_of_year(then) == g_date_time_get_day_of_year(today);

    return then ? g_date_time_format(then, is_today ? "%H:%M" : "%Y-%m-%d %H:%M") : g_strdup("?");
}

uint64_t tracking_changed(const struct qmp_bitmap *m, uint64_t size)
{
    return MIN(m->count - MIN(m->count, m->granularity), size);
}

char *tracking_sentence(const struct tracking *t, uint64_t size, int64_t now)
{
    char changed[UNITS_LEN], all[UNITS_LEN];
    g_autofree char *since = t->mark ? instant_text(t->mark->instant, now) : NULL;

    if (!t->mark)
        return g_strdup_printf("reads everything: %s", t->obstacle);
    if (!tracking_changed(t->bitmap, size))
        return g_strdup_printf("nothing has changed since %s", since);
    return g_strdup_printf("changed since %s: ~%s of %s", since,
                           units_format_size(tracking_changed(t->bitmap, size), changed), units_format_size(size, all));
}
