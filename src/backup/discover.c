// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks QEMU for all that a plan needs, one question after another. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "backup/found.h"
#include "backup/lid.h"
#include "backup/plan.h"
#include "backup/run.h"
#include "qemu/identity.h"
#include "rescue/cleanup.h"

static void ask_next(struct backup *b);

/* An answer we can live without has no error here. */
static void answered(struct backup *b, const GError *error)
{
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        return; /* monitor.c hears of it too, and knows whether to try again */
    if (error)
        backup_fail_new(b, VMB_ERROR_MONITOR, "QEMU does not say what is needed: %s", error->message);
    else
        ask_next(b);
}

static void on_version(void *user, const struct qmp_version *v, const GError *error)
{
    struct backup *b = user;

    if (!error) {
        b->facts.version = *v;
        model_set(b->model.qemu, "%d.%d.%d", v->major, v->minor, v->micro);
    }
    answered(b, error);
}

static void on_name(void *user, const char *name, const GError *error)
{
    struct backup *b = user;
    g_autofree char *base = NULL;

    g_clear_pointer(&b->facts.nameless_at, g_free);
    if (!error && name && *name) {
        model_set(b->model.guest, "%s", name);
    } else {
        base = g_path_get_basename(b->options.monitor);
        if (strrchr(base, '.') > base)
            *strrchr(base, '.') = '\0';
        model_set(b->model.guest, "%s", base);
        b->facts.nameless_at = g_file_test(b->options.monitor, G_FILE_TEST_EXISTS)
                                   ? g_canonicalize_filename(b->options.monitor, NULL)
                                   : g_strdup(b->options.monitor);
    }
    answered(b, NULL);
}

static void on_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct backup *b = user;

    if (!error) {
        state_see_status(b, s);
        b->guest.was_running = state_can_be_stopped(b);
    }
    answered(b, error);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct backup *b = user;

    if (!error)
        state_see_migration(b, m);
    answered(b, error);
}

/* A QEMU that does not tell has, as far as we know, let go of them. */
static void on_awake(void *user, const char *const *nodes, unsigned n, const GError *error)
{
    struct backup *b = user;
    bool is_lost = g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);

    if (!error || !is_lost)
        state_see_awake(b, nodes, error ? 0 : n);
    answered(b, is_lost ? error : NULL);
}

static void on_set_active_known(void *user, bool has, const GError *error)
{
    struct backup *b = user;

    b->facts.has_set_active = !error && has;
    answered(b, error);
}

static void on_passed(void *user, const GError *error)
{
    struct backup *b = user;
    bool is_refused = qmp_error_is_refusal(error);

    b->facts.passes_descriptors = !error || (is_refused && strstr(error->message, "digit"));
    answered(b, is_refused ? NULL : error);
}

/* A monitor that socat or ssh forwards loses what is passed: that is seen only by passing something. By a name that
 * QEMU refuses, since it begins with a digit: that comes after the descriptor was found, and nothing stays. */
