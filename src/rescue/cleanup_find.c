// SPDX-License-Identifier: GPL-2.0-or-later
/* What a dead run has left in a QEMU, and in which order it goes. */
#include <string.h>
#include "base/error.h"
#include "qemu/identity.h"
#include "qemu/runstate.h"
#include "rescue/cleanup_inside.h"

static void append_all(struct cleanup *c, GArray *from)
{
    for (unsigned i = 0; i < from->len; i++) {
        const struct action *a = &g_array_index(from, struct action, i);
        cleanup_add(c->actions, a->kind, a->name);
        g_array_index(c->actions, struct action, c->actions->len - 1).node = g_strdup(a->node);
    }
}

static void take_back_next_door(struct cleanup *c);

static void on_door_taken_back(void *user, const GError *error)
{
    (void)error; /* it does no harm */
    take_back_next_door(user);
}

/* The folders of sockets that these runs handed to QEMU, see door.c. Those of others may be in use. */
static void take_back_next_door(struct cleanup *c)
{
    const struct journal_record *r;
    g_autofree char *prefix = NULL;

    if (c->next_door == c->records->len) {
        cleanup_act(c);
        return;
    }
    r = g_ptr_array_index(c->records, c->next_door++);
    prefix = g_strdup_printf(PREFIX "%s-", r->run_id);
    qmp_remove_fds_named(c->qmp, prefix, on_door_taken_back, c);
}

/* Sockets for QEMU's NBD server that were passed and never used; QEMU lists them nowhere, so each possible name is
 * tried. It keeps them for the monitor that they came by; from another one they cannot be closed, and do no harm. */
static void on_socket_closed(void *user, const GError *error);

static void close_next_socket(struct cleanup *c)
{
    if (c->is_dry_run)
        cleanup_act(c);
    else if (c->next_socket == c->passed_sockets->len)
        take_back_next_door(c);
    else
        qmp_closefd(c->qmp, g_ptr_array_index(c->passed_sockets, c->next_socket++), on_socket_closed, c);
}

static void on_socket_closed(void *user, const GError *error)
{
    struct cleanup *c = user;

    const char *name = g_ptr_array_index(c->passed_sockets, c->next_socket - 1);

    c->is_server_foreign |= !error && (g_str_has_suffix(name, "-act") || g_str_has_suffix(name, "-map"));
    close_next_socket(c); /* most are not there */
}

/* --- settings ----------------------------------------------------------------------------------- */

const struct journal_record *cleanup_capabilities(const struct cleanup *c)
{
    for_each_in (const struct journal_record, r, c->records)
        if (r->has_capabilities)
            return r;
    return NULL;
}

const struct journal_record *cleanup_params(const struct cleanup *c)
{
    for_each_in (const struct journal_record, r, c->records)
        if (r->has_params)
            return r;
    return NULL;
}

bool cleanup_was_on(const struct journal_record *r, const char *capability)
{
    return g_ptr_array_find_with_equal_func(r->capabilities, capability, g_str_equal, NULL);
}

static bool is_capability_changed(const struct cleanup *c, const struct journal_record *r, const char *name)
{
    return !c->capabilities ||
           g_ptr_array_find_with_equal_func(c->capabilities, name, g_str_equal, NULL) != cleanup_was_on(r, name);
}

static void add_settings(struct cleanup *c)
{
    const struct journal_record *caps = cleanup_capabilities(c), *params = cleanup_params(c);

    if (caps && c->is_migrating)
        cleanup_add(c->actions, CANCEL_MIGRATION, NULL);
    if (params && (!c->are_params_known || c->params.max_bandwidth != params->max_bandwidth ||
                   c->params.downtime_limit_ms != params->downtime_limit_ms))
        cleanup_add(c->actions, RESTORE_PARAMS, NULL);
    if (caps && (is_capability_changed(c, caps, "events") || is_capability_changed(c, caps, "background-snapshot")))
        cleanup_add(c->actions, RESTORE_CAPABILITIES, NULL);
}

/* --- the order ---------------------------------------------------------------------------------- */

static bool is_export_there(const struct cleanup *c, const char *id)
{
    for (unsigned i = 0; i < c->exports->len; i++)
        if (g_str_equal(g_array_index(c->exports, struct action, i).name, id))
            return true;
    return false;
}

/* While its export is there, QEMU must not lose its end: END_EXPORT takes that back. */
static void add_passed_sockets(struct cleanup *c, const struct journal_record *r)
{
    g_ptr_array_add(c->passed_sockets, g_strdup_printf(PREFIX "%s-act", r->run_id));
    g_ptr_array_add(c->passed_sockets, g_strdup_printf(PREFIX "%s-map", r->run_id));
    for (unsigned i = 0; i < r->n_exports; i++) {
        g_autofree char *id = g_strdup_printf(PREFIX "%s-exp-%u", r->run_id, i);
        g_ptr_array_add(c->passed_sockets, g_strdup_printf("%s-socket", id));
        if (!is_export_there(c, id))
            g_ptr_array_add(c->passed_sockets, g_strdup_printf("%s-held", id));
    }
}

