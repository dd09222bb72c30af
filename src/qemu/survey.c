// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/survey.h"

/* --- life --------------------------------------------------------------------------------------- */

static void drive_clear(gpointer data)
{
    struct survey_drive *d = data;

    g_free(d->device);
    g_free(d->qdev);
    g_free(d->node);
}

static void job_clear(gpointer data)
{
    struct qmp_job *j = data;

    g_free((char *)j->id);
    g_free((char *)j->type);
    g_free((char *)j->status);
}

static void export_clear(gpointer data)
{
    struct qmp_export *e = data;

    g_free((char *)e->id);
    g_free((char *)e->type);
    g_free((char *)e->node_name);
}

void survey_clear(struct survey *s)
{
    g_clear_pointer(&s->drives, g_array_unref);
    g_clear_pointer(&s->jobs, g_array_unref);
    g_clear_pointer(&s->exports, g_array_unref);
    g_clear_pointer(&s->graph, graph_free);
}

/* --- asking ------------------------------------------------------------------------------------- */

/* QEMU said no, or has no such command: that is an answer, too. */
static void on_graph(void *user, const struct qmp_graph *answer, const GError *error)
{
    struct survey *s = user;

    if (error && !qmp_error_is_refusal(error)) {
        s->done(s->user, NULL, error);
        return;
    }
    s->graph = graph_new(answer, (void *)s->jobs->data, s->jobs->len, (void *)s->exports->data, s->exports->len);
    s->done(s->user, s, NULL);
}

static void on_exports(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct survey *s = user;

    if (error && !qmp_error_is_refusal(error)) {
        s->done(s->user, NULL, error);
        return;
    }
    for (unsigned i = 0; !error && i < n; i++) {
        struct qmp_export copy = {.id = g_strdup(exports[i].id),
                                  .type = g_strdup(exports[i].type),
                                  .node_name = g_strdup(exports[i].node_name)};
        if (exports[i].is_shutting_down)
            export_clear(&copy);
        else
            g_array_append_val(s->exports, copy);
    }
    qmp_query_graph(s->q, on_graph, s);
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct survey *s = user;

    if (error) {
        s->done(s->user, NULL, error);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        struct qmp_job copy = {
            .id = g_strdup(jobs[i].id), .type = g_strdup(jobs[i].type), .status = g_strdup(jobs[i].status)};
        g_array_append_val(s->jobs, copy);
    }
    qmp_query_exports(s->q, on_exports, s);
}

static void on_drives(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct survey *s = user;

    if (error) {
        s->done(s->user, NULL, error);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        struct survey_drive copy = {g_strdup(drives[i].device), g_strdup(drives[i].qdev), g_strdup(drives[i].node_name),
                                    drives[i].virtual_size};
        g_array_append_val(s->drives, copy);
    }
    qmp_query_jobs(s->q, on_jobs, s);
}

static GArray *array_of(size_t size, GDestroyNotify clear)
{
    GArray *array = g_array_new(FALSE, FALSE, size);

    g_array_set_clear_func(array, clear);
    return array;
}

void survey_take(struct survey *s, struct qmp *q, survey_done done, void *user)
{
    survey_clear(s);
    *s = (struct survey){.q = q, .done = done, .user = user};
    s->drives = array_of(sizeof(struct survey_drive), drive_clear);
    s->jobs = array_of(sizeof(struct qmp_job), job_clear);
    s->exports = array_of(sizeof(struct qmp_export), export_clear);
    qmp_query_block(q, on_drives, s);
}

/* --- answers ------------------------------------------------------------------------------------ */

const struct survey_drive *survey_find(const struct survey *s, const char *qdev)
{
    for (unsigned i = 0; i < s->drives->len; i++) {
        const struct survey_drive *d = &g_array_index(s->drives, struct survey_drive, i);
        if (qdev && g_strcmp0(d->qdev, qdev) == 0)
            return d;
    }
    return NULL;
}

const struct survey_drive *survey_showing(const struct survey *s, const char *node)
{
    for (unsigned i = 0; i < s->drives->len; i++) {
        const struct survey_drive *d = &g_array_index(s->drives, struct survey_drive, i);
        if (d->qdev && g_strcmp0(d->node, node) == 0)
            return d;
    }
    return NULL;
}

char *survey_occupant(const struct survey *s, const struct survey_drive *d, const char *run_id)
{
    return graph_occupant(s->graph, d->device && *d->device ? d->device : d->qdev, d->node, run_id);
}
