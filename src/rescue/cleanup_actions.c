// SPDX-License-Identifier: GPL-2.0-or-later
/* Does one action of a cleanup after the other; a job, a migration may take its time to end. */
#include <string.h>
#include "base/error.h"
#include "qemu/access.h"
#include "qemu/runstate.h"
#include "qmp/agent_uv.h"
#include "rescue/cleanup_inside.h"

#define THAW_MS  10000 /* an agent that is still at work on the freeze */
#define PAUSE_MS 50

static void say(struct cleanup *c, const struct action *a, const GError *error)
{
    g_autofree char *what = cleanup_describe(a);
    g_autofree char *line = g_strdup_printf("%s%s%s%s", c->is_dry_run ? "would " : "", what, error ? ": " : "",
                                            error ? error->message : "");

    c->on_line(c->user, line);
}

static void action_over(void *user, const GError *error)
{
    struct cleanup *c = user;
    const struct action *a = &g_array_index(c->actions, struct action, c->at);

    say(c, a, error);
    if (error && !c->first_error)
        c->first_error = g_error_copy(error);
    c->at++;
    cleanup_act(c);
}

/* Looks again in a moment; false when it has been too long. */
static bool wait_on(struct cleanup *c, uv_timer_cb look)
{
    if (uv_now(c->loop) >= c->wait.until_ms)
        return false;
    uv_timer_start(&c->wait.pause, look, PAUSE_MS, 0);
    return true;
}

/* See disk_watch.c. */
static void leave_hanging_job(struct cleanup *c, const char *id)
{
    g_autoptr(GError) error =
        g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                    "job %s does not end: the disk it reads does not answer; clean up when it does", id);

    c->wait.is_in_vain = true;
    action_over(c, error);
}

static const char *restless_job(const struct qmp_job *jobs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (g_str_has_prefix(jobs[i].id, PREFIX) && g_strcmp0(jobs[i].status, "paused") != 0 &&
            g_strcmp0(jobs[i].status, "concluded") != 0)
            return jobs[i].id;
    return NULL;
}

static void look_at_rest(uv_timer_t *timer);

static void on_jobs_paused(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct cleanup *c = user;
    const char *id = error ? NULL : restless_job(jobs, n);

    if (!id)
        action_over(c, error);
    else if (!wait_on(c, look_at_rest))
        leave_hanging_job(c, id);
}

static void look_at_rest(uv_timer_t *timer)
{
    struct cleanup *c = timer->data;

    qmp_query_jobs(c->qmp, on_jobs_paused, c);
}

static void on_paused(void *user, const GError *error)
{
    (void)error; /* "already paused", or ended: looking tells */
}

static void pause_jobs(struct cleanup *c)
{
    for (unsigned i = 0; i < c->jobs->len; i++)
        qmp_job_pause(c->qmp, g_array_index(c->jobs, struct action, i).name, on_paused, c);
    qmp_query_jobs(c->qmp, on_jobs_paused, c);
}

static void look_at_job(uv_timer_t *timer);

static void on_jobs_again(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct cleanup *c = user;
    const struct action *a = &g_array_index(c->actions, struct action, c->at);
    const struct qmp_job *job = NULL;

    for (unsigned i = 0; !error && i < n; i++)
        if (g_strcmp0(jobs[i].id, a->name) == 0)
            job = &jobs[i];
    if (error || !job)
        action_over(c, error); /* gone: as wanted */
    else if (g_strcmp0(job->status, "concluded") == 0)
        qmp_job_dismiss(c->qmp, a->name, action_over, c);
    else if (!wait_on(c, look_at_job))
        leave_hanging_job(c, a->name);
}

static void look_at_job(uv_timer_t *timer)
{
    struct cleanup *c = timer->data;

    qmp_query_jobs(c->qmp, on_jobs_again, c);
}

static void on_job_cancelled(void *user, const GError *error)
{
    struct cleanup *c = user;

    (void)error; /* concluded ones cannot be cancelled */
    qmp_query_jobs(c->qmp, on_jobs_again, c);
}

static void on_end_closed(void *user, const GError *error)
{
    action_over(user, qmp_error_is_refusal(error) ? NULL : error); /* it has none, or by another monitor */
}

/* Of an export that was read, QEMU holds the reader's end of the connection: see backup/pull_export.c. */
static void on_export_ended(void *user, const GError *error)
{
    struct cleanup *c = user;
    g_autofree char *held = g_strdup_printf("%s-held", g_array_index(c->actions, struct action, c->at).name);

    if (error)
        action_over(c, error);
    else
        qmp_closefd(c->qmp, held, on_end_closed, c);
}

static void on_server_stopped(void *user, const GError *error)
{
    action_over(user, qmp_error_is_refusal(error) ? NULL : error); /* it does not run: as wanted */
}

/* While it is being cancelled QEMU takes no capabilities. */
static void look_at_migration(uv_timer_t *timer);

static void on_migration_again(void *user, const struct qmp_migration *m, const GError *error)
{
    struct cleanup *c = user;

    if (error || !runstate_is_migrating(m->status) || !wait_on(c, look_at_migration))
        action_over(c, error);
}

static void look_at_migration(uv_timer_t *timer)
{
    struct cleanup *c = timer->data;

    qmp_query_migrate(c->qmp, on_migration_again, c);
}