/* Jobs and exports first, then what stands on what: lids, frozen images, filters out of their drives, filters, targets.
 * The guest last: only one that runs can answer the thaw. */
static void put_in_order(struct cleanup *c)
{
    bool has_server = false, is_stopped = false;
    const char *agent = NULL;

    for_each_in (const struct journal_record, r, c->records) {
        has_server |= r->has_nbd_server;
        /* One that has panicked since, for example, is in a state of its own: it stays there. */
        is_stopped |= runstate_is_ours(c->status, r->did_we_stop, r->does_migrate);
        agent = *r->agent ? r->agent : agent;
        if (r->is_of_monitor && qmp_can_pass_fds(c->qmp))
            add_passed_sockets(c, r);
    }
    if (c->jobs->len)
        cleanup_add(c->actions, PAUSE_JOBS, NULL);
    append_all(c, c->jobs);
    append_all(c, c->exports);
    append_all(c, c->lids);
    append_all(c, c->bitmaps); /* before their nodes */
    append_all(c, c->snapshots);
    append_all(c, c->inserted);
    append_all(c, c->nodes);
    if (has_server)
        cleanup_add(c->actions, STOP_NBD_SERVER, NULL);
    add_settings(c);
    if (is_stopped)
        cleanup_add(c->actions, RESUME, NULL);
    if (agent)
        cleanup_add(c->actions, THAW, agent);
    if (c->may_tidy && !c->actions->len)
        c->is_dry_run = false; /* nothing is changed by what follows */
    close_next_socket(c);
}

/* --- what is there ------------------------------------------------------------------------------ */

static void on_params(void *user, const struct qmp_migration_params *p, const GError *error)
{
    struct cleanup *c = user;

    c->are_params_known = !error;
    if (!error)
        c->params = *p;
    put_in_order(c);
}

static void on_capabilities(void *user, const struct qmp_capability *caps, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    if (!error)
        c->capabilities = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; !error && i < n; i++)
        if (caps[i].is_on)
            g_ptr_array_add(c->capabilities, g_strdup(caps[i].name));
    qmp_query_migration_params(c->qmp, on_params, c);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct cleanup *c = user;

    c->is_migrating = !error && runstate_is_migrating(m->status);
    qmp_query_capabilities(c->qmp, on_capabilities, c);
}

static void ask_status(void *cleanup);

/* Of a run that died as its RAM was all but saved the guest is about to be "postmigrate". */
static void on_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct cleanup *c = user;
    bool is_passing = !error && runstate_of(s->status)->place == RUNSTATE_LEAVING;

    if (is_passing && qmp_again(c->qmp, &c->again, ask_status, c))
        return;
    c->status = g_strdup(error ? "" : s->status);
    qmp_query_migrate(c->qmp, on_migration, c);
}

static void ask_status(void *user)
{
    struct cleanup *c = user;

    qmp_query_status(c->qmp, on_status, c);
}

static bool is_seen(const struct qmp_node *nodes, unsigned n, const GArray *jobs, const char *run_id)
{
    g_autofree char *prefix = g_strdup_printf(PREFIX "%s-", run_id);

    for (unsigned i = 0; i < n; i++)
        if (nodes[i].node_name && g_str_has_prefix(nodes[i].node_name, prefix))
            return true;
    for (unsigned i = 0; i < jobs->len; i++)
        if (g_str_has_prefix(g_array_index(jobs, struct action, i).name, prefix))
            return true;
    return false;
}

/* Keeps the records of this guest: of who came by the same monitor, by another of its sockets, or whose names are in
 * QEMU. False with an error if one of them is of a run that goes on. Who cleans up holds the monitor's own lock. */
static bool keep_own_records(struct cleanup *c, const struct qmp_node *nodes, unsigned n, GError **error)
{
    for (unsigned i = c->records->len; i-- > 0;) {
        const struct journal_record *r = g_ptr_array_index(c->records, i);
        if (r->is_qemu_gone && !r->is_alive) { /* what it tells of has gone with it */
            if (c->looked || !c->is_dry_run)
                journal_forget(r);
            g_ptr_array_remove_index(c->records, i);
            continue;
        }
        bool is_here =
            r->is_of_monitor || identity_is_shared(r->sockets, c->sockets) || is_seen(nodes, n, c->jobs, r->run_id);
        if (is_here && r->is_alive && (c->looked || !r->is_of_monitor))
            return vmb_fail(error, VMB_ERROR_HELD,
                            "guest is held by another backup (%s); wait for it or cancel it there", r->holder);
        if (!is_here)
            g_ptr_array_remove_index(c->records, i);
    }
    return true;
}

