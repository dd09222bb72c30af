// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be asked of a run that has ended: its archive is read once more, by a worker, one reading at a time. */
#include "archive/readback.h"
#include "backup/plan.h"
#include "backup/outcome.h"
#include "backup/run.h"

/* --- how it ended ------------------------------------------------------------------------------- */

/* The run is judged anew, by what is known now. */
static void judge(struct backup *b, const GError *error)
{
    g_clear_error(&b->end.outcome);
    b->end.cancel_status = 0; /* of the reading before */
    if (error)
        g_set_error(&b->end.outcome, VMB_ERROR, VMB_ERROR_DAMAGED,
                    "archive %s is damaged (%s); the target's disk may be failing", b->model.target, error->message);
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

static void on_read(void *user, const char *said, const GError *error)
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

/* --- asking ------------------------------------------------------------------------------------- */

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
    b->archive.reading = reading_of(verb);
    b->archive.readback = readback_new(b->loop, b->archive.path, kind, on_read, b);
    picture_fill(b);
    return true;
}

/* The same once more ends it. */
bool after_command(struct backup *b, const struct command *c, GError **error)
{
    if (!b->archive.readback)
        return begin(b, c->verb, error);
    if (b->archive.reading != reading_of(c->verb))
        return vmb_fail(error, VMB_ERROR_USAGE, "the archive is being read already");
    readback_stop(b->archive.readback);
    return true;
}

/* --- and then ----------------------------------------------------------------------------------- */

void backup_next_options(struct backup *b, struct backup_options *o)
{
    backup_options_copy(o, &b->options);
    o->wait_for_begin = true;
    g_clear_pointer(&o->record_path, g_free); /* it holds this run */
    if (!o->target || *o->target == '|')
        return;
    g_autofree char *old = g_steal_pointer(&o->target), *folder = g_path_get_dirname(old);
    o->target = plan_default_target(b, folder, old);
}
