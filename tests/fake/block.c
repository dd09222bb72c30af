// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/acts.h"
#include <libnbd.h>
#include <string.h>
#include <unistd.h>

/* --- nodes -------------------------------------------------------------------------------------- */

static const char *add_nbd(struct fake_qemu *q, json_object *args)
{
    struct nbd_handle *nbd = nbd_create();
    nbd_set_export_name(nbd, fake_text(args, "export"));
    if (nbd_connect_unix(nbd, fake_text(fake_object(args, "server"), "path")) < 0) {
        nbd_close(nbd);
        return "Requested export not available";
    }
    fake_add_node(q, fake_text(args, "node-name"), "nbd", nbd_get_size(nbd))->nbd = nbd;
    return NULL;
}

/* What keeps a filter apart from it passes everything on. */
static const char *file_of(json_object *args)
{
    json_object *between = fake_object(args, "file");
    json_object *below = fake_object(args, "image");
    const char *image =
        json_object_is_type(below, json_type_object) ? fake_text(below, "node-name") : fake_text(args, "image");
    if (json_object_is_type(between, json_type_object))
        return fake_text(between, "image");
    return image ? image : fake_text(args, "file");
}

static const char *add_above(struct fake_qemu *q, json_object *args)
{
    const char *driver = fake_text(args, "driver"), *target_name = fake_text(args, "target");
    struct fake_node *file = fake_node(q, file_of(args)), *target = fake_node(q, target_name), *n;
    if (!file)
        return "Cannot find device nor node-name";
    if (q->is_inactive)
        return "Block node is read-only";
    if (strcmp(driver, "copy-before-write") == 0) {
        if (!target || target->size < file->size)
            fake_violate(q, "a filter's target that is too small");
    } else if (q->is_running) {
        fake_violate(q, "snapshot-access added to a guest that runs");
    }
    n = fake_add_node(q, fake_text(args, "node-name"), driver, file->size);
    n->file = fake_keep(q, file_of(args));
    n->target = fake_keep(q, target_name);
    return NULL;
}

static const char *add(struct fake_qemu *q, json_object *args)
{
    const char *driver = fake_text(args, "driver"), *name = fake_text(args, "node-name"), *wrong = NULL;
    json_object *below = fake_object(args, "image");
    if (fake_node(q, name))
        return "Duplicate nodes with node-name";
    if (strcmp(driver, "nbd") == 0)
        return add_nbd(q, args);
    if (json_object_is_type(below, json_type_object))
        wrong = add_above(q, below);
    if (strcmp(driver, "file") != 0)
        return wrong ? wrong : add_above(q, args);
    if (q->kind.may_not_reopen)
        return "Could not open 'disk0.raw': Permission denied";
    fake_add_node(q, name, driver, FAKE_DRIVE_SIZE);
    return NULL;
}

static bool is_used(struct fake_qemu *q, const char *name)
{
    if (g_strv_contains((const char *const *)q->drives, name))
        return true;
    fake_each (struct fake_node, n, q->nodes)
        if (g_strcmp0(n->file, name) == 0 || g_strcmp0(n->target, name) == 0)
            return true;
    fake_each (struct fake_job, j, q->jobs)
        if (strcmp(j->status, "concluded") != 0 && (strcmp(j->device, name) == 0 || strcmp(j->target, name) == 0))
            return true;
    fake_each (struct fake_export, e, q->exports)
        if (strcmp(e->node, name) == 0)
            return true;
    return false;
}

/* The other end answers, with an error perhaps: only what it holds can be read. */
static bool is_connected(struct fake_node *n)
{
    char byte[512];

    nbd_pread(n->nbd, byte, sizeof byte, 0, 0);
    return nbd_aio_is_ready(n->nbd) == 1;
}

/* What it was made with goes, too, unless it has users of its own. */
static void forget_node(struct fake_qemu *q, struct fake_node *n)
{
    struct fake_node *below = strcmp(n->driver, "blkdebug") == 0 ? fake_node(q, n->file) : NULL;
    g_ptr_array_remove(q->nodes, n);
    if (below && strcmp(below->driver, "blkdebug") == 0 && !is_used(q, below->name))
        g_ptr_array_remove(q->nodes, below);
}

static const char *del(struct fake_qemu *q, json_object *args)
{
    struct fake_node *n = fake_node(q, fake_text(args, "node-name"));
    if (!n)
        return "Failed to find node with node-name";
    if (is_used(q, n->name))
        return "Node is in use";
    if (n->nbd && !q->on_fault && q->fault.kind < FAULT_TOLD && !is_connected(n))
        fake_violate(q, "a connection has ended before its node: QEMU would connect again and again");
    forget_node(q, n);
    return NULL;
}

static const char *activate(struct fake_qemu *q, json_object *args)
{
    q->is_inactive = false;
    return NULL;
}

