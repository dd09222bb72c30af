// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/cleanup.h"

#include <string.h>
#include "backup/journal.h"
#include "base/error.h"
#include "qmp/calls.h"

#define PREFIX      "vmb-"
#define MAX_POLLS   2000 /* of a job that was cancelled; each answer takes QEMU a turn of its loop */

enum action_kind {
    END_JOB, DELETE_NODE, PUT_BACK, CANCEL_MIGRATION, RESTORE_PARAMS, RESTORE_CAPABILITIES, RESUME
};

struct action {
    enum action_kind kind;
    char *name; /* job, node, device path */
    char *node; /* PUT_BACK: the drive's own node */
};

struct cleanup {
    uv_loop_t *loop;
    bool is_dry_run, is_over;
    void (*on_line)(void *user, const char *line);
    void (*on_done)(void *user, unsigned n_actions, const GError *error);
    void *user;
    struct qmp *qmp;
    struct journal *lock;
    GPtrArray *records; /* struct journal_record * */
    GArray *actions, *jobs, *snapshots, *inserted, *nodes;
    unsigned at, n_polls, lookup, next_fd;
    GPtrArray *fd_names; /* char * */
    bool is_retry, is_guest_stopped, is_migrating;
    GError *first_error;
};

static void next_action(struct cleanup *c);

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

static void add(GArray *to, enum action_kind kind, const char *name, const char *node)
{
    struct action a = {kind, g_strdup(name), g_strdup(node)};

    g_array_append_val(to, a);
}

static void finish(struct cleanup *c, const GError *error)
{
    g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;

    if (c->is_over)
        return;
    c->is_over = true;
    g_clear_pointer(&c->qmp, qmp_close);
    if (!copy && !c->is_dry_run)
        for (unsigned i = 0; i < c->records->len; i++)
            journal_forget(g_ptr_array_index(c->records, i));
    journal_close(c->lock, true);
    c->on_done(c->user, c->actions->len, copy);
    g_ptr_array_unref(c->records);
    g_array_unref(c->actions);
    g_array_unref(c->jobs);
    g_array_unref(c->snapshots);
    g_array_unref(c->inserted);
    g_array_unref(c->nodes);
    g_ptr_array_unref(c->fd_names);
    g_clear_error(&c->first_error);
    g_free(c);
}

/* --- doing -------------------------------------------------------------------------------------- */

static void say(struct cleanup *c, const struct action *a, const GError *error)
{
    static const char *const words[] = {
        [END_JOB] = "end job", [DELETE_NODE] = "delete node", [PUT_BACK] = "give back the drive of",
        [CANCEL_MIGRATION] = "cancel the RAM's migration", [RESTORE_PARAMS] = "restore migration parameters",
        [RESTORE_CAPABILITIES] = "restore migration capabilities", [RESUME] = "resume the guest",
    };
    g_autofree char *line = g_strdup_printf("%s%s%s%s%s%s", c->is_dry_run ? "would " : "", words[a->kind],
                                            a->name ? " " : "", a->name ? a->name : "", error ? ": " : "",
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
    c->is_retry = false;
    next_action(c);
}

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
    else if (g_strcmp0(job->status, "concluded") == 0 || ++c->n_polls > MAX_POLLS)
        qmp_job_dismiss(c->qmp, a->name, action_over, c);
    else
        qmp_query_jobs(c->qmp, on_jobs_again, c);
}

static void on_job_cancelled(void *user, const GError *error)
{
    struct cleanup *c = user;

    (void)error; /* concluded ones cannot be cancelled */
    c->n_polls = 0;
    qmp_query_jobs(c->qmp, on_jobs_again, c);
}

static bool is_moving(const struct qmp_migration *m)
{
    return strcmp(m->status, "active") == 0 || strcmp(m->status, "setup") == 0 || strcmp(m->status, "device") == 0 ||
           strcmp(m->status, "cancelling") == 0;
}

