// SPDX-License-Identifier: GPL-2.0-or-later
/* Which nodes are held open from outside the graph: after a migration, what still belongs to this QEMU. */
#include "qmp/call.h"
#include "qmp/field.h"

/* The element of a list whose member key has this number or text; NULL if none. The list may be anything. */
static struct json_object *find(struct json_object *list, const char *key, const char *text, int64_t number)
{
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *element = json_object_array_get_idx(list, i);
        if (text ? g_strcmp0(field_text(element, key), text) == 0 : field_int(element, key, -1) == number)
            return element;
    }
    return NULL;
}

static unsigned length_of(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? (unsigned)json_object_array_length(list) : 0;
}

/* A device, or what else uses a node from outside the graph, that has taken any permission of it. */
static bool is_held_open(struct json_object *nodes, struct json_object *edge)
{
    struct json_object *parent = find(nodes, "id", NULL, field_int(edge, "parent", -1));

    return g_strcmp0(field_text(parent, "type"), "block-backend") == 0 && length_of(field_at(edge, "perm")) > 0;
}

static void on_awake_graph(struct call *call, struct json_object *value, const GError *error)
{
    struct json_object *nodes = field_at(value, "nodes"), *edges = field_at(value, "edges");
    unsigned n = length_of(edges), n_awake = 0;
    g_autofree const char **awake = g_new0(const char *, n + 1);

    for (unsigned i = 0; i < n; i++) {
        struct json_object *edge = json_object_array_get_idx(edges, i);
        const char *name = field_text(find(nodes, "id", NULL, field_int(edge, "child", -2)), "name");
        if (name && is_held_open(nodes, edge))
            awake[n_awake++] = name;
    }
    ((qmp_on_texts)call->done)(call->user, awake, n_awake, error);
}

void qmp_query_awake_nodes(struct qmp *q, qmp_on_texts done, void *user)
{
    call_ask(q, "x-debug-query-block-graph", NULL, json_type_object, on_awake_graph, CALL_ANY(done), user);
}
