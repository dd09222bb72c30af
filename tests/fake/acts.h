// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the fake QEMU does: its guest runs, its RAM moves, nodes and jobs come and go. See fake/qemu.h. */
#include "fake/books.h"

/* --- guest and RAM ------------------------------------------------------------------------------ */

static void fake_end_stream(struct fake_qemu *q, const char *status)
{
    if (q->migration_fd >= 0)
        close(q->migration_fd);
    q->migration_fd = -1;
    q->migration = status;
}

static void fake_set_running(struct fake_qemu *q, bool is_running)
{
    if (q->is_running == is_running)
        return;
    q->is_running = is_running;
    q->state = "paused";
    if (q->agent)
        g_atomic_int_set(&q->agent->is_guest_running, is_running);
    fake_event(q, is_running ? "RESUME" : "STOP", "{}");
}

/* A byte of a cluster, all of which are the same. */
static uint8_t fake_byte(unsigned drive, unsigned cluster, const struct fake_content *content)
{
    unsigned writes = content->writes[cluster];

    return cluster == 2 && !writes ? 0 : 1 + (67 * drive + 13 * cluster + 29 * writes) % 255;
}

/* Its old content is sent before the guest overwrites it. */
static void fake_guest_writes(struct fake_qemu *q, unsigned drive, unsigned cluster)
{
    struct fake_node *filter = fake_node(q, q->drives[drive]);
    struct fake_node *target = filter ? fake_node(q, filter->target) : NULL;
    uint32_t bytes = MIN(FAKE_CLUSTER, FAKE_DRIVE_SIZE - cluster * FAKE_CLUSTER);
    uint8_t old[FAKE_CLUSTER];

    if (target && target->nbd && !filter->is_broken && !filter->has_sent[cluster]) {
        memset(old, fake_byte(drive, cluster, &filter->frozen), sizeof old);
        filter->has_sent[cluster] = true;
        filter->is_broken = nbd_pwrite(target->nbd, old, bytes, cluster * FAKE_CLUSTER, 0) < 0;
        if (!filter->is_broken && nbd_pread(target->nbd, old, bytes, cluster * FAKE_CLUSTER, 0) < 0 &&
            q->fault.kind < FAULT_TOLD && !q->on_moment)
            fake_violate(q, "what the filter has sent cannot be read back");
    }
    q->contents[drive].writes[cluster]++;
}

static const char *fake_cont(struct fake_qemu *q)
{
    if (q->has_left)
        fake_violate(q, "a guest that has left is let go here, too");
    if (g_get_monotonic_time() < q->passed_us)
        fake_violate(q, "a guest whose migration has not ended is let go");
    if (q->kind.is_paused && q->kind.state)
        fake_violate(q, "a guest that has stopped by itself is let go");
    if (q->is_inactive && q->kind.may_not_reopen)
        return "Could not open 'disk0.raw': Permission denied";
    q->is_inactive = false;
    fake_set_running(q, true);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        fake_guest_writes(q, i, 0);
    q->is_frozen = false;
    return NULL;
}

static int fake_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static const char *fake_migrate(struct fake_qemu *q, const char *uri)
{
    static const char page[4096];

    if (q->kind.blocks_ram || q->kind.refuses_ram)
        return "non-migratable device";
    if (!q->is_running && strcmp(q->state, "postmigrate") == 0)
        return "Can't migrate the vm that was paused due to previous migration";
    if (!q->is_running && strcmp(q->state, "paused") != 0 && q->has_snapshot)
        fake_violate(q, "a background snapshot of a guest that is neither running nor paused");
    if (!g_str_has_prefix(uri, "unix:") || (q->migration_fd = fake_connect(uri + 5)) < 0)
        return "Failed to connect";
    q->is_background = q->has_snapshot;
    q->is_frozen = q->is_frozen && !q->is_background;
    q->migration = "active";
    for (unsigned i = 0; i < FAKE_RAM_BYTES / sizeof page; i++)
        if (send(q->migration_fd, page, sizeof page, MSG_NOSIGNAL) < 0)
            fake_end_stream(q, "failed");
    if (q->is_background && q->is_running)
        fake_violate(q, "a background snapshot of a guest that runs is not of the drives' instant");
    if (q->is_background || strcmp(q->migration, "active") != 0 || q->kind.never_converges)
        return NULL;
    for (unsigned i = 0; i < q->nodes->len; i++)
        if (strcmp(((struct fake_node *)g_ptr_array_index(q->nodes, i))->driver, "copy-before-write") == 0)
            fake_violate(q, "a plain migration cannot end while filters stand");
    fake_set_running(q, false);
    q->is_inactive = true;
    q->state = "postmigrate";
    q->passed_us = g_get_monotonic_time() + q->kind.passes_ms * 1000;
    fake_end_stream(q, q->kind.fails_stopped ? "failed" : "completed");
    return NULL;
}

