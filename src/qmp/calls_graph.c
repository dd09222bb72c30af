// SPDX-License-Identifier: GPL-2.0-or-later
/* Who stands on what in QEMU: nodes, the devices above them, the jobs beside them. */
#include "qmp/call.h"
#include "qmp/field.h"

/* --- asking ------------------------------------------------------------------------------------- */

/* A block-stream that has ended and was not dismissed yet leaves a filter without a child among the nodes,
 * and whoever lists them then makes QEMU crash (7.2 and 10.0, whatever the list is for). One that is there
 * may end at any moment. */
static bool may_list_nodes(struct json_object *jobs)
{
    for (unsigned i = 0; i < call_length(jobs); i++)
        if (g_strcmp0(field_text(json_object_array_get_idx(jobs, i), "type"), "stream") == 0)
            return false;
    return true;
}

static bool has_connection_failed(const GError *error)
{
    return error && (error->domain != QMP_ERROR || error->code > QMP_ERROR_NO_COMMAND);
}

bool call_may_list_nodes(struct json_object *jobs, const GError *error)
{
    return !has_connection_failed(error) && may_list_nodes(jobs);
}

void call_list_nodes(struct call *answered, call_handler handler)
{
    struct json_object *args = args_new();

    args_flag(args, "flat", true); /* without the chains of backing files, which are nodes of their own */
    call_send(call_continue(answered), "query-named-block-nodes", args, json_type_array, handler);
}

/* --- a graph ------------------------------------------------------------------------------------ */

/* A graph while it is read. Ids and names of the answer become places in `vertices`. */
struct reading {
    GArray *vertices, *edges; /* struct qmp_vertex, struct qmp_edge */
    GHashTable *by_id;        /* int64_t or name -> place + 1 */
    GHashTable *drivers;      /* node's name -> driver */
};

static void reading_begin(struct reading *r, bool is_by_name)
{
    r->vertices = g_array_new(FALSE, FALSE, sizeof(struct qmp_vertex));
    r->edges = g_array_new(FALSE, FALSE, sizeof(struct qmp_edge));
    r->by_id = is_by_name ? g_hash_table_new(g_str_hash, g_str_equal)
                          : g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    r->drivers = g_hash_table_new(g_str_hash, g_str_equal);
}

static void reading_end(struct reading *r)
{
    g_array_unref(r->vertices);
    g_array_unref(r->edges);
    g_hash_table_unref(r->by_id);
    g_hash_table_unref(r->drivers);
}

static void add_vertex(struct reading *r, gpointer key, enum qmp_vertex_kind kind, const char *name)
{
    struct qmp_vertex v = {.kind = kind, .name = name ? name : ""};

    if (kind == QMP_VERTEX_NODE)
        v.driver = g_hash_table_lookup(r->drivers, v.name);
    g_array_append_val(r->vertices, v);
    g_hash_table_insert(r->by_id, key, GUINT_TO_POINTER(r->vertices->len));
}

/* An edge from or to what is not listed is none. */
static void add_edge(struct reading *r, const void *parent, const void *child, const char *name)
{
    unsigned from = GPOINTER_TO_UINT(g_hash_table_lookup(r->by_id, parent)),
             to = GPOINTER_TO_UINT(g_hash_table_lookup(r->by_id, child));
    struct qmp_edge e = {from - 1, to - 1, name ? name : ""};

    if (from && to)
        g_array_append_val(r->edges, e);
}

static void learn_drivers(struct reading *r, struct json_object *nodes)
{
    for (unsigned i = 0; i < call_length(nodes); i++) {
        struct json_object *node = json_object_array_get_idx(nodes, i);
        const char *name = field_text(node, "node-name"), *driver = field_text(node, "drv");
        if (name && driver)
            g_hash_table_insert(r->drivers, (gpointer)name, (gpointer)driver);
    }
}

/* Lists of an answer may be anything. */
static struct json_object *list_at(struct json_object *of, const char *key)
{
    struct json_object *list = field_at(of, key);

    return json_object_is_type(list, json_type_array) ? list : NULL;
}

static enum qmp_vertex_kind kind_of(const char *type)
{
    return g_strcmp0(type, "block-job") == 0       ? QMP_VERTEX_JOB
           : g_strcmp0(type, "block-backend") == 0 ? QMP_VERTEX_DEVICE
                                                   : QMP_VERTEX_NODE;
}

/* {"nodes":[{"id":1,"type":"block-driver","name":"cbw0"},…],"edges":[{"parent":1,"child":2,"name":"file"},…]}
 */
static void read_graph(struct reading *r, struct json_object *graph)
{
    struct json_object *nodes = list_at(graph, "nodes"), *edges = list_at(graph, "edges");

    for (unsigned i = 0; i < call_length(nodes); i++) {
        struct json_object *node = json_object_array_get_idx(nodes, i);
        gint64 *id = g_new(gint64, 1);
        *id = field_int(node, "id", -1);
        add_vertex(r, id, kind_of(field_text(node, "type")), field_text(node, "name"));
    }
    for (unsigned i = 0; i < call_length(edges); i++) {
        struct json_object *edge = json_object_array_get_idx(edges, i);
        gint64 parent = field_int(edge, "parent", -2), child = field_int(edge, "child", -2);
        add_edge(r, &parent, &child, field_text(edge, "name"));
    }
}