/* While it is being cancelled QEMU takes no capabilities. */
static void on_migration_again(void *user, const struct qmp_migration *m, const GError *error)
{
    struct cleanup *c = user;

    if (!error && is_moving(m) && ++c->n_polls <= MAX_POLLS)
        qmp_query_migrate(c->qmp, on_migration_again, c);
    else
        action_over(c, error);
}

static void on_migration_cancelled(void *user, const GError *error)
{
    struct cleanup *c = user;

    if (error)
        action_over(c, error);
    else
        qmp_query_migrate(c->qmp, on_migration_again, c);
}

static void on_put_back(void *user, const GError *error)
{
    struct cleanup *c = user;
    const struct action *a = &g_array_index(c->actions, struct action, c->at);

    if (error && !c->is_retry && !strchr(a->name, '/')) { /* nvme shows a bare id */
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", a->name);
        c->is_retry = true;
        qmp_set_drive(c->qmp, path, a->node, on_put_back, c);
        return;
    }
    action_over(c, error);
}

static bool was_on(const struct journal_record *r, const char *name)
{
    for (unsigned i = 0; i < r->capabilities->len; i++)
        if (strcmp(g_ptr_array_index(r->capabilities, i), name) == 0)
            return true;
    return false;
}

static void restore_capabilities(struct cleanup *c)
{
    const struct journal_record *r = g_ptr_array_index(c->records, 0);
    struct qmp_capability caps[] = {
        {"events", was_on(r, "events")},
        {"background-snapshot", was_on(r, "background-snapshot")},
    };

    qmp_set_capabilities(c->qmp, caps, G_N_ELEMENTS(caps), action_over, c);
}

static void restore_params(struct cleanup *c)
{
    const struct journal_record *r = g_ptr_array_index(c->records, 0);
    struct qmp_migration_params p = {r->max_bandwidth, r->downtime_limit_ms};

    qmp_set_migration_params(c->qmp, &p, action_over, c);
}

static void next_action(struct cleanup *c)
{
    const struct action *a;

    while (c->is_dry_run && c->at < c->actions->len)
        say(c, &g_array_index(c->actions, struct action, c->at++), NULL);
    if (c->at == c->actions->len) {
        finish(c, c->first_error);
        return;
    }
    a = &g_array_index(c->actions, struct action, c->at);
    switch (a->kind) {
    case END_JOB:
        qmp_job_cancel(c->qmp, a->name, on_job_cancelled, c);
        break;
    case DELETE_NODE:
        qmp_del_node(c->qmp, a->name, action_over, c);
        break;
    case PUT_BACK:
        qmp_set_drive(c->qmp, a->name, a->node, on_put_back, c);
        break;
    case CANCEL_MIGRATION:
        c->n_polls = 0;
        qmp_migrate_cancel(c->qmp, on_migration_cancelled, c);
        break;
    case RESTORE_PARAMS:
        restore_params(c);
        break;
    case RESTORE_CAPABILITIES:
        restore_capabilities(c);
        break;
    case RESUME:
        qmp_cont(c->qmp, action_over, c);
        break;
    }
}

/* --- finding ------------------------------------------------------------------------------------ */

static void append_all(struct cleanup *c, GArray *from)
{
    for (unsigned i = 0; i < from->len; i++) {
        const struct action *a = &g_array_index(from, struct action, i);
        add(c->actions, a->kind, a->name, a->node);
    }
}

/* Descriptors that were passed and never used; QEMU lists them nowhere, so each possible name is tried. */
static void on_fd_closed(void *user, const GError *error);

static void add_fd_names(struct cleanup *c, const struct journal_record *r)
{
    static const char *const of_run[] = {"ram", "act"}, *const of_drive[] = {"fl", "tgt"};

    for (unsigned i = 0; i < G_N_ELEMENTS(of_run); i++)
        g_ptr_array_add(c->fd_names, g_strdup_printf(PREFIX "%s-%s", r->run_id, of_run[i]));
    for (unsigned d = 0; d < r->drives->len; d++)
        for (unsigned i = 0; i < G_N_ELEMENTS(of_drive); i++)
            g_ptr_array_add(c->fd_names, g_strdup_printf(PREFIX "%s-%s-%u", r->run_id, of_drive[i], d));
}

