// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether QEMU could open the guest's images once more, tried before a plain migration of its RAM.
 *
 * That migration lets go of all images, and `cont` opens them for writing again, by their names. A QEMU that
 * has dropped its privileges since its start (-runas) may not, and its guest would stand still for good. So
 * each file is opened by a node of ours first, read-write, without locks, and closed again.
 */
#include <string.h>
#include "backup/run.h"
#include "backup/steps.h"
#include "qemu/access.h"

/* --- the row ------------------------------------------------------------------------------------ */

struct image {
    char *driver, *file;
};

static void image_clear(gpointer data)
{
    struct image *image = data;

    g_free(image->driver);
    g_free(image->file);
}

static void try_next(struct steps_op *op);

static char *probe_name(const struct steps_op *op)
{
    return g_strdup_printf("vmb-%s-probe", op->b->run_id);
}

static void end_trying(struct steps_op *op, const GError *error)
{
    g_clear_pointer(&op->b->ram.images, g_array_unref);
    steps_end(op, error);
}

static void on_closed(void *user, const GError *error)
{
    struct steps_op *op = user;

    op->b->ram.is_probe_open = error != NULL;
    if (error) {
        end_trying(op, error);
        return;
    }
    op->sub++;
    try_next(op);
}

static void refuse_ram(struct steps_op *op, const GError *error)
{
    g_autofree char *who = access_describe(error->message, qmp_peer_pid(op->b->qmp));
    g_autofree char *why = g_strdup_printf("guest could not go on after it, as %s", who ? who : error->message);

    ram_lose(op->b, why, "give that user write access");
    end_trying(op, NULL);
}

static void on_opened(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autofree char *name = probe_name(op);
    bool is_refused = qmp_error_is_refusal(error);

    op->b->ram.is_probe_open = !is_refused;
    if (is_refused)
        refuse_ram(op, error);
    else if (error)
        end_trying(op, error);
    else
        qmp_del_node(op->b->qmp, name, on_closed, op);
}

static void try_next(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autofree char *name = probe_name(op);

    if (op->sub == b->ram.images->len || b->is_failing) {
        end_trying(op, NULL);
        return;
    }
    const struct image *image = &g_array_index(b->ram.images, struct image, op->sub);
    b->ram.is_probe_open = true;
    qmp_add_file(b->qmp, name, image->driver, image->file, on_opened, op);
}

/* Not what QEMU has made for itself (snapshot=on): that has no name any more, and stays open. */
static bool is_reopened_by_name(const struct qmp_node *node)
{
    return !node->is_read_only && node->file && !g_str_has_prefix(node->file, "json:") &&
           !g_pattern_match_simple("*/vl.??????", node->file) &&
           (g_strcmp0(node->format, "file") == 0 || g_strcmp0(node->format, "host_device") == 0);
}

/* All of the guest's, also those of drives that are not saved: they are let go together. */
static void on_nodes(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    struct steps_op *op = user;

    if (error) {
        steps_end(op, error);
        return;
    }
    op->b->ram.images = g_array_new(FALSE, FALSE, sizeof(struct image));
    g_array_set_clear_func(op->b->ram.images, image_clear);
    for (unsigned i = 0; i < n; i++) {
        struct image image = {g_strdup(nodes[i].format), g_strdup(nodes[i].file)};
        if (is_reopened_by_name(&nodes[i]))
            g_array_append_val(op->b->ram.images, image);
        else
            image_clear(&image);
    }
    try_next(op);
}

void reopen_begin(struct steps_op *op)
{
    qmp_query_nodes(op->b->qmp, on_nodes, op);
}

static void on_undone(void *user, const GError *error)
{
    bool is_gone = g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE);

    steps_end(user, is_gone ? NULL : error);
}

/* Interrupted between opening and closing. */
void reopen_undo(struct steps_op *op)
{
    g_autofree char *name = probe_name(op);

    if (op->b->ram.is_probe_open)
        qmp_del_node(op->b->qmp, name, on_undone, op);
    else
        steps_end(op, NULL);
}
