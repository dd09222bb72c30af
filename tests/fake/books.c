// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/books.h"
#include <libnbd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "fake/agent.h"
#include "fake/map.h"
#include "fake/vhost.h"

#define USUAL_BANDWIDTH 134217728
#define USUAL_DOWNTIME  300

/* --- from its beginning to its end -------------------------------------------------------------- */

static void free_node(gpointer data)
{
    struct fake_node *n = data;
    if (n->nbd) {
        nbd_shutdown(n->nbd, 0);
        nbd_close(n->nbd);
    }
    g_free(n);
}

static void free_export(gpointer data)
{
    struct fake_export *e = data;
    fake_vhost_free(e->vhost);
    fake_map_free(e->map);
    g_free(e);
}

static void close_fd(gpointer fd)
{
    close(GPOINTER_TO_INT(fd));
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

struct fake_qemu *fake_new(const char *path, const struct fake_kind *kind)
{
    struct fake_qemu *q = g_new0(struct fake_qemu, 1);
    q->kind = *kind;
    q->path = g_strdup(path);
    q->listener = listen_at(path); /* one socket for its life: that is how a guest is known again */
    q->conn = q->passed_fd = q->migration_fd = q->nbd_listener = -1;
    q->input = g_string_new(NULL);
    q->names = g_string_chunk_new(256);
    q->nodes = g_ptr_array_new_with_free_func(free_node);
    q->jobs = g_ptr_array_new_with_free_func(g_free);
    q->exports = g_ptr_array_new_with_free_func(free_export);
    q->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
    q->sets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
    q->log = g_ptr_array_new_with_free_func(g_free);
    q->drives = g_new0(char *, kind->n_drives + 1);
    q->is_running = !kind->is_paused;
    q->state = kind->state ? kind->state : "paused";
    if (kind->has_agent) {
        g_autofree char *agent = g_strconcat(path, ".agent", NULL);
        q->agent = fake_agent_new(listen_at(agent));
    }
    q->bandwidth = USUAL_BANDWIDTH;
    q->downtime = USUAL_DOWNTIME;
    q->migration = "none";
    for (unsigned i = 0; i < kind->n_drives; i++) {
        q->drives[i] = g_strdup_printf("disk%u", i);
        fake_add_node(q, q->drives[i], "raw", FAKE_DRIVE_SIZE);
    }
    return q;
}

void fake_free(struct fake_qemu *q)
{
    if (!q->is_dead)
        close(q->listener);
    if (q->nbd_listener >= 0)
        close(q->nbd_listener);
    g_ptr_array_unref(q->nodes);
    g_ptr_array_unref(q->jobs);
    g_ptr_array_unref(q->exports);
    g_hash_table_unref(q->fds);
    g_hash_table_unref(q->sets);
    g_ptr_array_unref(q->log);
    g_string_free(q->input, TRUE);
    g_string_chunk_free(q->names);
    g_strfreev(q->drives);
    fake_agent_free(q->agent);
    g_free(q->violation);
    g_free(q->path);
    g_free(q);
}

/* --- what is in it ------------------------------------------------------------------------------ */

const char *fake_keep(struct fake_qemu *q, const char *name)
{
    return name ? g_string_chunk_insert_const(q->names, name) : NULL;
}

struct fake_node *fake_node(struct fake_qemu *q, const char *name)
{
    fake_each (struct fake_node, n, q->nodes)
        if (g_strcmp0(n->name, name) == 0)
            return n;
    return NULL;
}

struct fake_job *fake_job(struct fake_qemu *q, const char *id)
{
    fake_each (struct fake_job, j, q->jobs)
        if (g_strcmp0(j->id, id) == 0)
            return j;
    return NULL;
}

struct fake_export *fake_export(struct fake_qemu *q, const char *id)
{
    fake_each (struct fake_export, e, q->exports)
        if (g_strcmp0(e->id, id) == 0)
            return e;
    return NULL;
}

struct fake_node *fake_add_node(struct fake_qemu *q, const char *name, const char *driver, uint64_t size)
{
    struct fake_node *n = g_new0(struct fake_node, 1);
    n->name = fake_keep(q, name);
    n->driver = fake_keep(q, driver);
    n->size = size;
    g_ptr_array_add(q->nodes, n);
    return n;
}

static void say_descriptors(GHashTable *table, GString *s)
{
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_string_append_printf(s, " descriptor %s", (const char *)key);
}

char *fake_left(struct fake_qemu *q)
{
    GString *s = g_string_new(NULL);
    fake_each (struct fake_job, j, q->jobs)
        g_string_append_printf(s, " job %s", j->id);
    fake_each (struct fake_export, e, q->exports)
        g_string_append_printf(s, " export %s", e->id);
    fake_each (struct fake_node, n, q->nodes)
        if (g_str_has_prefix(n->name, "vmb-"))
            g_string_append_printf(s, " node %s", n->name);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        if (!g_str_has_prefix(q->drives[i], "disk"))
            g_string_append_printf(s, " device %u on %s", i, q->drives[i]);
    say_descriptors(q->fds, s);
    say_descriptors(q->sets, s);
    if (q->is_running == q->kind.is_paused)
        g_string_append(s, q->is_running ? " guest resumed" : " guest stands still");
    if (q->kind.is_paused && q->kind.state && !q->is_running && strcmp(q->state, q->kind.state) != 0 &&
        strcmp(q->state, "postmigrate") != 0) /* it may have panicked as a plain migration began */
        g_string_append_printf(s, " guest is %s", q->state);
    if (q->has_events || q->has_snapshot)
        g_string_append(s, " capabilities");
    if (q->bandwidth != USUAL_BANDWIDTH || q->downtime != USUAL_DOWNTIME)
        g_string_append(s, " migration parameters");
    if (strcmp(q->migration, "active") == 0)
        g_string_append(s, " migration");
    if (q->has_nbd_server)
        g_string_append(s, " NBD server");
    if (q->agent && q->is_running && q->agent->is_frozen) /* else it cannot be thawed */
        g_string_append(s, " frozen file systems");
    return g_string_free(s, s->len == 0);
}

void fake_violate(struct fake_qemu *q, const char *what)
{
    if (!q->violation)
        q->violation = g_strdup(what);
}

/* --- talking ------------------------------------------------------------------------------------ */

void fake_say(struct fake_qemu *q, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (q->conn >= 0 && send(q->conn, text, strlen(text), MSG_NOSIGNAL) < 0)
        return; /* he has gone; reading tells */
}

void fake_event(struct fake_qemu *q, const char *name, const char *data)
{
    fake_say(q, "{\"timestamp\":{\"seconds\":1,\"microseconds\":1},\"event\":\"%s\",\"data\":%s}\r\n", name, data);
}

json_object *fake_object(json_object *o, const char *key)
{
    json_object *value = NULL;
    return o && json_object_object_get_ex(o, key, &value) ? value : NULL;
}

const char *fake_text(json_object *o, const char *key)
{
    json_object *value = fake_object(o, key);
    return value ? json_object_get_string(value) : NULL;
}