static void close_next_fd(struct cleanup *c)
{
    if (c->is_dry_run || c->next_fd == c->fd_names->len)
        next_action(c);
    else
        qmp_closefd(c->qmp, g_ptr_array_index(c->fd_names, c->next_fd++), on_fd_closed, c);
}

static void on_fd_closed(void *user, const GError *error)
{
    (void)error; /* most are not there */
    close_next_fd(user);
}

/* Jobs first, then what stands on what: frozen images, filters out of their drives, filters, targets. */
static void put_in_order(struct cleanup *c)
{
    const struct journal_record *r = c->records->len ? g_ptr_array_index(c->records, 0) : NULL;

    append_all(c, c->jobs);
    append_all(c, c->snapshots);
    append_all(c, c->inserted);
    append_all(c, c->nodes);
    if (r && r->has_capabilities && c->is_migrating)
        add(c->actions, CANCEL_MIGRATION, NULL, NULL);
    if (r && r->has_params)
        add(c->actions, RESTORE_PARAMS, NULL, NULL);
    if (r && r->has_capabilities)
        add(c->actions, RESTORE_CAPABILITIES, NULL, NULL);
    if (r && r->did_we_stop && c->is_guest_stopped)
        add(c->actions, RESUME, NULL, NULL);
    for (unsigned i = 0; qmp_can_pass_fds(c->qmp) && i < c->records->len; i++)
        add_fd_names(c, g_ptr_array_index(c->records, i));
    close_next_fd(c);
}

static const char *journalled_node(struct cleanup *c, const char *cbw_node)
{
    for (unsigned i = 0; i < c->records->len; i++) {
        const struct journal_record *r = g_ptr_array_index(c->records, i);
        for (unsigned j = 0; j < r->drives->len; j++) {
            const struct journal_drive *d = &g_array_index(r->drives, struct journal_drive, j);
            if (strcmp(d->cbw_node, cbw_node) == 0)
                return d->node;
        }
    }
    return NULL;
}

static void find_originals(struct cleanup *c);

static void on_child(void *user, const char *child, const GError *error)
{
    struct cleanup *c = user;
    struct action *a = &g_array_index(c->inserted, struct action, c->lookup);
    g_autoptr(GError) lost = NULL;

    if (error || !child) {
        g_set_error(&lost, VMB_ERROR, VMB_ERROR_FAILED, "device %s: the drive behind filter %s is unknown; qom-set it by hand",
                    a->name, a->node);
        finish(c, lost);
        return;
    }
    g_free(a->node);
    a->node = g_strdup(child);
    c->lookup++;
    find_originals(c);
}

/* In `inserted`, node is the filter at first: replaced by what it filters. */
static void find_originals(struct cleanup *c)
{
    while (c->lookup < c->inserted->len) {
        struct action *a = &g_array_index(c->inserted, struct action, c->lookup);
        const char *original = journalled_node(c, a->node);
        if (!original) {
            qmp_query_file_child(c->qmp, a->node, on_child, c);
            return;
        }
        g_free(a->node);
        a->node = g_strdup(original);
        c->lookup++;
    }
    put_in_order(c);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct cleanup *c = user;

    c->is_migrating = !error && is_moving(m);
    find_originals(c);
}

static void on_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct cleanup *c = user;

    c->is_guest_stopped = !error && !s->is_running;
    qmp_query_migrate(c->qmp, on_migration, c);
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

/* Keeps the records of this guest: by its monitor, or, if they came by another of its monitors, by their names in
 * QEMU. False with an error if one of them is of a run that goes on. */
