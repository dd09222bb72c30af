// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a good run: QEMU is free; the archive gets its end mark, becomes durable, is read back if asked. When the
 * run has ended it can be read once more, by a worker, one reading at a time.
 */
#include "archive/readback.h"
#include "archive/vmstate.h"
#include "backup/outcome.h"
#include "backup/run.h"
#include "store/snapshot_image.h"
#include "store/snapshot_target.h"
#include "vma/extent.h"

/* --- reading it back ---------------------------------------------------------------------------- */

static GError *damage_of(const struct backup *b, const GError *error)
{
    return g_error_new(VMB_ERROR, VMB_ERROR_DAMAGED, "archive %s is damaged (%s); the target's disk may be failing",
                       b->model.target, error->message);
}

static void on_verified(void *user, const char *said, const GError *error)
{
    struct backup *b = user;
    g_autoptr(GError) damage = error ? damage_of(b, error) : NULL;

    b->end.n_open[OPEN_READBACK]--;
    b->archive.readback = NULL;
    if (damage)
        backup_fail(b, damage);
    b->archive.is_verified = !error;
    if (!error)
        backup_note(b, "archive verified: %s", said);
    backup_end(b);
}

static void verify(struct backup *b)
{
    backup_set_phase(b, MODEL_VERIFY);
    b->end.n_open[OPEN_READBACK]++;
    b->archive.readback = readback_new(b->loop, b->archive.path, archive_open_source, READBACK_VERIFY, on_verified, b);
}

void finish_interrupt(struct backup *b)
{
    if (b->archive.readback)
        readback_stop(b->archive.readback);
}

/* --- making it durable -------------------------------------------------------------------------- */

static void tell_size(struct backup *b)
{
    struct model *m = &b->model;

    m->end.archive_bytes = sink_written(b->archive.sink);
    if (!b->options.is_store)
        return;
    m->end.archive_bytes = snapshot_target_size(b->archive.sink);
    m->end.new_bytes = snapshot_target_new_bytes(b->archive.sink);
    model_set(m->target, "%s", sink_name(b->archive.sink)); /* now it has a name */
}

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
    tell_size(b);
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

    if (header && b->options.is_store)
        track_name_bitmaps(b);
    if (!header)
        backup_fail(b, error);
    else
        writer_finish(b->archive.writer, end_flags(b), ram_bytes, header, on_written, b);
}

/* --- reading it once more ------------------------------------------------------------------------ */

/* The run is judged anew, by what is known now. */
static void judge(struct backup *b, const GError *error)
{
    g_clear_error(&b->end.outcome);
    b->end.cancel_status = 0; /* of the reading before */
    b->end.outcome = error ? damage_of(b, error) : NULL;
    b->archive.is_verified = !error;
    outcome_set(b);
}

static void take_verdict(struct backup *b, const char *said, const GError *error)
{
    judge(b, error);
    if (error)
        backup_log(b, MODEL_ERROR, "do not count on it: back up again, to another disk", "%s", b->end.outcome->message);
    else
        backup_log(b, MODEL_INFO, NULL, "archive verified: %s", said);
}

static void on_read_again(void *user, const char *said, const GError *error)
{
    struct backup *b = user;
    enum model_reading what = b->archive.reading;

    picture_fill(b);
    b->archive.readback = NULL;
    b->archive.reading = MODEL_READING_NOTHING;
    b->model.eta_ms = MODEL_UNKNOWN;
    if (g_error_matches(error, VMB_ERROR, VMB_ERROR_CANCELLED)) {
        backup_log(b, MODEL_INFO, NULL, "archive was not read to its end");
    } else if (error && !g_error_matches(error, VMB_ERROR, VMB_ERROR_DAMAGED)) {
        backup_log(b, MODEL_ERROR, NULL, "archive %s: %s", b->model.target, error->message);
    } else if (what == MODEL_READING_TO_VERIFY) {
        take_verdict(b, said, error);
    } else {
        model_set(b->model.end.sha256, "%s", said);
        backup_log(b, MODEL_INFO, NULL, "sha256 %s", said);
    }
}

static enum model_reading reading_of(enum command_verb verb)
{
    return verb == COMMAND_VERIFY ? MODEL_READING_TO_VERIFY : MODEL_READING_TO_HASH;
}

static bool begin(struct backup *b, enum command_verb verb, GError **error)
{
    enum readback_kind kind = verb == COMMAND_VERIFY ? READBACK_VERIFY : READBACK_SHA256;

    if (!b->archive.is_saved || !b->archive.path)
        return vmb_fail(error, VMB_ERROR_USAGE, "%s",
                        b->archive.is_saved ? "the archive went down a pipe: it cannot be read here"
                                            : "there is no archive to be read");
    if (b->options.is_store && kind == READBACK_SHA256)
        return vmb_fail(error, VMB_ERROR_USAGE, "a snapshot is a folder, and has no SHA-256: verify it");
    b->archive.reading = reading_of(verb);
    b->archive.readback = readback_new(b->loop, b->archive.path, archive_open_source, kind, on_read_again, b);
    picture_fill(b);
    return true;
}

/* The same once more ends it. */
bool finish_read(struct backup *b, const struct command *c, GError **error)
{
    if (!b->archive.readback)
        return begin(b, c->verb, error);
    if (b->archive.reading != reading_of(c->verb))
        return vmb_fail(error, VMB_ERROR_USAGE, "the archive is being read already");
    readback_stop(b->archive.readback);
    return true;
}
