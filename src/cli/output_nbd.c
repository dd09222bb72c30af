// SPDX-License-Identifier: GPL-2.0-or-later
/* An NBD export; and a new qcow2 file, which qemu-nbd writes for us. */
#include <gio/gio.h>
#include "base/error.h"
#include "base/text.h"
#include "cli/newfile.h"
#include "cli/output.h"
#include "nbd/client.h"

struct remote {
    struct output output;
    char *name; /* for messages */
    struct nbd_client *client;
    struct newfile *file; /* of qcow2, else NULL */
};

static bool explain(const struct remote *r, bool is_good, GError **error)
{
    g_autofree char *safe = text_make_safe(r->name);
    if (!is_good)
        g_prefix_error(error, "%s: ", safe);
    return is_good;
}

static bool remote_write(struct output *o, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct remote *r = (struct remote *)o;
    return explain(r, nbd_client_write(r->client, offset, bytes, len, error), error);
}

static bool remote_zero(struct output *o, uint64_t offset, uint64_t len, GError **error)
{
    struct remote *r = (struct remote *)o;
    return explain(r, nbd_client_zero(r->client, offset, len, error), error);
}

static bool remote_finish(struct output *o, uint64_t size, GError **error)
{
    struct remote *r = (struct remote *)o;
    if (!explain(r, nbd_client_finish(r->client, error), error))
        return false;
    g_clear_pointer(&r->client, nbd_client_free); /* qemu-nbd ends, and closes the file */
    return !r->file || newfile_sync(r->file, error);
}

static bool remote_publish(struct output *o, GError **error)
{
    return newfile_publish(((struct remote *)o)->file, error);
}

static void remote_free(struct output *o)
{
    struct remote *r = (struct remote *)o;
    nbd_client_free(r->client);
    newfile_free(r->file);
    g_free(r->name);
    g_free(r);
}

static const struct output_ops nbd_ops = {
    .write = remote_write, .zero = remote_zero, .finish = remote_finish, .free = remote_free};
static const struct output_ops qcow2_ops = {
    .write = remote_write, .finish = remote_finish, .publish = remote_publish, .free = remote_free};

static struct remote *remote_new(const struct output_ops *ops, const char *name)
{
    struct remote *r = g_new0(struct remote, 1);
    r->output.ops = ops;
    r->name = g_strdup(name);
    return r;
}

struct output *output_open_nbd(const char *uri, uint64_t size, GError **error)
{
    struct remote *r = remote_new(&nbd_ops, uri);
    r->client = nbd_client_open(uri, error);
    bool is_good = r->client != NULL;
    if (is_good && nbd_client_is_read_only(r->client)) {
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_TARGET, "the export is read-only");
        is_good = false;
    } else if (is_good && nbd_client_size(r->client) < size) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET,
                    "the export is too small: %" G_GUINT64_FORMAT " bytes, the drive has %" G_GUINT64_FORMAT,
                    nbd_client_size(r->client), size);
        is_good = false;
    }
    if (explain(r, is_good, error))
        return &r->output;
    remote_free(&r->output);
    return NULL;
}

/* Runs qemu-img create over the empty file. */
static bool format_qcow2(const struct newfile *file, uint64_t size, GError **error)
{
    g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, size), *said = NULL;
    const char *argv[] = {"qemu-img", "create", "-q", "-f", "qcow2", newfile_partial(file), bytes, NULL};
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GSubprocess) child =
        g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &wrong);
    bool is_good = child && g_subprocess_communicate_utf8(child, NULL, NULL, NULL, &said, &wrong) &&
                   g_subprocess_get_successful(child);
    if (!is_good) {
        g_autofree char *safe = text_make_safe(g_strchomp(said ? said : (said = g_strdup("it failed"))));
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "file %s: qemu-img cannot make it: %s", newfile_path(file),
                    wrong ? wrong->message : safe);
    }
    return is_good;
}

struct output *output_new_qcow2(const char *path, uint64_t size, GError **error)
{
    struct remote *r = remote_new(&qcow2_ops, path);
    r->file = newfile_create(path, error);
    if (r->file && format_qcow2(r->file, size, error)) {
        /* Not its own socket, nor a port: libnbd hands it one. It is no guest's yet: writing back is safe
         * enough. */
        const char *argv[] = {"qemu-nbd", "-f", "qcow2", "--cache=writeback", newfile_partial(r->file), NULL};
        r->client = nbd_client_spawn(argv, error);
        if (explain(r, r->client != NULL, error))
            return &r->output;
    }
    remote_free(&r->output);
    return NULL;
}
