// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/report.h"

struct report {
    uv_work_t work;
    char *text, *json, *base, *said;
    report_written written;
    void *user;
    GError *error;
};

static bool save(struct report *r, const char *suffix, const char *content)
{
    g_autofree char *path = g_strconcat(r->base, ".report.", suffix, NULL);
    return g_file_set_contents_full(path, content, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &r->error);
}

static void on_work(uv_work_t *work)
{
    struct report *r = work->data;
    if (save(r, "txt", r->text) && save(r, "json", r->json))
        r->said = g_strdup_printf("written: %s.report.txt and .report.json", r->base);
}

static void on_worked(uv_work_t *work, int status)
{
    struct report *r = work->data;
    r->written(r->user, r->said, r->error);
    g_clear_error(&r->error);
    g_free(r->text);
    g_free(r->json);
    g_free(r->base);
    g_free(r->said);
    g_free(r);
}

void report_write(uv_loop_t *loop, char *text, char *json, const char *base, report_written written, void *user)
{
    struct report *r = g_new0(struct report, 1);
    r->text = text;
    r->json = json;
    r->base = g_strdup(base);
    r->written = written;
    r->user = user;
    r->work.data = r;
    uv_queue_work(loop, &r->work, on_work, on_worked);
}

char *report_base(const struct model *m)
{
    g_autoptr(GDateTime) began = g_date_time_new_from_unix_local(m->started_s);
    g_autofree char *when = began ? g_date_time_format(began, "%Y%m%dT%H%M") : g_strdup("");
    g_autofree char *guest = g_strdelimit(g_strdup(m->guest), "/ ", '_');
    if (m->end.archive_bytes && !m->sink.is_pipe && !*m->sink.guest) /* a store keeps snapshots alone */
        return g_strdup(m->target);
    return g_strdup_printf("./%s-%s", *guest ? guest : "guest", when);
}
