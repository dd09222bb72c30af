// SPDX-License-Identifier: GPL-2.0-or-later
/* A target that takes nothing, for want of room or because its disk or its reader stands still; and whether the archive
 * will fit, while it is only planned: no file is open yet, and a slow file system is not waited for. */
#include <string.h>
#include "backup/plan.h"
#include "backup/run.h"
#include "base/units.h"

#define TELL_STUCK_MS 5000

static void check_full(struct backup *b)
{
    if (b->archive.full_since_ms &&
        uv_now(b->loop) - b->archive.full_since_ms > (uint64_t)b->options.on_full_minutes * 60000)
        backup_fail_new(b, VMB_ERROR_TARGET, "target %s stayed full for %u min; free some room%s and back up again",
                        b->model.target, b->options.on_full_minutes, b->options.is_store ? " (vmabackup prune)" : "");
}

/* Once, when the target's file system has answered: better now than at 3 a.m. */
static void warn_of_space(struct backup *b)
{
    char needed[UNITS_LEN], there[UNITS_LEN];

    if (b->archive.is_space_known || !b->archive.sink || b->phase != MODEL_COPY ||
        b->model.sink.free_bytes == MODEL_UNKNOWN)
        return;
    b->archive.is_space_known = true;
    if (!b->model.sink.will_fit)
        backup_log(b, MODEL_WARNING, "free some room there", "target may not hold it: about %s more to write, %s free",
                   units_format_size(b->model.sink.need_bytes, needed),
                   units_format_size(b->model.sink.free_bytes, there));
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

/* --- room, while it is planned ------------------------------------------------------------------ */

struct question {
    uv_fs_t fs;
    struct backup *b;
};

static bool is_file(const char *target)
{
    return target && *target != '|' && strcmp(target, "-") != 0;
}

static void take_answer(struct backup *b, const uv_fs_t *fs)
{
    const uv_statfs_t *st = fs->ptr;
    struct model *m = &b->model;

    if (b->has_begun) /* the sink knows better by now */
        return;
    m->sink.free_bytes = fs->result == 0 && st->f_blocks ? st->f_bavail * st->f_bsize : MODEL_UNKNOWN;
    m->sink.will_fit = m->sink.free_bytes == MODEL_UNKNOWN || m->sink.free_bytes > m->sink.need_bytes;
    if (fs->result < 0)
        backup_log(b, MODEL_WARNING, "choose another output", "cannot look at the folder of %s: %s", m->target,
                   uv_strerror((int)fs->result));
}

static void on_answer(uv_fs_t *fs)
{
    struct question *q = fs->data;
    struct backup *b = q->b;
    g_autofree char *asked = g_steal_pointer(&b->archive.space_of);

    b->end.n_open[OPEN_FOLDER]--;
    if (g_strcmp0(asked, b->options.target) == 0)
        take_answer(b, fs);
    else if (!b->end.is_ending)
        target_space_ask(b); /* another target since */
    uv_fs_req_cleanup(fs);
    g_free(q);
}

void target_space_ask(struct backup *b)
{
    g_autofree char *folder = NULL;
    struct question *q;

    b->model.sink.free_bytes = MODEL_UNKNOWN;
    b->model.sink.will_fit = true;
    if (b->archive.space_of || !is_file(b->options.target))
        return;
    folder = b->options.is_store ? g_strdup(b->options.target) : g_path_get_dirname(b->options.target);
    q = g_new0(struct question, 1);
    q->b = b;
    q->fs.data = q;
    b->archive.space_of = g_strdup(b->options.target);
    b->end.n_open[OPEN_FOLDER]++;
    uv_fs_statfs(b->loop, &q->fs, folder, on_answer);
}