/* By its own fault. */
static void fake_panic(struct fake_qemu *q)
{
    if (!q->is_running)
        return;
    q->kind.is_paused = true;
    q->kind.state = "guest-panicked";
    fake_event(q, "GUEST_PANICKED", "{\"action\":\"pause\"}");
    fake_set_running(q, false);
    q->state = q->kind.state;
}

/* To run elsewhere, on the same images. */
static void fake_leave(struct fake_qemu *q)
{
    if (strcmp(q->migration, "active") == 0 || strcmp(q->state, "postmigrate") == 0)
        return;
    q->was_instant_left = q->n_copied < q->kind.n_drives;
    q->has_left = q->kind.is_paused = true;
    q->kind.state = NULL;
    fake_set_running(q, false);
    q->state = "postmigrate";
    q->migration = "completed";
}

static const char *fake_set_capabilities(struct fake_qemu *q, json_object *list)
{
    bool has_events = q->has_events, has_snapshot = q->has_snapshot;

    for (unsigned i = 0; i < json_object_array_length(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        bool is_on = json_object_get_boolean(object_of(entry, "state"));
        *(strcmp(text_of(entry, "capability"), "events") == 0 ? &has_events : &has_snapshot) = is_on;
    }
    if (strcmp(q->migration, "active") == 0)
        return "There's a migration process in progress";
    if (has_snapshot && q->kind.no_snapshot)
        return "Background-snapshot is not supported by host kernel";
    q->has_events = has_events;
    q->has_snapshot = has_snapshot;
    return NULL;
}

static void fake_set_params(struct fake_qemu *q, json_object *args)
{
    if (object_of(args, "max-bandwidth"))
        q->bandwidth = json_object_get_int64(object_of(args, "max-bandwidth"));
    if (object_of(args, "downtime-limit"))
        q->downtime = json_object_get_int64(object_of(args, "downtime-limit"));
}

/* --- nodes and jobs ----------------------------------------------------------------------------- */

static const char *fake_add_nbd(struct fake_qemu *q, json_object *args)
{
    struct nbd_handle *nbd = nbd_create();
    struct fake_node *n;

    nbd_set_export_name(nbd, text_of(args, "export"));
    if (nbd_connect_unix(nbd, text_of(object_of(args, "server"), "path")) < 0) {
        nbd_close(nbd);
        return "Requested export not available";
    }
    n = fake_add_node(q, text_of(args, "node-name"), "nbd", nbd_get_size(nbd));
    n->nbd = nbd;
    return NULL;
}

/* What keeps a filter apart from it passes everything on. */
static const char *fake_file_of(json_object *args)
{
    json_object *between = object_of(args, "file");

    return json_object_is_type(between, json_type_object) ? text_of(between, "image") : text_of(args, "file");
}

static const char *fake_add(struct fake_qemu *q, json_object *args)
{
    const char *driver = text_of(args, "driver"), *name = text_of(args, "node-name");
    struct fake_node *file = fake_node(q, fake_file_of(args)), *n;

    if (fake_node(q, name))
        return "Duplicate nodes with node-name";
    if (strcmp(driver, "nbd") == 0)
        return fake_add_nbd(q, args);
    if (strcmp(driver, "file") == 0 && q->kind.may_not_reopen)
        return "Could not open 'disk0.raw': Permission denied";
    if (strcmp(driver, "file") == 0) {
        fake_add_node(q, name, driver, FAKE_DRIVE_SIZE);
        return NULL;
    }
    if (!file)
        return "Cannot find device nor node-name";
    if (q->is_inactive)
        return "Block node is read-only";
    if (strcmp(driver, "copy-before-write") == 0) {
        struct fake_node *target = fake_node(q, text_of(args, "target"));
        if (!target || target->size < file->size)
            fake_violate(q, "a filter's target that is too small");
    } else if (q->is_running) {
        fake_violate(q, "snapshot-access added to a guest that runs");
    }
    n = fake_add_node(q, name, driver, file->size);
    n->file = g_strdup(fake_file_of(args));
    n->target = g_strdup(text_of(args, "target"));
    return NULL;
}

static bool fake_is_used(struct fake_qemu *q, const char *name)
{
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        if (strcmp(q->drives[i], name) == 0)
            return true;
    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *n = g_ptr_array_index(q->nodes, i);
        if (g_strcmp0(n->file, name) == 0 || g_strcmp0(n->target, name) == 0)
            return true;
    }
    for (unsigned i = 0; i < q->jobs->len; i++) {
        const struct fake_job *j = g_ptr_array_index(q->jobs, i);
        if (strcmp(j->status, "concluded") != 0 && (strcmp(j->device, name) == 0 || strcmp(j->target, name) == 0))
            return true;
    }
    for (unsigned i = 0; i < q->exports->len; i++)
        if (strcmp(((struct fake_export *)g_ptr_array_index(q->exports, i))->node, name) == 0)
            return true;
    return false;
}