/* As long as anything stands on a filter nobody else may write to what it stands on. */
static bool is_guarded(struct fake_qemu *q, const char *node)
{
    fake_each (struct fake_node, filter, q->nodes)
        fake_each (struct fake_node, above, q->nodes)
            if (filter->target && strcmp(filter->file, node) == 0 && g_strcmp0(above->file, filter->name) == 0)
                return true;
    return false;
}

static const char *set_drive(struct fake_qemu *q, json_object *args)
{
    const char *qdev = fake_text(args, "path"), *name = fake_text(args, "value");
    unsigned i = g_ascii_strtoull(qdev + strlen("/machine/peripheral/dev"), NULL, 10);
    struct fake_node *n = fake_node(q, name), *lid = fake_node(q, q->drives[i]);
    if (q->kind.refuses_filters)
        return "Property 'drive' cannot be set";
    if (!n)
        return "Cannot find device nor node-name";
    if (is_guarded(q, name))
        return "Permission conflict on node 'disk0'";
    if (strcmp(q->drives[i], name) == 0)
        fake_violate(q, "setting the node that a device has already");
    g_free(q->drives[i]);
    q->drives[i] = g_strdup(name);
    if (n->target && g_strcmp0(lid->file, name) != 0) {
        n->frozen = q->instants[i] = q->contents[i];
        memset(q->is_told_zero[i], 0, sizeof q->is_told_zero[i]);
    }
    return NULL;
}

/* Of a machine, and of its devices: which of them works in an iothread. */
static const char *get_property(struct fake_qemu *q, json_object *args)
{
    const char *property = fake_text(args, "property");
    bool is_first = g_str_has_prefix(fake_text(args, "path"), "/machine/peripheral/dev0");
    if (strcmp(property, "iothread-vq-mapping") == 0)
        return "Property 'virtio-blk-device.iothread-vq-mapping' not found";
    q->answer = g_strdup(strcmp(property, "iothread") != 0  ? "\"fake-machine\""
                         : is_first && q->kind.has_iothread ? "\"/objects/io0\""
                                                            : "\"\"");
    return NULL;
}

void fake_snapshot(struct fake_qemu *q)
{
    struct fake_node *overlay = fake_add_node(q, "disk0.ov", "qcow2", FAKE_DRIVE_SIZE);
    overlay->file = fake_keep(q, q->drives[0]);
    g_free(q->drives[0]);
    q->drives[0] = g_strdup(overlay->name);
}

/* Finds nothing to copy. */
static const char *stream(struct fake_qemu *q, json_object *args)
{
    struct fake_node *overlay = fake_node(q, fake_text(args, "device"));
    const char *base = fake_text(args, "base-node");
    if (!overlay || !fake_node(q, base))
        return "Cannot find device nor node-name";
    overlay->file = fake_keep(q, base);
    return NULL;
}

/* --- descriptors -------------------------------------------------------------------------------- */

static const char *keep_fd(struct fake_qemu *q, GHashTable *in, const char *name)
{
    g_hash_table_replace(in, g_strdup(name), GINT_TO_POINTER(q->passed_fd));
    q->passed_fd = -1;
    return NULL;
}

static const char *get_fd(struct fake_qemu *q, json_object *args)
{
    const char *name = fake_text(args, "fdname");
    if (q->passed_fd < 0)
        return "No file descriptor supplied via SCM_RIGHTS";
    if (!g_ascii_isdigit(*name))
        return keep_fd(q, q->fds, name);
    close(q->passed_fd);
    q->passed_fd = -1;
    return "Parameter 'fdname' expects a name not starting with a digit";
}

static const char *close_fd(struct fake_qemu *q, json_object *args)
{
    return g_hash_table_remove(q->fds, fake_text(args, "fdname")) ? NULL : "File descriptor named not found";
}

/* The number of a set is that of its one descriptor. */
static const char *add_fd(struct fake_qemu *q, json_object *args)
{
    if (q->passed_fd < 0)
        return "No file descriptor supplied via SCM_RIGHTS";
    q->answer = g_strdup_printf("{\"fdset-id\":%d,\"fd\":%d}", q->passed_fd, q->passed_fd);
    return keep_fd(q, q->sets, fake_text(args, "opaque"));
}

static gboolean is_number(gpointer name, gpointer fd, gpointer number)
{
    return fd == number;
}

static const char *remove_fd(struct fake_qemu *q, json_object *args)
{
    gpointer set = GINT_TO_POINTER(json_object_get_int(fake_object(args, "fdset-id")));
    return g_hash_table_foreach_remove(q->sets, is_number, set) ? NULL : "File descriptor named 'fdset-id' not found";
}

const struct fake_command fake_block_commands[] = {
    {"blockdev-add", add},
    {"blockdev-del", del},
    {"blockdev-set-active", activate},
    {"qom-set", set_drive},
    {"qom-get", get_property},
    {"block-stream", stream},
    {"getfd", get_fd},
    {"closefd", close_fd},
    {"add-fd", add_fd},
    {"remove-fd", remove_fd},
    {0},
};
