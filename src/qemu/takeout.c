// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/takeout.h"

#include <string.h>

#define MAX_TURNS 4 /* after each we look anew who stands on the filter */

static void look(struct takeout *t);

static void finish(struct takeout *t, const GError *error)
{
    t->done(t->user, t, error);
}

static void stay(struct takeout *t, const char *why)
{
    g_free(t->stays);
    t->stays = g_strdup(why);
    finish(t, NULL);
}

static void stay_refused(struct takeout *t, const GError *error)
{
    g_autofree char *why = g_strdup_printf("QEMU's refusal: %s", error->message);

    stay(t, why);
}

/* --- a device ----------------------------------------------------------------------------------- */

static void on_given_back(void *user, const GError *error);

static void give_back(struct takeout *t)
{
    g_autofree char *path =
        t->is_bare_path_wrong ? g_strdup_printf("/machine/peripheral/%s", t->qdev) : g_strdup(t->qdev);

    qmp_set_drive(t->q, path, t->below, on_given_back, t);
}

static void on_given_back(void *user, const GError *error)
{
    struct takeout *t = user;

    if (qmp_error_is_refusal(error) && !t->is_bare_path_wrong && !strchr(t->qdev, '/')) {
        t->is_bare_path_wrong = true; /* nvme shows a bare id that qom-set does not resolve */
        give_back(t);
        return;
    }
    if (qmp_error_is_refusal(error))
        t->refusal = g_error_copy(error); /* if all is as it was */
    if (!error || t->refusal)
        look(t);
    else
        finish(t, error);
}

/* Nothing has changed since we looked: no use in trying again. */
static bool is_refused_for_good(const struct takeout *t, const struct graph_exit *exit)
{
    return t->refusal && exit->way == GRAPH_DEVICE && g_strcmp0(exit->below, t->below) == 0;
}

static void begin_device(struct takeout *t, const struct graph_exit *exit)
{
    const struct survey_drive *d = survey_showing(&t->survey, t->filter);

    if (!d) {
        stay(t, "a device that query-block does not show");
        return;
    }
    g_free(t->qdev);
    g_free(t->below);
    t->qdev = g_strdup(d->qdev);
    t->below = g_strdup(exit->below);
    t->is_bare_path_wrong = false;
    g_clear_error(&t->refusal);
    give_back(t);
}

/* --- an image above ----------------------------------------------------------------------------- */

static char *job_of(const struct takeout *t)
{
    return g_strconcat(t->filter, "-out", NULL);
}

static void ask_jobs(void *takeout);

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct takeout *t = user;
    g_autofree char *id = job_of(t);
    bool is_there = false;

    for (unsigned i = 0; !error && i < n; i++)
        is_there |= g_strcmp0(jobs[i].id, id) == 0;
    if (error)
        finish(t, error);
    else if (!is_there)
        look(t);
    else if (!qmp_again(t->q, &t->again, ask_jobs, t))
        stay(t, "the job that takes it out of its chain, which does not end");
}

static void ask_jobs(void *user)
{
    struct takeout *t = user;

    qmp_query_jobs(t->q, on_jobs, t);
}

static void on_stream_begun(void *user, const GError *error)
{
    struct takeout *t = user;

    if (qmp_error_is_refusal(error))
        stay_refused(t, error);
    else if (error)
        finish(t, error);
    else
        ask_jobs(t);
}

static void begin_overlay(struct takeout *t, const struct graph_exit *exit)
{
    g_autofree char *id = job_of(t);

    t->again = (struct qmp_again){0};
    qmp_stream(t->q, id, exit->above, exit->below, on_stream_begun, t);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void on_surveyed(void *user, const struct survey *s, const GError *error)
{
    struct takeout *t = user;

    if (error) {
        finish(t, error);
        return;
    }
    struct graph_exit exit = graph_way_out(s->graph, t->filter, survey_showing(s, t->filter) != NULL);
    g_autofree char *why = exit.why;
    if (exit.way == GRAPH_FREE)
        finish(t, NULL);
    else if (exit.way == GRAPH_STUCK)
        stay(t, why);
    else if (is_refused_for_good(t, &exit))
        stay_refused(t, t->refusal);
    else if (t->n_turns++ == MAX_TURNS)
        stay(t, "QEMU, which does not let go of it");
    else if (exit.way == GRAPH_DEVICE)
        begin_device(t, &exit);
    else
        begin_overlay(t, &exit);
}

static void look(struct takeout *t)
{
    survey_take(&t->survey, t->q, on_surveyed, t);
}

void takeout_clear(struct takeout *t)
{
    survey_clear(&t->survey);
    g_clear_pointer(&t->filter, g_free);
    g_clear_pointer(&t->stays, g_free);
    g_clear_pointer(&t->qdev, g_free);
    g_clear_pointer(&t->below, g_free);
    g_clear_error(&t->refusal);
}

void takeout_begin(struct takeout *t, struct qmp *q, const char *filter, takeout_done done, void *user)
{
    g_autofree char *name = g_strdup(filter); /* it may be t's own */

    takeout_clear(t);
    *t = (struct takeout){.q = q, .done = done, .user = user, .filter = g_steal_pointer(&name)};
    look(t);
}
