// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether a plan can begin; how much it will move, and how long that takes. */
#include <string.h>
#include "archive/archive.h"
#include "backup/found.h"
#include "backup/plan.h"
#include "backup/run.h"
#include "log/last_run.h"
#include "vma/files.h"

static bool is_there(const struct backup *b, const char *wanted)
{
    for_each_found (f, b)
        if (naming_fits(b, f, wanted))
            return true;
    return model_find_drive(&b->model, wanted) != NULL;
}

static bool check_names(struct backup *b, const GPtrArray *names, GError **error)
{
    for_each_in (const char, wanted, names) {
        if (is_there(b, wanted))
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "guest has no drive %s; vmabackup info lists them", wanted);
        return false;
    }
    return true;
}

/* Who names a drive wants it: one that cannot be saved is no detail of the plan then. */
static bool check_included(struct backup *b, GError **error)
{
    unsigned first = b->model.n_drives - b->facts.drives->len; /* the RAM has a row of its own */

    for (unsigned i = 0; i < b->facts.drives->len; i++) {
        const struct model_drive *row = &b->model.drives[first + i];
        if (row->is_included || row->is_refused ||
            !naming_is_among(b, b->options.include, row->name, g_ptr_array_index(b->facts.drives, i)))
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s cannot be saved: %.*s; leave it out", row->name,
                    (int)strcspn(row->note, ":"), row->note);
        return false;
    }
    return true;
}

static bool check_shared(struct backup *b, GError **error)
{
    for_each_drive (d, b) {
        if (!d->is_shared || b->options.guard != BACKUP_GUARD_FILTER)
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                    "drive %s: two devices share its node, and a filter guards only one of them; use --guard auto",
                    d->name);
        return false;
    }
    return true;
}

static bool check_configs(struct backup *b, GError **error)
{
    g_autoptr(GHashTable) taken = archive_files_new();

    vma_files_take(taken, VMA_DESCRIPTION_NAME);
    for_each_drive (d, b)
        archive_files_add_drive(taken, d->name);
    return archive_files_check_configs(taken, &b->options, error);
}

/* Somebody else is at work on a drive that was asked for, and nothing is saved without it. */
static bool check_refused(struct backup *b, GError **error)
{
    for (unsigned i = 0; i < b->model.n_drives && !b->options.only_ask; i++) {
        const struct model_drive *row = &b->model.drives[i];
        if (!row->is_refused || (b->drives->len && !b->options.strict))
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                    "drive %s cannot be saved now: %s; back up again when that has ended", row->name, row->note);
        return false;
    }
    return true;
}

bool plan_check_leftovers(const struct backup *b, GError **error)
{
    if (b->tidy.n_leftovers)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                    "a backup that died has left in QEMU: %s; run: vmabackup cleanup %s", b->tidy.leftovers,
                    b->options.monitor);
    return !b->tidy.n_leftovers;
}

bool plan_check(struct backup *b, GError **error)
{
    if (!check_names(b, b->options.include, error) || !check_names(b, b->options.exclude, error) ||
        !check_included(b, error) || !check_refused(b, error) || !check_shared(b, error) || !check_configs(b, error) ||
        !limit_apply_options(b, error))
        return false;
    if (!b->options.only_ask && !state_is_here(b, error))
        return false;
    if (b->ram.is_lost && b->options.strict) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "RAM cannot be saved: %s; use --no-vmstate",
                    b->guest.ram_obstacle);
        return false;
    }
    if (!plan_engine_check(b, error))
        return false;
    if (b->options.agent && b->options.strict && b->ram.method == RAM_PLAIN) {
        g_set_error(
            error, VMB_ERROR, VMB_ERROR_FAILED,
            "file systems cannot be frozen while this QEMU saves the RAM; use --no-vmstate, or leave --agent away");
        return false;
    }
    if (b->link.held && !b->options.only_ask) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_HELD, "%s", b->link.held);
        return false;
    }
    if (!b->options.only_ask && !b->options.wait_for_begin && !plan_check_leftovers(b, error))
        return false;
    if (!b->drives->len && !b->options.only_ask) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "guest has no drive to save; vmabackup info says why");
        return false;
    }
    return true;
}

/* --- the forecast ------------------------------------------------------------------------------- */

static uint64_t will_be_read(const struct model_drive *row)
{
    return row->track.is_incremental ? MIN(row->track.changed, row->size) : row->size;
}

/* What the drives have allocated is the most that is known of their data. */
static void count_rows(struct backup *b)
{
    struct model *m = &b->model;

    m->total = m->forecast.reads = b->archive.forecast_bytes = 0;
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *row = &m->drives[i];
        if (!row->is_included)
            continue;
        m->total += row->size;
        m->forecast.reads += will_be_read(row);
        b->archive.forecast_bytes += MIN(row->used, will_be_read(row)); /* unknown: the largest of all */
    }
}

static uint64_t ms_for(uint64_t bytes, uint64_t per_s)
{
    return per_s ? (uint64_t)((double)bytes * 1000 / (double)per_s) : 0;
}

/* As fast as it was, or as a limit allows. */
static void forecast_time(struct backup *b, const struct last_run *last)
{
    struct model *m = &b->model;

    m->forecast.rate = (uint64_t)((double)last->read * 1000 / (double)last->elapsed_ms);
    m->forecast.ms = MAX(ms_for(m->forecast.reads, m->forecast.rate), ms_for(b->archive.forecast_bytes, b->limits.all));
}

/* How fast unchanged data passes, and how little of it is new, says nothing of what has changed. */
static bool reads_changes(const struct model *m)
{
    return m->forecast.reads < m->total;
}

/* What a file holds of its data says nothing of what is new in a store. */
static char *remembered_as(const struct backup *b)
{
    return g_strconcat(b->model.guest, b->options.is_store ? "@store" : "", NULL);
}

void plan_forecast(struct backup *b)
{
    g_autofree char *name = remembered_as(b);
    struct model *m = &b->model;
    struct last_run last;

    count_rows(b);
    m->forecast.ms = m->forecast.rate = m->forecast.plain = m->forecast.written = 0;
    b->archive.packs_to = 1;
    if (last_run_load(name, &last)) {
        forecast_time(b, &last);
        if (last.is_packed && !reads_changes(m) && backup_options_level(&b->options)) {
            m->forecast.plain = last.plain;
            m->forecast.written = last.written;
            b->archive.packs_to = (double)last.written / (double)last.plain;
        }
    }
    m->sink.need_bytes = (uint64_t)((double)b->archive.forecast_bytes * b->archive.packs_to);
}

void plan_remember(struct backup *b)
{
    const struct model *m = &b->model;
    g_autofree char *name = remembered_as(b);
    uint64_t written = b->options.is_store ? MAX(m->end.new_bytes, 1) : m->end.archive_bytes;
    struct last_run last = {m->done, m->sink.packed, written, m->elapsed_ms, *m->compression};

    if (!reads_changes(m) && last.read && last.plain && last.written && last.elapsed_ms)
        last_run_save(name, &last);
}