static void on_vhost_export_known(void *user, bool has, const GError *error)
{
    struct backup *b = user;
    int fd = memfd_create("vmabackup", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    b->facts.has_vhost_export = !error && has;
    b->facts.has_memfd = fd >= 0;
    b->facts.passes_descriptors = door_has_descriptors(b);
    if (fd >= 0 && b->facts.has_vhost_export && b->facts.passes_descriptors) {
        qmp_getfd(b->qmp, "0", fd, on_passed, b);
        return;
    }
    if (fd >= 0)
        close(fd);
    answered(b, error);
}

static void on_memory(void *user, uint64_t bytes, const GError *error)
{
    struct backup *b = user;

    b->facts.ram_bytes = error ? 0 : bytes;
    answered(b, NULL);
}

static void on_capabilities(void *user, const struct qmp_capability *caps, unsigned n, const GError *error)
{
    struct backup *b = user;

    g_ptr_array_set_size(b->ram.capabilities, 0);
    for (unsigned i = 0; !error && i < n; i++)
        if (caps[i].is_on)
            g_ptr_array_add(b->ram.capabilities, g_strdup(caps[i].name));
    answered(b, error);
}

static void on_params(void *user, const struct qmp_migration_params *p, const GError *error)
{
    struct backup *b = user;

    if (!error) {
        b->ram.old_params = *p;
        b->ram.have_old_params = true;
    }
    answered(b, error); /* what is to be changed must be known, to be put back */
}

static void found_drive_free(gpointer data)
{
    struct found_drive *f = data;

    g_free(f->device);
    g_free(f->qdev);
    g_free(f->node_name);
    g_free(f->format);
    g_free(f->file);
    g_free(f->backing);
    g_free(f->type);
    g_free(f->occupant);
    g_free(f);
}

static void on_drives(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct backup *b = user;

    g_clear_pointer(&b->facts.drives, g_ptr_array_unref);
    b->facts.drives = g_ptr_array_new_with_free_func(found_drive_free);
    b->link.n_types = b->link.n_shared = 0;
    for (unsigned i = 0; !error && i < n; i++) {
        struct found_drive *f = g_new0(struct found_drive, 1);
        f->device = g_strdup(drives[i].device);
        f->qdev = g_strdup(drives[i].qdev);
        f->node_name = g_strdup(drives[i].node_name);
        f->format = g_strdup(drives[i].format);
        f->file = g_strdup(drives[i].file);
        f->backing = g_strdup(drives[i].backing);
        f->is_removable = drives[i].is_removable;
        f->has_medium = drives[i].has_medium;
        f->is_read_only = drives[i].is_read_only;
        f->is_attached = drives[i].is_attached;
        f->is_encrypted = drives[i].is_encrypted;
        f->may_keep_bitmaps =
            g_strcmp0(drives[i].format, "qcow2") == 0 && !drives[i].has_data_file && !drives[i].has_snapshots;
        f->virtual_size = drives[i].virtual_size;
        f->actual_size = drives[i].actual_size;
        g_ptr_array_add(b->facts.drives, f);
    }
    answered(b, error);
}

static void on_surveyed(void *user, const struct survey *s, const GError *error)
{
    struct backup *b = user;

    for (unsigned i = 0; !error && i < b->facts.drives->len; i++) {
        struct found_drive *f = g_ptr_array_index(b->facts.drives, i);
        const struct survey_drive *d = f->is_attached ? survey_find(s, f->qdev) : NULL;
        if (d && d->node)
            f->occupant = survey_occupant(s, d, b->run_id);
    }
    answered(b, error);
}

static void on_sockets(void *user, const char *const *filenames, unsigned n, const GError *error)
{
    struct backup *b = user;

    g_clear_pointer(&b->link.sockets, g_ptr_array_unref);
    g_free(b->link.qemu_process);
    b->link.qemu_process = identity_of_process(qmp_peer_pid(b->qmp));
    if (!error)
        b->link.sockets = identity_of_chardevs(filenames, n, qmp_peer_pid(b->qmp));
    answered(b, NULL);
}

static void on_looked(void *user, const char *what, unsigned n, const GError *error)
{
    struct backup *b = user;
    bool is_held = g_error_matches(error, VMB_ERROR, VMB_ERROR_HELD);

    b->tidy.look = NULL;
    b->tidy.n_leftovers = error ? 0 : n;
    model_set(b->tidy.leftovers, "%s", error ? "" : what);
    g_clear_pointer(&b->link.held, g_free);
    b->link.held = is_held ? g_strdup(error->message) : NULL;
    answered(b, is_held ? NULL : error);
}

static void on_unsavable(void *user, const char *const *sentences, unsigned n, const GError *error)
{
    struct backup *b = user;

    g_ptr_array_set_size(b->facts.unsavable, 0);
    for (unsigned i = 0; !error && i < n; i++)
        g_ptr_array_add(b->facts.unsavable, g_strdup(sentences[i]));
    answered(b, NULL);
}

static void on_machine(void *user, const char *value, const GError *error)
{
    struct backup *b = user;

    g_free(b->facts.machine);
    b->facts.machine = g_strdup(error || !value ? "" : value);
    answered(b, NULL);
}

static void ask_types(struct backup *b);

static void on_type(void *user, const char *type, const GError *error)
{
    struct backup *b = user;
    struct found_drive *f = g_ptr_array_index(b->facts.drives, b->link.n_types++);

    f->type = g_strdup(error ? NULL : type);
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        answered(b, error);
    else
        ask_types(b);
}

/* One after the other; only where names follow from them. */
static void ask_types(struct backup *b)
{
    const struct found_drive *f;

    for (; b->options.proxmox_vmid && b->link.n_types < b->facts.drives->len; b->link.n_types++) {
        f = g_ptr_array_index(b->facts.drives, b->link.n_types);
        if (f->qdev && *f->qdev) {
            g_autofree char *path = naming_device_path(f);
            qmp_qom_get_string(b->qmp, path, "type", on_type, b);
            return;
        }
    }
    answered(b, NULL);
}

static void ask_shared(struct backup *b);

static void on_shared(void *user, bool is_shared, const GError *error)
{
    struct backup *b = user;
    struct found_drive *f = g_ptr_array_index(b->facts.drives, b->link.n_shared++);

    f->is_shared = is_shared;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        answered(b, error);
    else
        ask_shared(b);
}

/* The same for who else may write to them, where it matters: what has no such property is nobody else's. */
static void ask_shared(struct backup *b)
{
    for (; track_is_wanted(b) && b->link.n_shared < b->facts.drives->len; b->link.n_shared++) {
        const struct found_drive *f = g_ptr_array_index(b->facts.drives, b->link.n_shared);
        if (f->qdev && *f->qdev) {
            g_autofree char *path = naming_device_path(f);
            qmp_qom_get_flag(b->qmp, path, "share-rw", on_shared, b);
            return;
        }
    }
    answered(b, NULL);
}

static void ask_version(struct backup *b)
{
    qmp_query_version(b->qmp, on_version, b);
}
static void ask_name(struct backup *b)
{
    qmp_query_name(b->qmp, on_name, b);
}
static void ask_status(struct backup *b)
{
    qmp_query_status(b->qmp, on_status, b);
}
static void ask_migration(struct backup *b)
{
    qmp_query_migrate(b->qmp, on_migration, b);
}
static void ask_set_active(struct backup *b)
{
    qmp_has_command(b->qmp, "blockdev-set-active", on_set_active_known, b);
}
static void ask_vhost_export(struct backup *b)
{
    g_autofree char *nowhere = g_strdup_printf("vmb-%s-none", b->run_id);

    if (plan_engine_is_wanted(b))
        qmp_has_vhost_export(b->qmp, nowhere, on_vhost_export_known, b);
    else
        answered(b, NULL);
}
static void ask_iothreads(struct backup *b)
{
    if (plan_engine_is_wanted(b) || lid_may_be_wanted(b))
        plan_engine_ask_iothreads(b, answered);
    else
        answered(b, NULL);
}
static void on_bitmaps(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    struct backup *b = user;
    bool is_lost = g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);

    if (!error)
        track_take_bitmaps(b, bitmaps, n);
    answered(b, is_lost ? error : NULL);
}