static bool fake_is_copied(struct fake_qemu *q, const char *node)
{
    for (unsigned i = 0; i < q->jobs->len; i++) {
        const struct fake_job *j = g_ptr_array_index(q->jobs, i);
        if (strcmp(j->status, "running") == 0 && strcmp(j->device, node) == 0)
            return true;
    }
    return false;
}

/* One with a socket gets that from us. */
static const char *fake_export(struct fake_qemu *q, json_object *args)
{
    const char *node = text_of(args, "node-name"), *socket = text_of(object_of(args, "addr"), "str");
    struct fake_export *e;

    for (unsigned i = 0; i < q->exports->len; i++)
        if (strcmp(((struct fake_export *)g_ptr_array_index(q->exports, i))->id, text_of(args, "id")) == 0)
            return "Block export id 'it' is already in use";
    if (!fake_node(q, node))
        return "Cannot find device nor node-name";
    if (socket && !g_hash_table_remove(q->fds, socket))
        return "no such descriptor";
    if (socket && !fake_is_copied(q, node) && q->kind.holds_jobs)
        fake_violate(q, "an export before the job: a migration would fail by it");
    q->is_inactive = false;
    e = g_new0(struct fake_export, 1);
    e->id = g_strdup(text_of(args, "id"));
    e->node = g_strdup(node);
    g_ptr_array_add(q->exports, e);
    return NULL;
}

static const char *fake_unexport(struct fake_qemu *q, const char *id)
{
    for (unsigned i = 0; i < q->exports->len; i++) {
        struct fake_export *e = g_ptr_array_index(q->exports, i);
        if (strcmp(e->id, id) != 0)
            continue;
        if (fake_is_copied(q, e->node))
            fake_violate(q, "an export goes while a job copies its node: 10.0 hangs where that has an iothread");
        g_ptr_array_remove_index(q->exports, i);
        return NULL;
    }
    return "Export 'it' is not found";
}

