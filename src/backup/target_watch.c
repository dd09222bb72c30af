// SPDX-License-Identifier: GPL-2.0-or-later
/* A target that takes nothing: for want of room, or because its disk or its reader stands still. */
#include "backup/run.h"
#include "base/units.h"

#define TELL_STUCK_MS 5000

static void check_full(struct backup *b)
{
    if (b->archive.full_since_ms &&
        uv_now(b->loop) - b->archive.full_since_ms > (uint64_t)b->options.on_full_minutes * 60000)
        backup_fail_new(b, VMB_ERROR_TARGET, "target %s stayed full for %u min; free some room and back up again",
                        b->model.target, b->options.on_full_minutes);
}

/* Once, when the target's file system has answered: better now than at 3 a.m. */
static void warn_of_space(struct backup *b)
{
    char needed[UNITS_LEN], there[UNITS_LEN];

    if (b->archive.is_space_known || !b->archive.sink || b->phase != MODEL_COPY || b->model.free_bytes == MODEL_UNKNOWN)
        return;
    b->archive.is_space_known = true;
    if (!b->model.will_fit)
        backup_log(b, MODEL_WARNING, "free some room there", "target may not hold it: about %s more to write, %s free",
                   units_format_size(b->model.need_bytes, needed), units_format_size(b->model.free_bytes, there));
}

/* Once when it stands still, and once when it goes on: the copy waits meanwhile, the guest does not. */
static void tell_stuck(struct backup *b)
{
    uint64_t stuck_ms = b->archive.sink ? sink_stuck_ms(b->archive.sink) : 0;
    char text[UNITS_LEN];

    if (stuck_ms >= TELL_STUCK_MS && !b->archive.told_stuck_ms)
        backup_log(b, MODEL_WARNING, "look at its disk, or at who reads it",
                   "target %s has not answered for %s, %u of %u buffers free: the copy waits, the guest does not",
                   b->model.target, units_format_ms(stuck_ms, text), pool_free_count(b->archive.pool),
                   pool_total(b->archive.pool));
    else if (stuck_ms < b->archive.told_stuck_ms)
        backup_log(b, MODEL_INFO, NULL, "target answers again, after %s",
                   units_format_ms(b->archive.told_stuck_ms, text));
    b->archive.told_stuck_ms = stuck_ms >= TELL_STUCK_MS ? stuck_ms : 0;
}

void target_watch_on_tick(struct backup *b)
{
    check_full(b);
    warn_of_space(b);
    tell_stuck(b);
}
