// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "fake/acts.h"
#include "fake/map.h"
#include "fake/vhost.h"

static const char *no_node(struct fake_qemu *q, const char *node)
{
    g_autofree char *sentence = g_strdup_printf("Cannot find device='' nor node-name='%s'", node);
    return fake_keep(q, sentence);
}

/* Whoever gets it has it alone; -1: no such descriptor. */
static int take_fd(struct fake_qemu *q, const char *name)
{
    gpointer key, fd;
    if (!g_hash_table_steal_extended(q->fds, name, &key, &fd))
        return -1;
    g_free(key);
    return GPOINTER_TO_INT(fd);
}

static void new_export(struct fake_qemu *q, json_object *args, int listener)
{
    struct fake_export *e = g_new0(struct fake_export, 1);
    e->id = fake_keep(q, fake_text(args, "id"));
    e->node = fake_keep(q, fake_text(args, "node-name"));
    if (listener >= 0)
        e->vhost = fake_vhost_new(listener);
    else
        e->map = fake_map_new(q, e->node);
    g_ptr_array_add(q->exports, e);
}

static const char *add(struct fake_qemu *q, json_object *args)
{
    const char *node = fake_text(args, "node-name"), *socket = fake_text(fake_object(args, "addr"), "str");
    int listener = -1;
    if (fake_export(q, fake_text(args, "id")))
        return "Block export id 'it' is already in use";
    if (q->kind.has_no_vhost && g_strcmp0(fake_text(args, "type"), "vhost-user-blk") == 0)
        return "Parameter 'type' does not accept value 'vhost-user-blk'";
    if (!fake_node(q, node))
        return no_node(q, node);
    if (socket && (listener = take_fd(q, socket)) < 0)
        return "no such descriptor";
    q->is_inactive = false;
    new_export(q, args, listener);
    return NULL;
}

/* What is in flight is still read, and QEMU stands until then; BLOCK_EXPORT_DELETED follows the answer. */
static const char *del(struct fake_qemu *q, json_object *args)
{
    struct fake_export *e = fake_export(q, fake_text(args, "id"));
    if (!e)
        return "Export 'it' is not found";
    if (e->vhost)
        fake_vhost_end(q, e);
    q->deleted = e->id;
    g_ptr_array_remove(q->exports, e);
    return NULL;
}

static const char *start_server(struct fake_qemu *q, json_object *args)
{
    if (q->has_nbd_server || q->has_others_server)
        return "NBD server already running";
    q->nbd_listener = take_fd(q, fake_text(fake_object(fake_object(args, "addr"), "data"), "str"));
    if (q->nbd_listener < 0)
        return "no such descriptor";
    g_assert_cmpint(fcntl(q->nbd_listener, F_SETFL, O_NONBLOCK), ==, 0);
    q->has_nbd_server = true;
    return NULL;
}

static const char *stop_server(struct fake_qemu *q, json_object *args)
{
    if (!q->has_nbd_server && !q->has_others_server)
        return "NBD server not running";
    if (!q->has_nbd_server)
        fake_violate(q, "somebody else's NBD server is stopped");
    fake_each (struct fake_export, e, q->exports)
        if (e->map)
            fake_violate(q, "the NBD server stops with an export: QEMU would wait for its disk");
    if (q->nbd_listener >= 0)
        close(q->nbd_listener);
    q->nbd_listener = -1;
    q->has_nbd_server = q->has_others_server = false;
    return NULL;
}

const struct fake_command fake_export_commands[] = {
    {"block-export-add", add},
    {"block-export-del", del},
    {"nbd-server-start", start_server},
    {"nbd-server-stop", stop_server},
    {0},
};
