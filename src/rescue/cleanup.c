// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include "base/error.h"
#include "qemu/access.h"
#include "qemu/runstate.h"
#include "qmp/agent_uv.h"
#include "rescue/cleanup_inside.h"

#define THAW_MS  10000 /* an agent that is still at work on the freeze */
#define PAUSE_MS 50

/* --- life --------------------------------------------------------------------------------------- */

static void action_clear(gpointer data)
{
    struct action *a = data;

    g_free(a->name);
}

static GArray *new_actions(void)
{
    GArray *array = g_array_new(FALSE, TRUE, sizeof(struct action));

    g_array_set_clear_func(array, action_clear);
    return array;
}

void cleanup_add(GArray *to, enum action_kind kind, const char *name)
{
    struct action a = {kind, g_strdup(name)};

    g_array_append_val(to, a);
}

static void cleanup_free(struct cleanup *c)
{
    g_ptr_array_unref(c->records);
    g_clear_pointer(&c->sockets, g_ptr_array_unref);
    g_clear_pointer(&c->capabilities, g_ptr_array_unref);
    g_array_unref(c->actions);
    g_array_unref(c->jobs);
    g_array_unref(c->exports);
    g_array_unref(c->snapshots);
    g_array_unref(c->inserted);
    g_array_unref(c->nodes);
    g_ptr_array_unref(c->passed_sockets);
    g_ptr_array_unref(c->staying);
    survey_clear(&c->survey);
    takeout_clear(&c->takeout);
    g_clear_error(&c->first_error);
    g_free(c->status);
    g_free(c);
}

static void on_closed(uv_handle_t *handle)
{
    cleanup_free(handle->data);
}

static void forget_records(struct cleanup *c)
{
    for (unsigned i = 0; i < c->records->len; i++)
        journal_forget(g_ptr_array_index(c->records, i));
}

void cleanup_finish(struct cleanup *c, const GError *error)
{
    g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;
    g_autofree char *what = cleanup_summary(c->actions);

    if (c->is_over)
        return;
    c->is_over = true;
    if (!copy && !c->is_dry_run)
        forget_records(c);
    if (c->looked) {
        c->looked(c->user, what, c->actions->len, copy);
    } else {
        g_clear_pointer(&c->qmp, qmp_close);
        g_clear_pointer(&c->agent, agent_link_close);
        journal_close(c->lock, true);
        c->on_done(c->user, c->actions->len, copy);
    }
    if (c->looked)
        cleanup_free(c);
    else
        uv_close((uv_handle_t *)&c->pause, on_closed);
}

/* --- doing -------------------------------------------------------------------------------------- */

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
    if (uv_now(c->loop) >= c->wait_until_ms)
        return false;
    uv_timer_start(&c->pause, look, PAUSE_MS, 0);
    return true;
}

/* See disk_watch.c. */
static void leave_hanging_job(struct cleanup *c, const char *id)
{
    g_autoptr(GError) error =
        g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                    "job %s does not end: the disk it reads does not answer; clean up when it does", id);

    c->is_hanging = true;
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
    (void)user;
    (void)error; /* "already paused", or ended: looking tells */
}

static void calm_jobs(struct cleanup *c)
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

/* "vmb-<run>-cbw-3" has the target "vmb-<run>-fl-3". */
bool cleanup_is_part_of(const char *node, const char *filter)
{
    const char *part = strstr(filter, "-cbw-");
    g_autofree char *target =
        part ? g_strdup_printf("%.*s-fl-%s", (int)(part - filter), filter, part + strlen("-cbw-")) : NULL;

    return strcmp(node, filter) == 0 || g_strcmp0(node, target) == 0;
}

static bool is_staying(const struct cleanup *c, const char *node)
{
    for (unsigned i = 0; i < c->staying->len; i++)
        if (cleanup_is_part_of(node, g_ptr_array_index(c->staying, i)))
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
    (void)number;
    (void)text;
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
    if ((c->is_hanging && a->kind <= PUT_BACK) || (a->kind == DELETE_NODE && is_staying(c, a->name))) {
        c->at++;
        cleanup_act(c);
        return;
    }
    c->wait_until_ms = uv_now(c->loop) + c->timeout_s * UINT64_C(1000);
    switch (a->kind) {
    case CALM_JOBS:
        calm_jobs(c);
        break;
    case END_JOB:
        qmp_job_cancel(c->qmp, a->name, on_job_cancelled, c);
        break;
    case END_EXPORT:
        qmp_export_del(c->qmp, a->name, action_over, c);
        break;
    case DELETE_NODE:
        qmp_del_node(c->qmp, a->name, action_over, c);
        break;
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

/* --- the monitor -------------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct cleanup *c = user;

    cleanup_find(c);
}

static void on_event(void *user, const struct qmp_event *event)
{
    (void)user;
    (void)event;
}

static void on_lost(void *user, const GError *error)
{
    struct cleanup *c = user;
    g_autoptr(GError) lost = g_error_new_literal(VMB_ERROR, VMB_ERROR_MONITOR, error->message);

    cleanup_finish(c, lost);
}

static struct cleanup *new_cleanup(const char *monitor, void *user)
{
    struct cleanup *c = g_new0(struct cleanup, 1);

    c->user = user;
    c->actions = new_actions();
    c->jobs = new_actions();
    c->exports = new_actions();
    c->snapshots = new_actions();
    c->inserted = new_actions();
    c->nodes = new_actions();
    c->passed_sockets = g_ptr_array_new_with_free_func(g_free);
    c->staying = g_ptr_array_new_with_free_func(g_free);
    c->records = journal_read_all(monitor); /* cleanup_find() drops those of other guests */
    return c;
}

static void on_waiting(void *user, const GError *why)
{
    struct cleanup *c = user;

    c->on_line(c->user, why->message);
}

struct cleanup *cleanup_new(uv_loop_t *loop, const char *monitor, bool dry_run, unsigned timeout_s,
                            void (*on_line)(void *user, const char *line),
                            void (*on_done)(void *user, unsigned n_actions, const GError *error), void *user)
{
    static const struct qmp_listener listener = {
        .on_ready = on_ready, .on_event = on_event, .on_lost = on_lost, .on_waiting = on_waiting};
    struct cleanup *c = new_cleanup(monitor, user);
    g_autoptr(GError) error = NULL;

    c->loop = loop;
    uv_timer_init(loop, &c->pause);
    c->pause.data = c;
    c->timeout_s = timeout_s;
    c->is_dry_run = dry_run;
    c->on_line = on_line;
    c->on_done = on_done;
    c->lock = journal_open(monitor, "cleanup", "cleaning up", &error);
    if (!c->lock) {
        cleanup_finish(c, error);
        return NULL;
    }
    c->qmp = qmp_open(loop, monitor, timeout_s * 1000, &listener, c);
    return c;
}

struct cleanup *cleanup_look(struct qmp *q, const char *monitor, bool may_tidy, cleanup_looked looked, void *user)
{
    struct cleanup *c = new_cleanup(monitor, user);

    c->is_dry_run = true;
    c->may_tidy = may_tidy;
    c->looked = looked;
    c->qmp = q;
    cleanup_find(c);
    return c;
}

void cleanup_look_end(struct cleanup *c)
{
    if (c)
        cleanup_free(c);
}