static bool keep_own_records(struct cleanup *c, const struct qmp_node *nodes, unsigned n, GError **error)
{
    for (unsigned i = c->records->len; i-- > 0;) {
        const struct journal_record *r = g_ptr_array_index(c->records, i);
        bool is_here = is_seen(nodes, n, c->jobs, r->run_id);
        if (is_here && r->is_alive && !r->is_of_monitor) {
            g_set_error(error, VMB_ERROR, VMB_ERROR_HELD, "guest is held by backup %s, which goes on by another monitor",
                        r->run_id);
            return false;
        }
        if (!is_here && !r->is_of_monitor)
            g_ptr_array_remove_index(c->records, i);
    }
    return true;
}

static bool has_part(const char *node, const char *part)
{
    return strstr(node, part) != NULL;
}

static void on_nodes(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    static const char *const order[] = {"-cbw-", "-"}; /* filters, then everything they stood on */
    struct cleanup *c = user;
    g_autoptr(GError) held = NULL;

    if (error || !keep_own_records(c, nodes, n, &held)) {
        finish(c, error ? error : held);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        if (g_str_has_prefix(nodes[i].node_name, PREFIX) && has_part(nodes[i].node_name, "-snap-"))
            add(c->snapshots, DELETE_NODE, nodes[i].node_name, NULL);
    for (unsigned pass = 0; pass < G_N_ELEMENTS(order); pass++)
        for (unsigned i = 0; i < n; i++) {
            const char *name = nodes[i].node_name;
            if (g_str_has_prefix(name, PREFIX) && !has_part(name, "-snap-") &&
                has_part(name, "-cbw-") == (pass == 0) && has_part(name, order[pass]))
                add(c->nodes, DELETE_NODE, name, NULL);
        }
    qmp_query_status(c->qmp, on_status, c);
}

static void on_drives(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    for (unsigned i = 0; !error && i < n; i++)
        if (drives[i].qdev && drives[i].node_name && g_str_has_prefix(drives[i].node_name, PREFIX) &&
            has_part(drives[i].node_name, "-cbw-"))
            add(c->inserted, PUT_BACK, drives[i].qdev, drives[i].node_name);
    if (error)
        finish(c, error);
    else
        qmp_query_nodes(c->qmp, on_nodes, c);
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct cleanup *c = user;

    for (unsigned i = 0; !error && i < n; i++)
        if (g_str_has_prefix(jobs[i].id, PREFIX))
            add(c->jobs, END_JOB, jobs[i].id, NULL);
    if (error)
        finish(c, error);
    else
        qmp_query_block(c->qmp, on_drives, c);
}

static void on_ready(void *user)
{
    struct cleanup *c = user;

    qmp_query_jobs(c->qmp, on_jobs, c);
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

    finish(c, lost);
}

struct cleanup *cleanup_new(uv_loop_t *loop, const char *monitor, bool dry_run, unsigned timeout_s,
                            void (*on_line)(void *user, const char *line),
                            void (*on_done)(void *user, unsigned n_actions, const GError *error), void *user)
{
    static const struct qmp_listener listener = {.on_ready = on_ready, .on_event = on_event, .on_lost = on_lost};
    struct cleanup *c = g_new0(struct cleanup, 1);
    g_autoptr(GError) error = NULL;

    c->loop = loop;
    c->is_dry_run = dry_run;
    c->on_line = on_line;
    c->on_done = on_done;
    c->user = user;
    c->actions = new_actions();
    c->jobs = new_actions();
    c->snapshots = new_actions();
    c->inserted = new_actions();
    c->nodes = new_actions();
    c->fd_names = g_ptr_array_new_with_free_func(g_free);
    c->lock = journal_open(monitor, "cleanup", &error);
    c->records = journal_read_all(monitor); /* on_nodes() drops those of other guests */
    if (!c->lock) {
        finish(c, error);
        return NULL;
    }
    c->qmp = qmp_open(loop, monitor, timeout_s * 1000, &listener, c);
    return c;
}