static void find_exports(struct cleanup *c, const struct survey *s)
{
    for (unsigned i = 0; i < s->exports->len; i++) {
        const char *id = g_array_index(s->exports, struct qmp_export, i).id;
        if (id && g_str_has_prefix(id, PREFIX))
            cleanup_add(c->exports, END_EXPORT, id);
    }
}

static bool has_part(const char *node, const char *part)
{
    return strstr(node, part) != NULL;
}

static void forget_parts(GArray *nodes, const char *filter)
{
    for (unsigned i = nodes->len; i-- > 0;)
        if (cleanup_is_part_of(g_array_index(nodes, struct action, i).name, filter))
            g_array_remove_index(nodes, i);
}

static bool has_lid(const struct cleanup *c, const char *filter)
{
    for (unsigned i = 0; i < c->lids->len; i++)
        if (cleanup_is_part_of(filter, g_array_index(c->lids, struct action, i).name))
            return true;
    return false;
}

static enum graph_way way_out(const struct survey *s, const char *name)
{
    struct graph_exit exit = graph_way_out(s->graph, name, survey_showing(s, name) != NULL);

    g_free(exit.why);
    return exit.way;
}

/* One that has to stay, which does no harm, is in nobody's way: a run that only looks does not count it. */
static void forget_stuck(struct cleanup *c, const struct survey *s, const GArray *from, const char *part)
{
    g_autoptr(GPtrArray) stuck = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; c->looked && i < from->len; i++) {
        const char *name = g_array_index(from, struct action, i).name;
        if (has_part(name, part) && way_out(s, name) == GRAPH_STUCK)
            g_ptr_array_add(stuck, g_strdup(name));
    }
    for_each_in (const char, name, stuck) {
        forget_parts(c->lids, name);
        forget_parts(c->nodes, name);
    }
}

/* Filters that somebody stands on, or will when their lids are off. */
static void find_inserted(struct cleanup *c, const struct survey *s)
{
    forget_stuck(c, s, c->lids, "-lid-");
    forget_stuck(c, s, c->nodes, "-cbw-");
    for (unsigned i = 0; i < c->nodes->len; i++) {
        const char *name = g_array_index(c->nodes, struct action, i).name;
        if (has_part(name, "-cbw-") && (has_lid(c, name) || way_out(s, name) != GRAPH_FREE))
            cleanup_add(c->inserted, PUT_BACK, name);
    }
}

static void on_surveyed(void *user, const struct survey *s, const GError *error)
{
    struct cleanup *c = user;

    if (error) {
        cleanup_finish(c, error);
        return;
    }
    find_inserted(c, s);
    find_exports(c, s);
    ask_status(c);
}

static void add_node(struct cleanup *c, const char *name, bool are_filters_due)
{
    bool is_filter = has_part(name, "-cbw-"), is_lid = has_part(name, "-lid-");

    if (!g_str_has_prefix(name, PREFIX) || is_filter != are_filters_due)
        return;
    if (is_lid)
        cleanup_add(c->lids, g_str_has_suffix(name, "-cap") ? DELETE_NODE : TAKE_OFF, name);
    else
        cleanup_add(has_part(name, "-snap-") ? c->snapshots : c->nodes, DELETE_NODE, name);
}

static void on_bitmaps_found(struct cleanup *c, const GError *error)
{
    if (error)
        cleanup_finish(c, error);
    else
        survey_take(&c->survey, c->qmp, on_surveyed, c);
}

static void on_nodes(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    struct cleanup *c = user;
    g_autoptr(GError) held = NULL;

    if (error || !keep_own_records(c, nodes, n, &held)) {
        cleanup_finish(c, error ? error : held);
        return;
    }
    for (unsigned pass = 0; pass < 2; pass++) /* filters, then everything they stood on */
        for (unsigned i = 0; i < n; i++)
            add_node(c, nodes[i].node_name, pass == 0);
    if (c->looked) /* bitmaps are in nobody's way */
        on_bitmaps_found(c, NULL);
    else
        cleanup_find_bitmaps(c, on_bitmaps_found);
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    for (unsigned i = 0; !error && i < n; i++)
        if (g_str_has_prefix(jobs[i].id, PREFIX))
            cleanup_add(c->jobs, END_JOB, jobs[i].id);
    if (error)
        cleanup_finish(c, error);
    else
        qmp_query_nodes(c->qmp, on_nodes, c);
}

static void on_chardevs(void *user, const char *const *filenames, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    if (!error)
        c->sockets = identity_of_chardevs(filenames, n, qmp_peer_pid(c->qmp));
    qmp_query_jobs(c->qmp, on_jobs, c);
}

void cleanup_find(struct cleanup *c)
{
    qmp_query_chardevs(c->qmp, on_chardevs, c);
}
