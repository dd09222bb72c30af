// SPDX-License-Identifier: GPL-2.0-or-later
/* How much will be read and written, and how long it will take, judging by the guest's last backup. */
#include "backup/plan.h"
#include "backup/run.h"
#include "log/last_run.h"

/* What the drives have allocated is the most that is known of their data. */
static void count_rows(struct backup *b)
{
    struct model *m = &b->model;

    m->total = b->archive.forecast_bytes = 0;
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *row = &m->drives[i];
        if (!row->is_included)
            continue;
        m->total += row->size;
        b->archive.forecast_bytes += row->used == MODEL_UNKNOWN ? row->size : MIN(row->used, row->size);
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

    m->last_rate = (uint64_t)((double)last->read * 1000 / (double)last->elapsed_ms);
    m->forecast_ms = MAX(ms_for(m->total, m->last_rate), ms_for(b->archive.forecast_bytes, b->limits.all));
}

void plan_forecast(struct backup *b)
{
    struct model *m = &b->model;
    struct last_run last;

    count_rows(b);
    m->forecast_ms = m->last_rate = m->last_plain = m->last_written = 0;
    b->archive.packs_to = 1;
    if (last_run_load(m->guest, &last)) {
        forecast_time(b, &last);
        if (last.is_packed && backup_options_level(&b->options)) {
            m->last_plain = last.plain;
            m->last_written = last.written;
            b->archive.packs_to = (double)last.written / (double)last.plain;
        }
    }
    m->need_bytes = (uint64_t)((double)b->archive.forecast_bytes * b->archive.packs_to);
}

void plan_remember(struct backup *b)
{
    const struct model *m = &b->model;
    struct last_run last = {m->done, m->packed, m->archive_bytes, m->elapsed_ms, *m->compression};

    if (last.read && last.plain && last.written && last.elapsed_ms)
        last_run_save(m->guest, &last);
}