/* [{"node-name":"cbw0","drv":"copy-before-write","children":[{"child":"file","node-name":"disk0"},…]},…];
 * false where none tells of its children. */
static bool read_children(struct reading *r, struct json_object *nodes)
{
    bool has_children = false;

    for (unsigned i = 0; i < call_length(nodes); i++) {
        const char *name = field_text(json_object_array_get_idx(nodes, i), "node-name");
        if (name)
            add_vertex(r, (gpointer)name, QMP_VERTEX_NODE, name);
    }
    for (unsigned i = 0; i < call_length(nodes); i++) {
        struct json_object *node = json_object_array_get_idx(nodes, i), *children = list_at(node, "children");
        const char *name = field_text(node, "node-name");
        has_children |= children != NULL;
        for (unsigned j = 0; name && j < call_length(children); j++) {
            struct json_object *child = json_object_array_get_idx(children, j);
            const char *below = field_text(child, "node-name");
            if (below)
                add_edge(r, name, below, field_text(child, "child"));
        }
    }
    return has_children;
}

static void on_graph(struct call *call, struct json_object *value, const GError *error)
{
    struct reading r;
    bool is_there = !error;

    reading_begin(&r, error != NULL);
    learn_drivers(&r, call->kept);
    if (!error)
        read_graph(&r, value);
    else if (qmp_error_is_refusal(error))
        is_there = read_children(&r, call->kept);
    struct qmp_graph graph = {(void *)r.vertices->data, (void *)r.edges->data, r.vertices->len, r.edges->len, !error};
    ((qmp_on_graph)call->done)(call->user, is_there ? &graph : NULL, is_there ? NULL : error);
    reading_end(&r);
}

static void on_named_nodes(struct call *call, struct json_object *value, const GError *error)
{
    struct call *rest;

    if (error) {
        ((qmp_on_graph)call->done)(call->user, NULL, error);
        return;
    }
    rest = call_continue(call);
    rest->kept = json_object_get(value);
    call_send(rest, "x-debug-query-block-graph", NULL, json_type_object, on_graph);
}

/* Drivers are not told while somebody streams. */
static void on_jobs_before_graph(struct call *call, struct json_object *value, const GError *error)
{
    if (has_connection_failed(error))
        ((qmp_on_graph)call->done)(call->user, NULL, error);
    else if (may_list_nodes(value))
        call_list_nodes(call, on_named_nodes);
    else
        call_send(call_continue(call), "x-debug-query-block-graph", NULL, json_type_object, on_graph);
}

void qmp_query_graph(struct qmp *q, qmp_on_graph done, void *user)
{
    call_ask(q, "query-jobs", NULL, json_type_array, on_jobs_before_graph, CALL_ANY(done), user);
}

/* --- nodes -------------------------------------------------------------------------------------- */

static struct qmp_node read_node(struct json_object *entry)
{
    return (struct qmp_node){
        .node_name = field_text(entry, "node-name"),
        .format = field_text(entry, "drv"),
        .file = field_text(entry, "file"),
        .is_read_only = field_is_true(entry, "ro"),
        .virtual_size = field_size(field_at(entry, "image"), "virtual-size", 0),
    };
}

CALL_LIST(on_nodes, struct qmp_node, read_node, qmp_on_nodes)

/* Their names, at least. */
static void on_nodes_of_graph(struct call *call, struct json_object *value, const GError *error)
{
    struct json_object *list = list_at(value, "nodes");
    unsigned n = call_length(list), n_nodes = 0;
    g_autofree struct qmp_node *nodes = g_new0(struct qmp_node, n);

    for (unsigned i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct qmp_node node = {.node_name = field_text(entry, "name"), .is_only_named = true};
        if (node.node_name && kind_of(field_text(entry, "type")) == QMP_VERTEX_NODE)
            nodes[n_nodes++] = node;
    }
    ((qmp_on_nodes)call->done)(call->user, nodes, n_nodes, error);
}

static void on_jobs_before_nodes(struct call *call, struct json_object *value, const GError *error)
{
    if (has_connection_failed(error))
        ((qmp_on_nodes)call->done)(call->user, NULL, 0, error);
    else if (may_list_nodes(value))
        call_list_nodes(call, on_nodes);
    else
        call_send(call_continue(call), "x-debug-query-block-graph", NULL, json_type_object, on_nodes_of_graph);
}

void qmp_query_nodes(struct qmp *q, qmp_on_nodes done, void *user)
{
    call_ask(q, "query-jobs", NULL, json_type_array, on_jobs_before_nodes, CALL_ANY(done), user);
}
