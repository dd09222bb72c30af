// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A job that ended well, with every cluster held, is enough to call a drive saved: of an image that broke nothing can
 * be read any more, so what the job has read is of the instant, and what the filter sent was read before the guest
 * overwrote it. (Asking QEMU by a second small job is no way: adding a node over a busy image hangs QEMU 10.0 for good
 * where the drive has an iothread.)
 */
#include "qemu/job_verdict.h"

#include <string.h>
#include <glib.h>

bool job_verdict_has_image(const struct evidence *e)
{
    return e->has_guard || e->is_read_only;
}

static enum verdict says(enum verdict v, char **why, const char *text)
{
    *why = g_strdup(text);
    return v;
}

static enum verdict of_job_error(const struct evidence *e, char **why)
{
    const char *error = e->is_target_lost ? "its connection was lost" : e->job_error;

    if (strstr(e->job_error, "cancel") && !e->is_target_lost)
        return says(job_verdict_has_image(e) ? VERDICT_STANDING : VERDICT_FAILED, why,
                    "its job was cancelled by somebody else");
    if (e->has_guard && strstr(e->job_error, "Permission denied"))
        return says(VERDICT_BROKEN, why,
                    "the frozen image broke (a write of the guest could not be kept for us in time)");
    if (e->has_guard && strstr(e->job_error, "Operation not supported")) /* it reads from what was put there */
        return says(VERDICT_BROKEN, why,
                    "a snapshot of it, or another node that somebody put over it, has cut off its frozen image");
    if (!job_verdict_has_image(e))
        return says(VERDICT_BROKEN, why, e->job_error);
    if (e->n_refused)
        return says(VERDICT_STARVED, why, error);
    return says(e->retries_left ? VERDICT_RETRY : VERDICT_STANDING, why, error);
}

enum verdict job_verdict_of(const struct evidence *e, char **why)
{
    *why = NULL;
    if (e->doubt)
        return says(VERDICT_BROKEN, why, e->doubt);
    if (e->job_error)
        return of_job_error(e, why);
    if (!e->missing)
        return VERDICT_SAVED;
    *why = g_strdup_printf("QEMU says done, but %" G_GUINT64_FORMAT " clusters never came", e->missing);
    return VERDICT_FAILED;
}
