// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/acts.h"
#include <string.h>

/* --- lists: each begins with "[" -------------------------------------------------------------------- */

static void add(GString *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GString *s, const char *format, ...)
{
    va_list args;

    if (s->str[s->len - 1] != '[')
        g_string_append_c(s, ',');
    va_start(args, format);
    g_string_append_vprintf(s, format, args);
    va_end(args);
}

static const char *bool_text(bool is_true)
{
    return is_true ? "true" : "false";
}

static char *list_drives(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        add(s,
            "{\"device\":\"\",\"qdev\":\"/machine/peripheral/dev%u/x\",\"removable\":false,\"inserted\":{\"node-name\":"
            "\"%s\",\"drv\":\"raw\",\"ro\":false,\"image\":{\"virtual-size\":%u,\"actual-size\":%u}}}",
            i, q->drives[i], FAKE_DRIVE_SIZE, FAKE_DRIVE_SIZE);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *list_nodes(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    fake_each (struct fake_node, n, q->nodes)
        add(s, "{\"node-name\":\"%s\",\"drv\":\"%s\",\"image\":{\"virtual-size\":%" G_GUINT64_FORMAT "}}", n->name,
            n->driver, n->size);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        add(s, "{\"node-name\":\"#block%u\",\"drv\":\"file\",\"ro\":false,\"file\":\"disk%u.raw\"}", i, i);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *list_jobs(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    fake_each (struct fake_job, j, q->jobs)
        add(s, "{\"id\":\"%s\",\"type\":\"backup\",\"status\":\"%s\"%s%s%s}", j->id,
            j->is_paused && !q->kind.hangs_disks ? "paused" : j->status, j->error ? ",\"error\":\"" : "",
            j->error ? j->error : "", j->error ? "\"" : "");
    if (q->kind.has_mirror)
        add(s, "{\"id\":\"m0\",\"type\":\"mirror\",\"status\":\"ready\"}");
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *list_block_jobs(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    fake_each (struct fake_job, j, q->jobs)
        add(s, "{\"device\":\"%s\",\"speed\":%" G_GINT64_FORMAT ",\"paused\":%s}", j->id, j->speed,
            bool_text(j->is_paused));
    if (q->kind.has_mirror)
        add(s, "{\"device\":\"m0\",\"type\":\"mirror\",\"status\":\"ready\"}");
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *list_exports(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    fake_each (struct fake_export, e, q->exports)
        add(s, "{\"id\":\"%s\",\"type\":\"vhost-user-blk\",\"node-name\":\"%s\",\"shutting-down\":false}", e->id,
            e->node);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *list_fds(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    GHashTableIter iter;
    gpointer name, fd;

    g_hash_table_iter_init(&iter, q->sets);
    while (g_hash_table_iter_next(&iter, &name, &fd))
        add(s, "{\"fdset-id\":%d,\"fds\":[{\"fd\":%d,\"opaque\":\"%s\"}]}", GPOINTER_TO_INT(fd), GPOINTER_TO_INT(fd),
            (char *)name);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

/* --- their graph; ids: nodes from 1, devices from 1000, jobs from 2000 ------------------------------ */

static void add_edge(struct fake_qemu *q, GString *s, unsigned parent, const char *child, const char *name)
{
    guint at;

    if (child && g_ptr_array_find(q->nodes, fake_node(q, child), &at))
        add(s, "{\"parent\":%u,\"child\":%u,\"name\":\"%s\"}", parent, at + 1, name);
}

static void add_points(struct fake_qemu *q, GString *s)
{
    unsigned node = 1, job = 2000;
    fake_each (struct fake_node, n, q->nodes)
        add(s, "{\"id\":%u,\"type\":\"block-driver\",\"name\":\"%s\"}", node++, n->name);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        add(s, "{\"id\":%u,\"type\":\"block-backend\",\"name\":\"/machine/peripheral/dev%u/x\"}", 1000 + i, i);
    fake_each (struct fake_job, j, q->jobs)
        add(s, "{\"id\":%u,\"type\":\"block-job\",\"name\":\"%s\"}", job++, j->id);
    if (q->kind.has_mirror)
        add(s, "{\"id\":3000,\"type\":\"block-job\",\"name\":\"m0\"}");
}

static const char *link_of(const struct fake_node *n)
{
    return strcmp(n->driver, "qcow2") == 0 ? "backing" : strcmp(n->driver, "blkdebug") == 0 ? "image" : "file";
}

static char *show_graph(struct fake_qemu *q)
{
    GString *s = g_string_new("{\"nodes\":[");
    unsigned node = 1, job = 2000;
    add_points(q, s);
    g_string_append(s, "],\"edges\":[");
    fake_each (struct fake_node, n, q->nodes) {
        add_edge(q, s, node, n->file, link_of(n));
        add_edge(q, s, node++, n->target, "target");
    }
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        add_edge(q, s, 1000 + i, q->drives[i], "root");
    fake_each (struct fake_job, j, q->jobs) {
        add_edge(q, s, job++, strcmp(j->status, "concluded") != 0 ? j->device : NULL, "main node");
    }
    if (q->kind.has_mirror)
        add_edge(q, s, 3000, "disk0", "source");
    return g_string_free(g_string_append(s, "]}"), FALSE);
}

/* --- itself ------------------------------------------------------------------------------------- */

static char *show_capabilities(struct fake_qemu *q)
{
    return g_strdup_printf(
        "[{\"capability\":\"events\",\"state\":%s},{\"capability\":\"background-snapshot\",\"state\":%s}]",
        bool_text(q->has_events), bool_text(q->has_snapshot));
}

/* A background snapshot has ended when it was looked at often enough. */
static char *show_migration(struct fake_qemu *q)
{
    if (q->is_background && strcmp(q->migration, "active") == 0 && ++q->n_looks > 3)
        fake_end_stream(q, "completed");
    if (strcmp(q->migration, "none") == 0)
        return g_strdup(q->kind.blocks_ram ? "{\"blocked-reasons\":[\"non-migratable device\"]}" : "{}");
    return g_strdup_printf("{\"status\":\"%s\",\"ram\":{\"total\":1048576,\"remaining\":0,\"dirty-sync-count\":%u}}",
                           q->migration, q->kind.never_converges ? 99 : 2);
}

char *fake_answer(struct fake_qemu *q, const char *command)
{
    static const struct {
        const char *command;
        char *(*show)(struct fake_qemu *q);
    } table[] = {
        {"query-migrate-capabilities", show_capabilities},
        {"query-migrate", show_migration},
        {"query-block", list_drives},
        {"query-block-exports", list_exports},
        {"x-debug-query-block-graph", show_graph},
        {"query-named-block-nodes", list_nodes},
        {"query-jobs", list_jobs},
        {"query-block-jobs", list_block_jobs},
        {"query-fdsets", list_fds},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (strcmp(table[i].command, command) == 0)
            return table[i].show(q);
    if (strcmp(command, "query-version") == 0)
        return g_strdup_printf("{\"qemu\":{\"major\":%d,\"minor\":0,\"micro\":0},\"package\":\"\"}", q->kind.major);
    if (strcmp(command, "query-name") == 0)
        return g_strdup("{\"name\":\"fake\"}");
    if (strcmp(command, "query-status") == 0)
        return g_strdup_printf("{\"status\":\"%s\",\"running\":%s}",
                               q->is_running                           ? "running"
                               : g_get_monotonic_time() < q->passed_us ? "finish-migrate"
                                                                       : q->state,
                               bool_text(q->is_running));
    if (strcmp(command, "query-commands") == 0)
        return g_strdup_printf("[{\"name\":\"%s\"}]", q->kind.major >= 10 ? "blockdev-set-active" : "quit");
    if (strcmp(command, "query-memory-size-summary") == 0)
        return g_strdup("{\"base-memory\":1048576}");
    if (strcmp(command, "query-migrate-parameters") == 0)
        return g_strdup_printf("{\"max-bandwidth\":%" G_GINT64_FORMAT ",\"downtime-limit\":%" G_GINT64_FORMAT "}",
                               q->bandwidth, q->downtime);
    if (strcmp(command, "query-iothreads") == 0)
        return g_strdup(q->kind.has_iothread ? "[{\"id\":\"io0\",\"thread-id\":1}]" : "[]");
    return strcmp(command, "qmp_capabilities") == 0 ? g_strdup("{}") : NULL;
}