static void on_migration_cancelled(void *user, const GError *error)
{
    struct cleanup *c = user;

    if (error)
        action_over(c, error);
    else
        qmp_query_migrate(c->qmp, on_migration_again, c);
}

/* --- filters that others stand on --------------------------------------------------------------- */

static void on_out(void *user, const struct takeout *t, const GError *error)
{
    struct cleanup *c = user;
    g_autoptr(GError) stays = NULL;

    if (!error && t->stays) {
        g_ptr_array_add(c->staying, g_strdup(t->filter));
        stays = g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                            "filter %s stays, where it does no harm, because of %s; clean up again later", t->filter,
                            t->stays);
    }
    action_over(c, error ? error : stays);
}

/* "vmb-<run>-lid-3" has "vmb-<run>-lid-3-cap" over it and stands on "vmb-<run>-cbw-3", and that has the target
 * "vmb-<run>-fl-3". */
bool cleanup_is_part_of(const char *node, const char *filter)
{
    static const char *const parts[] = {"-lid-", "-cbw-", "-fl-"};
    const char *at = NULL, *number = NULL;
    g_autofree char *cap = g_strconcat(filter, "-cap", NULL);
    bool is_part = strcmp(node, filter) == 0 || strcmp(node, cap) == 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (!at && (at = strstr(filter, parts[i])))
            number = at + strlen(parts[i]);
        g_autofree char *name = at ? g_strdup_printf("%.*s%s%s", (int)(at - filter), filter, parts[i], number) : NULL;
        is_part |= g_strcmp0(node, name) == 0;
    }
    return is_part;
}

static bool is_staying(const struct cleanup *c, const char *node)
{
    for_each_in (const char, filter, c->staying)
        if (cleanup_is_part_of(node, filter))
            return true;
    return false;
}

/* --- the rest ----------------------------------------------------------------------------------- */

static void restore_capabilities(struct cleanup *c)
{
    const struct journal_record *r = cleanup_capabilities(c);
    struct qmp_capability caps[] = {
        {"events", cleanup_was_on(r, "events")},
        {"background-snapshot", cleanup_was_on(r, "background-snapshot")},
    };

    qmp_set_capabilities(c->qmp, caps, G_N_ELEMENTS(caps), action_over, c);
}

static void restore_params(struct cleanup *c)
{
    const struct journal_record *r = cleanup_params(c);
    struct qmp_migration_params p = {r->max_bandwidth, r->downtime_limit_ms};

    qmp_set_migration_params(c->qmp, &p, action_over, c);
}

static void on_resumed(void *user, const GError *error)
{
    struct cleanup *c = user;
    g_autofree char *who = error ? access_describe(error->message, qmp_peer_pid(c->qmp)) : NULL;
    g_autoptr(GError) why =
        who ? g_error_new(VMB_ERROR, VMB_ERROR_FAILED, "%s; give that user write access, then clean up again", who)
            : NULL;

    action_over(c, why ? why : error);
}

static void on_thawed(void *user, int64_t number, const char *text, const GError *error)
{
    action_over(user, error);
}

static void thaw(struct cleanup *c, const char *socket)
{
    const struct agent_question question = {"guest-fsfreeze-thaw", .is_at_once = true, .timeout_ms = THAW_MS};

    g_clear_pointer(&c->agent, agent_link_close);
    c->agent = agent_link_new(c->loop, socket);
    agent_link_ask(c->agent, &question, on_thawed, c);
}

void cleanup_act(struct cleanup *c)
{
    const struct action *a;

    while (c->is_dry_run && !c->looked && c->at < c->actions->len)
        say(c, &g_array_index(c->actions, struct action, c->at++), NULL);
    if (c->is_dry_run || c->at == c->actions->len) {
        cleanup_finish(c, c->first_error);
        return;
    }
    a = &g_array_index(c->actions, struct action, c->at);
    if ((c->wait.is_in_vain && a->kind <= PUT_BACK) || (a->kind == DELETE_NODE && is_staying(c, a->name))) {
        c->at++;
        cleanup_act(c);
        return;
    }
    c->wait.until_ms = uv_now(c->loop) + c->timeout_s * UINT64_C(1000);
    switch (a->kind) {
    case PAUSE_JOBS:
        pause_jobs(c);
        break;
    case END_JOB:
        qmp_job_cancel(c->qmp, a->name, on_job_cancelled, c);
        break;
    case END_EXPORT:
        qmp_export_del(c->qmp, a->name, on_export_ended, c);
        break;
    case REMOVE_BITMAP:
        qmp_bitmap_remove(c->qmp, a->node, a->name, action_over, c);
        break;
    case DELETE_NODE:
        qmp_del_node(c->qmp, a->name, action_over, c);
        break;
    case TAKE_OFF:
    case PUT_BACK:
        takeout_begin(&c->takeout, c->qmp, a->name, on_out, c);
        break;
    case STOP_NBD_SERVER:
        if (c->is_server_foreign)
            action_over(c, NULL);
        else
            qmp_nbd_server_stop(c->qmp, on_server_stopped, c);
        break;
    case CANCEL_MIGRATION:
        qmp_migrate_cancel(c->qmp, on_migration_cancelled, c);
        break;
    case RESTORE_PARAMS:
        restore_params(c);
        break;
    case RESTORE_CAPABILITIES:
        restore_capabilities(c);
        break;
    case RESUME:
        qmp_cont(c->qmp, on_resumed, c);
        break;
    case THAW:
        thaw(c, a->name);
        break;
    }
}
