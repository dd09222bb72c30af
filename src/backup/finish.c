// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a good run: QEMU is free; the archive gets its end mark, becomes durable, is read back if asked. */
#include "archive/readback.h"
#include "archive/vmstate.h"
#include "backup/run.h"
#include "vma/extent.h"

/* --- reading it back ---------------------------------------------------------------------------- */

static void on_verified(void *user, const char *said, const GError *error)
{
    struct backup *b = user;

    b->end.n_open[OPEN_READBACK]--;
    b->archive.readback = NULL;
    if (error)
        backup_fail_new(b, VMB_ERROR_DAMAGED, "archive %s is damaged (%s); the target's disk may be failing",
                        b->model.target, error->message);
    b->archive.is_verified = !error;
    if (!error)
        backup_note(b, "archive verified: %s", said);
    backup_end(b);
}

static void verify(struct backup *b)
{
    backup_set_phase(b, MODEL_VERIFY);
    b->end.n_open[OPEN_READBACK]++;
    b->archive.readback = readback_new(b->loop, b->archive.path, READBACK_VERIFY, on_verified, b);
}

void finish_interrupt(struct backup *b)
{
    if (b->archive.readback)
        readback_stop(b->archive.readback);
}

/* --- making it durable -------------------------------------------------------------------------- */

static void on_durable(void *user, const GError *error)
{
    struct backup *b = user;

    b->end.n_open[OPEN_FSYNC]--;
    if (b->end.is_ending)
        return;
    if (error) {
        backup_fail(b, error);
        return;
    }
    b->archive.is_saved = true;
    b->model.end.archive_bytes = sink_written(b->archive.sink);
    b->archive.path = g_strdup(sink_path(b->archive.sink));
    if (b->options.verify && b->archive.path)
        verify(b);
    else
        backup_end(b);
}

static void on_written(void *user)
{
    struct backup *b = user;

    b->end.n_open[OPEN_FSYNC]++;
    sink_finish(b->archive.sink, on_durable, b);
}

/* What a pipe has swallowed of a drive that was lost stays there: the mark says so. */
static uint8_t end_flags(const struct backup *b)
{
    bool has_lost = b->ram.is_lost && b->ram.lane;

    for_each_drive (d, b)
        has_lost |= drive_is(d, DRIVE_IS_OUT);
    return VMA_END_COMPLETE | (has_lost && !target_can_drop(b) ? VMA_END_DEVICE_LOST : 0);
}

void finish_archive(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) header = target_final_header(b, &error);
    uint64_t ram_bytes = b->ram.vmstate ? vmstate_bytes(b->ram.vmstate) : 0;

    if (!header)
        backup_fail(b, error);
    else
        writer_finish(b->archive.writer, end_flags(b), ram_bytes, header, on_written, b);
}
