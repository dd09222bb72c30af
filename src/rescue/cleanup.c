// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.h"
#include "qmp/agent_uv.h"
#include "rescue/cleanup_inside.h"

/* --- life --------------------------------------------------------------------------------------- */

static void action_clear(gpointer data)
{
    struct action *a = data;

    g_free(a->name);
    g_free(a->node);
}

static GArray *new_actions(void)
{
    GArray *array = g_array_new(FALSE, TRUE, sizeof(struct action));

    g_array_set_clear_func(array, action_clear);
    return array;
}

void cleanup_add(GArray *to, enum action_kind kind, const char *name)
{
    struct action a = {kind, g_strdup(name), NULL};

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
    g_array_unref(c->lids);
    g_array_unref(c->bitmaps);
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
    for_each_in (struct journal_record, r, c->records)
        journal_forget(r);
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
        uv_close((uv_handle_t *)&c->wait.pause, on_closed);
}

/* --- the monitor -------------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct cleanup *c = user;

    cleanup_find(c);
}

static void on_event(void *user, const struct qmp_event *event)
{
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
    c->lids = new_actions();
    c->bitmaps = new_actions();
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

struct cleanup *cleanup_new(uv_loop_t *loop, const char *monitor, const struct cleanup_wish *wish,
                            void (*on_line)(void *user, const char *line),
                            void (*on_done)(void *user, unsigned n_actions, const GError *error), void *user)
{
    static const struct qmp_listener listener = {
        .on_ready = on_ready, .on_event = on_event, .on_lost = on_lost, .on_waiting = on_waiting};
    struct cleanup *c = new_cleanup(monitor, user);
    g_autoptr(GError) error = NULL;

    c->loop = loop;
    uv_timer_init(loop, &c->wait.pause);
    c->wait.pause.data = c;
    c->timeout_s = wish->timeout_s;
    c->is_dry_run = wish->is_dry_run;
    c->is_untrack = wish->is_untrack;
    c->on_line = on_line;
    c->on_done = on_done;
    c->lock = journal_open(monitor, "cleanup", "cleaning up", &error);
    if (!c->lock) {
        cleanup_finish(c, error);
        return NULL;
    }
    c->qmp = qmp_open(loop, monitor, wish->timeout_s * 1000, &listener, c);
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
