// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls about dirty bitmaps. */
#include "qmp/call.h"
#include "qmp/field.h"

/* --- what there is ------------------------------------------------------------------------------ */

static struct json_object *bitmaps_of(struct json_object *node)
{
    struct json_object *list = field_at(node, "dirty-bitmaps");

    return json_object_is_type(list, json_type_array) ? list : NULL;
}

static struct qmp_bitmap read_bitmap(struct json_object *entry, struct json_object *node)
{
    bool is_persistent = field_is_true(entry, "persistent");

    return (struct qmp_bitmap){
        .node_name = field_text(node, "node-name"),
        .format = field_text(node, "drv"),
        .file = field_text(node, "file"),
        .backing = field_text(node, "backing_file"),
        .name = field_text(entry, "name"),
        .granularity = field_size(entry, "granularity", 0),
        .count = field_size(entry, "count", 0),
        .is_recording = field_is_true(entry, "recording"),
        .is_busy = field_is_true(entry, "busy"),
        .is_inconsistent = field_is_true(entry, "inconsistent"),
        .is_persistent = is_persistent,
        .is_read_only = is_persistent && field_is_true(node, "ro"),
    };
}

static void read_node(GArray *bitmaps, struct json_object *node)
{
    struct json_object *list = field_text(node, "node-name") ? bitmaps_of(node) : NULL;

    for (unsigned i = 0; i < call_length(list); i++) {
        struct qmp_bitmap bitmap = read_bitmap(json_object_array_get_idx(list, i), node);
        if (bitmap.name && *bitmap.name)
            g_array_append_val(bitmaps, bitmap);
    }
}

static void on_nodes(struct call *call, struct json_object *value, const GError *error)
{
    g_autoptr(GArray) bitmaps = g_array_new(FALSE, FALSE, sizeof(struct qmp_bitmap));

    for (unsigned i = 0; i < call_length(value); i++)
        read_node(bitmaps, json_object_array_get_idx(value, i));
    ((qmp_on_bitmaps)call->done)(call->user, (const struct qmp_bitmap *)(void *)bitmaps->data, bitmaps->len, error);
}

static void on_jobs(struct call *call, struct json_object *value, const GError *error)
{
    g_autoptr(GError) streaming = NULL;

    if (call_may_list_nodes(value, error)) {
        call_list_nodes(call, on_nodes);
        return;
    }
    if (!error)
        streaming = g_error_new(QMP_ERROR, QMP_ERROR_COMMAND, "a block-stream is under way: nodes cannot be listed");
    ((qmp_on_bitmaps)call->done)(call->user, NULL, 0, error ? error : streaming);
}

void qmp_query_bitmaps(struct qmp *q, qmp_on_bitmaps done, void *user)
{
    call_ask(q, "query-jobs", NULL, json_type_array, on_jobs, CALL_ANY(done), user);
}

/* --- a node to write to ------------------------------------------------------------------------- */

void qmp_add_null(struct qmp *q, const char *node, uint64_t size, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("driver", "null-co");

    args_text(args, "node-name", node);
    args_size(args, "size", size);
    call_do(q, "blockdev-add", args, done, user);
}

void qmp_write_zeroes(struct qmp *q, const char *node, uint64_t offset, uint64_t len, qmp_done done, void *user)
{
    g_autofree char *line =
        g_strdup_printf("qemu-io %s \"write -q -z %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\"", node, offset, len);

    call_do(q, "human-monitor-command", args_new_text("command-line", line), done, user);
}

/* --- made and removed --------------------------------------------------------------------------- */

static struct json_object *place(const char *node, const char *name)
{
    struct json_object *args = args_new_text("node", node);

    args_text(args, "name", name);
    return args;
}

void qmp_bitmap_add(struct qmp *q, const struct qmp_new_bitmap *bitmap, qmp_done done, void *user)
{
    struct json_object *args = place(bitmap->node, bitmap->name);

    args_size(args, "granularity", bitmap->granularity);
    if (bitmap->is_persistent)
        args_flag(args, "persistent", true);
    if (bitmap->is_disabled)
        args_flag(args, "disabled", true);
    call_do(q, "block-dirty-bitmap-add", args, done, user);
}

void qmp_bitmap_merge(struct qmp *q, const char *node, const char *name, const char *from_node, const char *from,
                      qmp_done done, void *user)
{
    struct json_object *args = args_new_text("node", node), *list = json_object_new_array();

    args_text(args, "target", name);
    json_object_array_add(list, place(from_node, from));
    args_object(args, "bitmaps", list);
    call_do(q, "block-dirty-bitmap-merge", args, done, user);
}

void qmp_bitmap_remove(struct qmp *q, const char *node, const char *name, qmp_done done, void *user)
{
    call_do(q, "block-dirty-bitmap-remove", place(node, name), done, user);
}