static void ask_bitmaps(struct backup *b)
{
    if (track_is_wanted(b))
        qmp_query_bitmaps(b->qmp, on_bitmaps, b);
    else
        answered(b, NULL);
}
static void ask_memory(struct backup *b)
{
    qmp_query_memory(b->qmp, on_memory, b);
}
static void ask_capabilities(struct backup *b)
{
    qmp_query_capabilities(b->qmp, on_capabilities, b);
}
static void ask_params(struct backup *b)
{
    qmp_query_migration_params(b->qmp, on_params, b);
}
static void ask_drives(struct backup *b)
{
    qmp_query_block(b->qmp, on_drives, b);
}
static void ask_occupants(struct backup *b)
{
    survey_take(&b->survey, b->qmp, on_surveyed, b);
}
static void ask_sockets(struct backup *b)
{
    qmp_query_chardevs(b->qmp, on_sockets, b);
}
static void ask_unsavable(struct backup *b)
{
    qmp_query_unsavable(b->qmp, on_unsavable, b);
}
static void ask_machine(struct backup *b)
{
    qmp_qom_get_string(b->qmp, "/machine", "type", on_machine, b);
}

static void ask_awake(struct backup *b)
{
    if (state_is_left(b))
        qmp_query_awake_nodes(b->qmp, on_awake, b);
    else
        answered(b, NULL);
}

static void ask_leftovers(struct backup *b)
{
    b->tidy.look = cleanup_look(b->qmp, b->options.monitor, !b->options.only_ask, on_looked, b);
}

static void (*const questions[])(struct backup *b) = {
    ask_version,      ask_name,      ask_status,    ask_migration, ask_set_active, ask_vhost_export, ask_memory,
    ask_capabilities, ask_params,    ask_drives,    ask_awake,     ask_occupants,  ask_types,        ask_iothreads,
    ask_sockets,      ask_leftovers, ask_unsavable, ask_machine,   ask_bitmaps,    ask_shared,
};

static void ask_next(struct backup *b)
{
    if (b->is_failing)
        return;
    if (b->link.question < G_N_ELEMENTS(questions)) {
        questions[b->link.question++](b);
        return;
    }
    monitor_discovered(b);
    plan_make(b);
}

void discover(struct backup *b)
{
    b->link.question = 0;
    ask_next(b);
}
