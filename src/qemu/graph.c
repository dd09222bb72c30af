// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/graph.h"

#include <string.h>

struct job {
    char *id, *type;
    bool is_over;
};

struct export
{
    char *id, *type, *node;
};

struct graph {
    bool is_told, knows_users;
    GArray *vertices, *edges; /* struct qmp_vertex, struct qmp_edge, with names of their own */
    GArray *jobs, *exports;
};

/* --- life --------------------------------------------------------------------------------------- */

static void vertex_clear(gpointer data)
{
    struct qmp_vertex *v = data;

    g_free((char *)v->name);
    g_free((char *)v->driver);
}

static void edge_clear(gpointer data)
{
    g_free((char *)((struct qmp_edge *)data)->name);
}

static void job_clear(gpointer data)
{
    struct job *j = data;

    g_free(j->id);
    g_free(j->type);
}

static void export_clear(gpointer data)
{
    struct export *e = data;

    g_free(e->id);
    g_free(e->type);
    g_free(e->node);
}

static GArray *array_of(size_t size, GDestroyNotify clear)
{
    GArray *array = g_array_new(FALSE, FALSE, size);

    g_array_set_clear_func(array, clear);
    return array;
}

static void copy_answer(struct graph *g, const struct qmp_graph *answer)
{
    for (unsigned i = 0; i < answer->n_vertices; i++) {
        const struct qmp_vertex *v = &answer->vertices[i];
        struct qmp_vertex copy = {v->kind, g_strdup(v->name), g_strdup(v->driver)};
        g_array_append_val(g->vertices, copy);
    }
    for (unsigned i = 0; i < answer->n_edges; i++) {
        const struct qmp_edge *e = &answer->edges[i];
        struct qmp_edge copy = {e->parent, e->child, g_strdup(e->name)};
        g_array_append_val(g->edges, copy);
    }
}

struct graph *graph_new(const struct qmp_graph *answer, const struct qmp_job *jobs, unsigned n_jobs,
                        const struct qmp_export *exports, unsigned n_exports)
{
    struct graph *g = g_new0(struct graph, 1);

    g->is_told = answer != NULL;
    g->knows_users = answer && answer->knows_users;
    g->vertices = array_of(sizeof(struct qmp_vertex), vertex_clear);
    g->edges = array_of(sizeof(struct qmp_edge), edge_clear);
    g->jobs = array_of(sizeof(struct job), job_clear);
    g->exports = array_of(sizeof(struct export), export_clear);
    if (answer)
        copy_answer(g, answer);
    for (unsigned i = 0; i < n_jobs; i++) {
        struct job copy = {g_strdup(jobs[i].id), g_strdup(jobs[i].type), g_strcmp0(jobs[i].status, "concluded") == 0};
        g_array_append_val(g->jobs, copy);
    }
    for (unsigned i = 0; i < n_exports; i++) {
        struct export copy = {g_strdup(exports[i].id), g_strdup(exports[i].type), g_strdup(exports[i].node_name)};
        g_array_append_val(g->exports, copy);
    }
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    g_array_unref(g->vertices);
    g_array_unref(g->edges);
    g_array_unref(g->jobs);
    g_array_unref(g->exports);
    g_free(g);
}

/* --- looking around ----------------------------------------------------------------------------- */

#define NOWHERE UINT_MAX

static const struct qmp_vertex *vertex(const struct graph *g, unsigned at)
{
    return &g_array_index(g->vertices, struct qmp_vertex, at);
}

static const struct qmp_edge *edge(const struct graph *g, unsigned at)
{
    return &g_array_index(g->edges, struct qmp_edge, at);
}

static unsigned find(const struct graph *g, enum qmp_vertex_kind kind, const char *name)
{
    for (unsigned i = 0; name && *name && i < g->vertices->len; i++)
        if (vertex(g, i)->kind == kind && strcmp(vertex(g, i)->name, name) == 0)
            return i;
    return NOWHERE;
}

static bool is_ours(const char *name)
{
    return name && g_str_has_prefix(name, GRAPH_PREFIX);
}

/* What a job puts between a device and its node, and what another backup does. */
static bool is_of_a_job(const char *driver)
{
    static const char *const drivers[] = {"copy-before-write", "backup-top", "mirror_top", "commit_top"};

    for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++)
        if (g_strcmp0(driver, drivers[i]) == 0)
            return true;
    return false;
}

