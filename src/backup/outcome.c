// SPDX-License-Identifier: GPL-2.0-or-later
/* How a run has ended, in one line and as an exit status. */
#include "backup/run.h"
#include "base/units.h"

/* Something that was asked for is missing, or was had only at a risk. */
static bool is_incomplete(const struct backup *b)
{
    for_each_drive (d, b) {
        if (drive_is(d, DRIVE_IS_OUT) || d->is_instant_own || (!d->is_guarded && !d->is_read_only))
            return true;
    }
    for (unsigned i = 0; i < b->model.n_drives; i++)
        if (b->model.drives[i].is_refused)
            return true;
    return b->ram.is_lost || b->agent.has_failed || (!b->end.is_freed_from_qemu && !b->link.is_qemu_gone);
}

static bool is_missing(const struct model_drive *row)
{
    /* Also the RAM that could not even be planned. */
    return row->is_refused || row->state == MODEL_FAIL || row->state == MODEL_CANCELLED;
}

static bool may_come_another_time(const struct model_drive *row)
{
    return (row->is_included || row->is_refused) && is_missing(row);
}

static bool is_of_another_instant(const struct model_drive *row)
{
    return row->is_instant_own && row->state == MODEL_OK;
}

/* "scsi1, scsi4" */
static char *rows_that(const struct model *m, bool (*is)(const struct model_drive *row))
{
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; i < m->n_drives; i++)
        if (is(&m->drives[i]))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", m->drives[i].name);
    return g_string_free(names, FALSE);
}

void outcome_set(struct backup *b)
{
    struct model *m = &b->model;
    g_autofree char *missing = NULL, *retaken = NULL, *again = NULL;
    char size[UNITS_LEN], time[UNITS_LEN];

    if (b->end.outcome) {
        m->exit_status = b->end.cancel_status ? b->end.cancel_status : vmb_error_exit_status(b->end.outcome);
        model_set(m->outcome, "%s", b->end.outcome->message);
        return;
    }
    if (!b->has_begun) {
        m->exit_status = 0;
        return;
    }
    m->exit_status = is_incomplete(b) ? VMB_ERROR_INCOMPLETE : 0;
    missing = rows_that(m, is_missing);
    retaken = rows_that(m, is_of_another_instant);
    model_set(m->outcome, "%s%s: %s in %s%s%s%s%s%s%s%s", m->exit_status ? "saved INCOMPLETE to " : "saved to ",
              m->target, units_format_size(m->archive_bytes, size), units_format_ms(m->elapsed_ms, time),
              b->archive.is_verified ? ", verified" : "", *missing ? "; missing: " : "", missing,
              *retaken ? "; of a later instant: " : "", retaken, b->agent.has_failed ? "; file systems " : "",
              b->agent.has_failed ? m->agent : "");
    again = rows_that(m, may_come_another_time);
    if (*again && !*m->next) /* what is left in QEMU comes first */
        model_set(m->next, "back up again to have %s", again);
}

/* --- what hangs --------------------------------------------------------------------------------- */

bool outcome_is_open(const struct backup *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < OPEN_KINDS; i++)
        n += b->end.n_open[i];
    return n;
}

/* Its target's, its spool's, or a worker's. */
static const char *writer_is_doing(const struct backup *b)
{
    const char *doing = b->archive.sink ? sink_doing(b->archive.sink) : NULL;

    return doing                                                 ? doing
           : b->archive.spool && spool_is_busy(b->archive.spool) ? "a request to the spool of"
                                                                 : "a worker that packs";
}

void outcome_tell_open(struct backup *b)
{
    static const char *const what[OPEN_KINDS] = {
        [OPEN_FSYNC] = "the fsync of",
        [OPEN_READBACK] = "a read of",
        [OPEN_FOLDER] = "a look at the folder of",
        [OPEN_CLEANUP] = "the clean-up of",
        [OPEN_PORT] = "a connection of QEMU's for",
        [OPEN_RAM] = "the connection of the RAM for",
    };

    for (unsigned i = 0; i < OPEN_KINDS; i++) {
        bool is_of_qemu = i >= OPEN_CLEANUP;
        if (b->end.n_open[i])
            backup_log(b, MODEL_WARNING, is_of_qemu ? "look at QEMU" : "look at the disk of the target",
                       "%s %s does not %s; leaving it", i == OPEN_WRITER ? writer_is_doing(b) : what[i],
                       i == OPEN_CLEANUP ? b->model.monitor : b->model.target, is_of_qemu ? "end" : "return");
    }
}