static const char *fake_del(struct fake_qemu *q, const char *name)
{
    struct fake_node *n = fake_node(q, name);

    if (!n)
        return "Failed to find node with node-name";
    if (fake_is_used(q, name))
        return "Node is in use";
    if (n->nbd && !q->on_fault && q->fault.kind < FAULT_TOLD && nbd_flush(n->nbd, 0) < 0)
        fake_violate(q, "a connection has ended before its node: QEMU would connect again and again");
    g_ptr_array_remove(q->nodes, n);
    return NULL;
}

/* As long as anything stands on a filter nobody else may write to what it stands on. */
static bool fake_is_guarded(struct fake_qemu *q, const char *node)
{
    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *filter = g_ptr_array_index(q->nodes, i);
        for (unsigned j = 0; filter->target && strcmp(filter->file, node) == 0 && j < q->nodes->len; j++)
            if (g_strcmp0(((struct fake_node *)g_ptr_array_index(q->nodes, j))->file, filter->name) == 0)
                return true;
    }
    return false;
}

static const char *fake_set_drive(struct fake_qemu *q, const char *qdev, const char *node)
{
    unsigned i = g_ascii_strtoull(qdev + strlen("/machine/peripheral/dev"), NULL, 10);

    if (q->kind.refuses_filters)
        return "Property 'drive' cannot be set";
    if (!fake_node(q, node))
        return "Cannot find device nor node-name";
    if (fake_is_guarded(q, node))
        return "Permission conflict on node 'disk0'";
    if (strcmp(q->drives[i], node) == 0)
        fake_violate(q, "setting the node that a device has already");
    g_free(q->drives[i]);
    q->drives[i] = g_strdup(node);
    if (fake_node(q, node)->target)
        fake_node(q, node)->frozen = q->instants[i] = q->contents[i];
    return NULL;
}

/* By somebody else: an image over whatever the first drive stands on. */
static void fake_snapshot(struct fake_qemu *q)
{
    struct fake_node *overlay = fake_add_node(q, "disk0.ov", "qcow2", FAKE_DRIVE_SIZE);

    overlay->file = q->drives[0];
    q->drives[0] = g_strdup(overlay->name);
}

/* Finds nothing to copy. */
static const char *fake_stream(struct fake_qemu *q, const char *overlay, const char *base)
{
    struct fake_node *n = fake_node(q, overlay);

    if (!n || !fake_node(q, base))
        return "Cannot find device nor node-name";
    g_free(n->file);
    n->file = g_strdup(base);
    return NULL;
}

static void fake_conclude(struct fake_qemu *q, struct fake_job *j, const char *error)
{
    g_autofree char *data = g_strdup_printf("{\"status\":\"concluded\",\"id\":\"%s\"}", j->id);

    j->status = "concluded";
    j->is_paused = false;
    j->error = error;
    q->n_copied += !error;
    fake_event(q, "JOB_STATUS_CHANGE", data);
}

/* The device whose drive a node shows in the end. */
static unsigned fake_drive_of(struct fake_qemu *q, const char *name)
{
    struct fake_node *n = fake_node(q, name);

    while (n && n->file)
        n = fake_node(q, n->file);
    return n ? g_ascii_strtoull(n->name + strlen("disk"), NULL, 10) : 0;
}

/* What the node shows of the drive; NULL if that is broken. */
static const struct fake_content *fake_content_of(struct fake_qemu *q, const char *name, unsigned drive)
{
    const struct fake_node *n = fake_node(q, name);

    while (n && n->file && !n->target)
        n = fake_node(q, n->file);
    return n && n->is_broken ? NULL : n && n->target ? &n->frozen : &q->contents[drive];
}

