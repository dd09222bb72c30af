// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_target.h"

static void set_full(struct target_stage *t, bool is_full)
{
    if (t->is_full == is_full)
        return;
    t->is_full = is_full;
    t->env->events.on_full(t->env->user, is_full);
}

void *writer_target_begin(struct target_stage *t, sink_done done, void *user)
{
    t->is_busy = true;
    t->done = done;
    t->user = user;
    return t;
}

void writer_target_done(void *user, const GError *error)
{
    struct target_stage *t = user;
    const struct writer_env *env = t->env;

    t->is_busy = false;
    t->is_waiting = !env->is_discarding && g_error_matches(error, SINK_ERROR, SINK_ERROR_FULL);
    t->done(t->user, error);
    if (t->is_waiting)
        env->on_retry(env->writer);
    if (!env->is_discarding && (!error || t->is_waiting))
        set_full(t, t->is_waiting);
    else if (error)
        env->on_failed(env->writer, error);
    env->on_moved(env->writer);
}

void writer_target_try_again(struct target_stage *t, bool is_needed)
{
    t->is_waiting = false;
    if (!is_needed)
        set_full(t, false);
}
