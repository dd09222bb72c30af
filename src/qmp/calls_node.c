// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that add, insert and take away block nodes and exports. */
#include "qmp/call.h"

/* --- nodes -------------------------------------------------------------------------------------- */

static struct json_object *new_node(const char *driver, const char *node)
{
    struct json_object *args = args_new_text("driver", driver);

    args_text(args, "node-name", node);
    return args;
}

/* Never by a descriptor: QEMU keeps its number, and when the connection has ended it connects again by that number,
 * whatever has been opened under it meanwhile. Never with reconnect-delay: requests to a server that is gone would wait
 * for it, and a guest's write with them, instead of failing at once. */
void qmp_add_nbd(struct qmp *q, const char *node, const char *path, const char *export, qmp_done done, void *user)
{
    struct json_object *args = new_node("nbd", node), *server = args_new_text("type", "unix");

    args_text(server, "path", path);
    args_object(args, "server", server);
    args_text(args, "export", export);
    call_do(q, "blockdev-add", args, done, user);
}

/* Both limits are needed: by default a target that fails gives the guest an I/O error, and one that hangs
 * stops it for ever. Without discard the guest's TRIM would be dropped while the filter is there. */
void qmp_add_filter(struct qmp *q, const char *node, const char *file, bool is_apart, const char *target,
                    unsigned cbw_timeout_s, qmp_done done, void *user)
{
    struct json_object *args = new_node("copy-before-write", node);

    if (is_apart) {
        struct json_object *between = args_new_text("driver", "blkdebug");
        args_text(between, "image", file);
        args_object(args, "file", between);
    } else {
        args_text(args, "file", file);
    }
    args_text(args, "target", target);
    args_text(args, "on-cbw-error", "break-snapshot");
    args_int(args, "cbw-timeout", cbw_timeout_s);
    args_text(args, "discard", "unmap");
    call_do(q, "blockdev-add", args, done, user);
}

void qmp_add_passing(struct qmp *q, const char *top, const char *node, const char *image, qmp_done done, void *user)
{
    struct json_object *args = new_node("blkdebug", top), *passing = new_node("blkdebug", node);

    args_text(passing, "image", image);
    args_object(args, "image", passing);
    call_do(q, "blockdev-add", args, done, user);
}

void qmp_add_snapshot_access(struct qmp *q, const char *node, const char *file, qmp_done done, void *user)
{
    struct json_object *args = new_node("snapshot-access", node);

    args_text(args, "file", file);
    call_do(q, "blockdev-add", args, done, user);
}

void qmp_add_file(struct qmp *q, const char *node, const char *driver, const char *filename, qmp_done done, void *user)
{
    struct json_object *args = new_node(driver, node);

    args_text(args, "filename", filename);
    args_text(args, "locking", "off"); /* the guest's own node holds them */
    args_flag(args, "read-only", false);
    args_flag(args, "auto-read-only", false);
    call_do(q, "blockdev-add", args, done, user);
}

void qmp_del_node(struct qmp *q, const char *node, qmp_done done, void *user)
{
    call_do(q, "blockdev-del", args_new_text("node-name", node), done, user);
}

void qmp_set_drive(struct qmp *q, const char *qdev, const char *node, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("path", qdev);

    args_text(args, "property", "drive");
    args_text(args, "value", node);
    call_do(q, "qom-set", args, done, user);
}

void qmp_set_active(struct qmp *q, qmp_done done, void *user)
{
    struct json_object *args = args_new();

    args_flag(args, "active", true);
    call_do(q, "blockdev-set-active", args, done, user);
}

/* --- QEMU's own NBD server, only used to activate nodes ----------------------------------------- */

void qmp_nbd_server_start(struct qmp *q, const char *fdname, const char *path, qmp_done done, void *user)
{
    struct json_object *args = args_new(), *address = args_new_text("type", fdname ? "fd" : "unix");

    args_object(address, "data", fdname ? args_new_text("str", fdname) : args_new_text("path", path));
    args_object(args, "addr", address);
    call_do(q, "nbd-server-start", args, done, user);
}

void qmp_nbd_server_stop(struct qmp *q, qmp_done done, void *user)
{
    call_do(q, "nbd-server-stop", NULL, done, user);
}

void qmp_export_add(struct qmp *q, const char *id, const char *node, const char *bitmap, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("type", "nbd");

    args_text(args, "id", id);
    args_text(args, "node-name", node);
    args_text(args, "name", id);
    args_flag(args, "writable", false);
    if (bitmap) {
        struct json_object *list = json_object_new_array();
        json_object_array_add(list, json_object_new_string(bitmap));
        args_object(args, "bitmaps", list);
    }
    call_do(q, "block-export-add", args, done, user);
}

static struct json_object *vhost_args(const char *id, const char *node, const char *fdname)
{
    struct json_object *args = args_new_text("type", "vhost-user-blk"), *address = args_new_text("type", "fd");

    args_text(args, "id", id);
    args_text(args, "node-name", node);
    args_text(address, "str", fdname);
    args_object(args, "addr", address);
    return args;
}

void qmp_export_vhost(struct qmp *q, const char *id, const char *node, const char *fdname, qmp_done done, void *user)
{
    call_do(q, "block-export-add", vhost_args(id, node, fdname), done, user);
}

/* A type that is not known is refused before the node is looked for. */
static void on_no_node(struct call *call, struct json_object *value, const GError *error)
{
    bool is_refused = qmp_error_is_refusal(error);

    (void)value;
    ((qmp_on_answer)call->done)(call->user, is_refused && strstr(error->message, call->text),
                                is_refused ? NULL : error);
}

void qmp_has_vhost_export(struct qmp *q, const char *nowhere, qmp_on_answer done, void *user)
{
    struct call *call = call_new(q, CALL_ANY(done), user);

    call->text = g_strdup(nowhere);
    call_send(call, "block-export-add", vhost_args(nowhere, nowhere, nowhere), CALL_ANY_SHAPE, on_no_node);
}

void qmp_export_del(struct qmp *q, const char *id, qmp_done done, void *user)
{
    call_do(q, "block-export-del", args_new_text("id", id), done, user);
}
