// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The writer's last stage: one operation of the target at a time, and what is to be done when there is no room.
 *
 *     sink_write(sink, iov, n, writer_target_done, writer_target_begin(t, on_written, user));
 *
 * Without room it is_waiting, before done is called, and whoever asked asks again when it is free.
 */
#include "archive/writer_item.h"

struct target_stage {
    struct writer_env *env;
    sink_done done;
    void *user;
    bool is_busy;    /* an operation is under way; neither: free for one */
    bool is_waiting; /* for room */
    bool is_full;    /* since the last operation that found none */
};

/* done comes in the end, before on_failed where that is due. */
void *writer_target_begin(struct target_stage *t, sink_done done, void *user);
void writer_target_done(void *user, const GError *error);
/* There may be room again, or (not needed) nothing is left that waits for it. */
void writer_target_try_again(struct target_stage *t, bool is_needed);