bool graph_has(const struct graph *g, const char *node)
{
    return find(g, QMP_VERTEX_NODE, node) != NOWHERE;
}

static unsigned child_of(const struct graph *g, unsigned parent, const char *name)
{
    for (unsigned i = 0; parent != NOWHERE && i < g->edges->len; i++)
        if (edge(g, i)->parent == parent && strcmp(edge(g, i)->name, name) == 0)
            return edge(g, i)->child;
    return NOWHERE;
}

const char *graph_below(const struct graph *g, const char *filter)
{
    unsigned at = child_of(g, find(g, QMP_VERTEX_NODE, filter), "file"), below = child_of(g, at, "image");

    if (at == NOWHERE) /* a lid, see backup/lid.c */
        at = child_of(g, find(g, QMP_VERTEX_NODE, filter), "image");
    else if (below != NOWHERE && *vertex(g, at)->name == '#') /* a blkdebug of the filter's own: see qmp_add_filter */
        at = below;
    return at == NOWHERE ? NULL : vertex(g, at)->name;
}

/* All that can be reached downwards, itself included; a job's nodes are not below the job. */
static bool *reach(const struct graph *g, unsigned from)
{
    bool *is_reached = g_new0(bool, g->vertices->len + 1);
    bool has_grown = from != NOWHERE;

    if (from != NOWHERE)
        is_reached[from] = true;
    while (has_grown) {
        has_grown = false;
        for (unsigned i = 0; i < g->edges->len; i++) {
            const struct qmp_edge *e = edge(g, i);
            if (!is_reached[e->parent] || is_reached[e->child] || vertex(g, e->parent)->kind == QMP_VERTEX_JOB)
                continue;
            is_reached[e->child] = has_grown = true;
        }
    }
    return is_reached;
}

/* --- others at work ----------------------------------------------------------------------------- */

static const struct job *job_named(const struct graph *g, const char *id)
{
    for (unsigned i = 0; i < g->jobs->len; i++) {
        const struct job *j = &g_array_index(g->jobs, struct job, i);
        if (g_strcmp0(j->id, id) == 0)
            return j;
    }
    return NULL;
}

static char *describe_job(const struct graph *g, const char *id)
{
    const struct job *j = job_named(g, id);

    return g_strdup_printf("block job %s%s%s%s", *id ? id : "without a name", j && j->type ? " (" : "",
                           j && j->type ? j->type : "", j && j->type ? ")" : "");
}

static char *job_in(const struct graph *g, const bool *is_reached, const char *own)
{
    for (unsigned i = 0; i < g->edges->len; i++) {
        const struct qmp_vertex *parent = vertex(g, edge(g, i)->parent);
        if (parent->kind == QMP_VERTEX_JOB && is_reached[edge(g, i)->child] && !g_str_has_prefix(parent->name, own)) {
            g_autofree char *job = describe_job(g, parent->name);
            return g_strdup_printf("%s is on it", job);
        }
    }
    return NULL;
}

/* A snapshot job is on all drives; so may be any other job of a QEMU that does not tell where they are. */
static char *job_everywhere(const struct graph *g, const char *own)
{
    static const char *const types[] = {"backup", "mirror", "commit", "stream"};

    for (unsigned i = 0; i < g->jobs->len; i++) {
        const struct job *j = &g_array_index(g->jobs, struct job, i);
        if (!j->id || !j->type || j->is_over || g_str_has_prefix(j->id, own))
            continue;
        if (g_str_has_prefix(j->type, "snapshot-"))
            return g_strdup_printf("job %s (%s) is under way", j->id, j->type);
        for (unsigned t = 0; !g->knows_users && t < G_N_ELEMENTS(types); t++)
            if (strcmp(j->type, types[t]) == 0)
                return g_strdup_printf("block job %s (%s) is under way, and this QEMU does not tell on which drive",
                                       j->id, j->type);
    }
    return NULL;
}

