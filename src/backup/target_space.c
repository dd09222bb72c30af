// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether the archive will fit, while it is only planned: no file is open yet, and a slow file system is not waited
 * for. */
#include <string.h>

#include "backup/plan.h"
#include "backup/run.h"

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
    m->free_bytes = fs->result == 0 && st->f_blocks ? st->f_bavail * st->f_bsize : MODEL_UNKNOWN;
    m->will_fit = m->free_bytes == MODEL_UNKNOWN || m->free_bytes > m->need_bytes;
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

    b->model.free_bytes = MODEL_UNKNOWN;
    b->model.will_fit = true;
    if (b->archive.space_of || !is_file(b->options.target))
        return;
    folder = g_path_get_dirname(b->options.target);
    q = g_new0(struct question, 1);
    q->b = b;
    q->fs.data = q;
    b->archive.space_of = g_strdup(b->options.target);
    b->end.n_open[OPEN_FOLDER]++;
    uv_fs_statfs(b->loop, &q->fs, folder, on_answer);
}
