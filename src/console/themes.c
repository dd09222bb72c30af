// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/themes.h"

struct reading {
    uv_work_t work;
    const char *file;
    GArray *themes;
    themes_cb on_read;
    void *user;
};

static void read_them(uv_work_t *work)
{
    struct reading *r = work->data;
    r->themes = theme_list(r->file);
}

static void on_work_done(uv_work_t *work, int status)
{
    struct reading *r = work->data;
    r->on_read(r->user, r->themes);
    g_free(r);
}

bool themes_read(uv_loop_t *loop, const char *file, themes_cb on_read, void *user)
{
    struct reading *r = g_new0(struct reading, 1);
    *r = (struct reading){.file = file, .on_read = on_read, .user = user};
    r->work.data = r;
    if (uv_queue_work(loop, &r->work, read_them, on_work_done) == 0)
        return true;
    g_free(r);
    return false;
}