static char *filter_in(const struct graph *g, const bool *is_reached)
{
    for (unsigned i = 0; i < g->vertices->len; i++) {
        const struct qmp_vertex *v = vertex(g, i);
        bool is_filter = is_of_a_job(v->driver) || child_of(g, i, "target") != NOWHERE; /* drivers may not be told */
        if (is_reached[i] && v->kind == QMP_VERTEX_NODE && is_filter && !is_ours(v->name))
            return g_strdup_printf("another program's filter %s (%s) is on it", v->name, v->driver ? v->driver : "?");
    }
    return NULL;
}

/* Of a node of its chain, or of one that stands on it, as the scratch image of a pulled backup does. */
static char *export_of(const struct graph *g, const bool *is_reached, unsigned node)
{
    for (unsigned i = 0; i < g->exports->len; i++) {
        const struct export *e = &g_array_index(g->exports, struct export, i);
        unsigned at = find(g, QMP_VERTEX_NODE, e->node);
        g_autofree bool *is_below = reach(g, at);
        if (at == NOWHERE || is_ours(e->id))
            continue;
        if (is_reached[at] || (node != NOWHERE && is_below[node]))
            return g_strdup_printf("export %s (%s) is on it", e->id, e->type ? e->type : "?");
    }
    return NULL;
}

char *graph_occupant(const struct graph *g, const char *device, const char *node, const char *run_id)
{
    g_autofree char *own = g_strdup_printf(GRAPH_PREFIX "%s-", run_id);
    unsigned at = find(g, QMP_VERTEX_NODE, node), top = find(g, QMP_VERTEX_DEVICE, device);
    g_autofree bool *is_reached = reach(g, top != NOWHERE ? top : at);
    char *who = job_in(g, is_reached, own);

    if (!who)
        who = job_everywhere(g, own);
    if (!who)
        who = filter_in(g, is_reached);
    return who ? who : export_of(g, is_reached, at);
}

/* --- the way out -------------------------------------------------------------------------------- */

static struct graph_exit stuck(char *why)
{
    return (struct graph_exit){.way = GRAPH_STUCK, .why = why};
}

/* A node of somebody else's stands on the filter: by whose job? */
static char *blame(const struct graph *g, unsigned node)
{
    const struct qmp_vertex *v = vertex(g, node);

    for (unsigned i = 0; i < g->edges->len; i++) {
        const struct qmp_vertex *parent = vertex(g, edge(g, i)->parent);
        if (edge(g, i)->child == node && parent->kind == QMP_VERTEX_JOB)
            return describe_job(g, parent->name);
    }
    return g_strdup_printf("node %s (%s)", v->name, v->driver ? v->driver : "?");
}

static struct graph_exit way_by(const struct graph *g, const struct qmp_edge *e)
{
    const struct qmp_vertex *parent = vertex(g, e->parent);

    if (parent->kind == QMP_VERTEX_JOB)
        return stuck(describe_job(g, parent->name));
    if (parent->kind == QMP_VERTEX_DEVICE && *parent->name)
        return (struct graph_exit){.way = GRAPH_DEVICE, .above = parent->name};
    if (parent->kind == QMP_VERTEX_DEVICE)
        return stuck(g_strdup("a user without a name, such as a job that QEMU has refused leaves behind"));
    if (strcmp(e->name, "backing") == 0 && !is_of_a_job(parent->driver))
        return (struct graph_exit){.way = GRAPH_OVERLAY, .above = parent->name};
    return stuck(blame(g, e->parent));
}

struct graph_exit graph_way_out(const struct graph *g, const char *filter, bool is_shown)
{
    struct graph_exit exit = {.way = is_shown ? GRAPH_DEVICE : GRAPH_FREE};
    unsigned at = find(g, QMP_VERTEX_NODE, filter);

    for (unsigned i = 0; at != NOWHERE && i < g->edges->len && exit.way != GRAPH_STUCK; i++) {
        const struct qmp_vertex *parent = vertex(g, edge(g, i)->parent);
        if (edge(g, i)->child != at || (parent->kind == QMP_VERTEX_NODE && is_ours(parent->name)))
            continue; /* our frozen image stands on it, too */
        struct graph_exit by = way_by(g, edge(g, i));
        if (by.way >= exit.way)
            exit = by;
    }
    exit.below = graph_below(g, filter);
    if (exit.way != GRAPH_FREE && exit.way != GRAPH_STUCK && (!exit.below || !*exit.below))
        exit = stuck(g_strdup("QEMU, which does not tell what is below it"));
    return exit;
}