/* One cluster more. */
static void fake_copy(struct fake_qemu *q, struct fake_job *j)
{
    uint8_t data[FAKE_CLUSTER];
    struct fake_node *target = fake_node(q, j->target);
    unsigned drive = fake_drive_of(q, j->device), cluster = j->at / FAKE_CLUSTER;
    const struct fake_content *content = fake_content_of(q, j->device, drive);
    uint32_t bytes = MIN(FAKE_CLUSTER, FAKE_DRIVE_SIZE - j->at);

    if (!content) {
        fake_conclude(q, j, "Permission denied");
        return;
    }
    memset(data, fake_byte(drive, cluster, content), sizeof data);
    if (q->n_bad_reads[drive] && cluster == q->bad_cluster[drive]) {
        q->n_bad_reads[drive]--;
        fake_conclude(q, j, "Input/output error");
    } else if (nbd_pwrite(target->nbd, data, bytes, j->at, 0) < 0) {
        fake_conclude(q, j, "Input/output error");
    } else if ((j->at += bytes) == FAKE_DRIVE_SIZE) {
        fake_conclude(q, j, NULL);
    }
}

static void fake_run_job(struct fake_qemu *q, struct fake_job *j)
{
    while (strcmp(j->status, "running") == 0)
        fake_copy(q, j);
}

static void fake_moment(struct fake_qemu *q)
{
    q->n_moments++;
    if (q->on_moment)
        q->on_moment(q->user, q->n_moments);
}

static struct fake_job *fake_next_job(struct fake_qemu *q)
{
    for (unsigned i = 0; i < q->jobs->len; i++) {
        struct fake_job *j = g_ptr_array_index(q->jobs, (q->n_moments + i) % q->jobs->len);
        if (strcmp(j->status, "running") == 0 && !j->is_paused)
            return j;
    }
    return NULL;
}

/* A little life: a job gets on by a cluster, a guest that runs writes another one. */
static void fake_live(struct fake_qemu *q, struct fake_job *j)
{
    fake_moment(q);
    if (q->is_running && !q->is_inactive)
        fake_guest_writes(q, q->n_moments * 5 % q->kind.n_drives, q->n_moments * 3 % FAKE_CLUSTERS);
    fake_copy(q, j);
}

static const char *fake_backup(struct fake_qemu *q, json_object *args, struct fake_job **started)
{
    struct fake_job *j;

    if (fake_job(q, text_of(args, "job-id")))
        return "Job ID already in use";
    if (!fake_node(q, text_of(args, "device")) || !fake_node(q, text_of(args, "target")))
        return "Cannot find device nor node-name";
    j = g_new0(struct fake_job, 1);
    j->id = g_strdup(text_of(args, "job-id"));
    j->device = g_strdup(text_of(args, "device"));
    j->target = g_strdup(text_of(args, "target"));
    j->status = "running";
    j->speed = json_object_get_int64(object_of(args, "speed"));
    if (!fake_node(q, j->device)->file) /* its own instant, without a filter */
        q->instants[fake_drive_of(q, j->device)] = q->contents[fake_drive_of(q, j->device)];
    g_ptr_array_add(q->jobs, j);
    *started = q->kind.holds_jobs || q->kind.is_lively ? NULL : j;
    return NULL;
}

static const char *fake_cancel(struct fake_qemu *q, const char *id)
{
    struct fake_job *j = fake_job(q, id);

    if (!j)
        return "Job not found";
    if (q->kind.hangs_disks)
        return NULL;
    if (strcmp(j->status, "concluded") == 0)
        return "Job in state 'concluded' cannot accept command verb 'cancel'";
    fake_conclude(q, j, "Operation canceled");
    return NULL;
}

static const char *fake_pause(struct fake_qemu *q, const char *id, bool is_paused)
{
    struct fake_job *j = fake_job(q, id);

    if (!j)
        return "Job not found";
    if (strcmp(j->status, "concluded") == 0 || j->is_paused == is_paused)
        return is_paused ? "Job is already paused" : "Job is not paused";
    j->is_paused = is_paused;
    return NULL;
}

static const char *fake_set_speed(struct fake_qemu *q, const char *id, int64_t speed)
{
    struct fake_job *j = fake_job(q, id);

    if (!j)
        return "Job not found";
    j->speed = speed;
    return NULL;
}

static const char *fake_dismiss(struct fake_qemu *q, const char *id)
{
    struct fake_job *j = fake_job(q, id);

    if (!j)
        return "Job not found";
    g_ptr_array_remove(q->jobs, j);
    return NULL;
}
