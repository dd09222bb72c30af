// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A QEMU that is none: a thread that speaks QMP, takes descriptors, writes drives over NBD and RAM into a socket,
 * keeps the books on nodes, jobs and descriptors, and does one thing wrong when it is told to.
 *
 *     struct fake_qemu *q = fake_new("/tmp/x.sock", &(struct fake_kind){.major = 10, .n_drives = 2});
 *     q->fault = (struct fake_fault){"blockdev-add", 3, FAULT_HANGUP_BEFORE};
 *     fake_start(q); … a backup …; fake_stop(q);
 *     q->violation, q->log, fake_left(q) …
 *
 * The books are read only before fake_start() and after fake_stop(). What aborts a real QEMU is a violation here.
 */
#include <errno.h>
#include <glib.h>
#include <json-c/json.h>
#include <libnbd.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FAKE_RAM_BYTES  (200u << 10) /* of the stream */
#define FAKE_DRIVE_SIZE (3 * 65536u + 512)
#define FAKE_CLUSTER    65536u

enum fault_kind {
    FAULT_NONE,
    FAULT_ERROR,         /* refused, and nothing done */
    FAULT_HANGUP_BEFORE, /* the monitor goes; nothing done */
    FAULT_HANGUP_AFTER,  /* done, but the monitor goes before its answer */
    FAULT_SILENT_BEFORE, /* no answer, nothing done */
    FAULT_SILENT_AFTER,  /* no answer, but done */
    FAULT_DEATH,         /* QEMU is killed */
    FAULT_TOLD,          /* done as usual; on_fault() is called right before */
    FAULT_TOLD_AND_LOST, /* the same, but the monitor goes before its answer */
    FAULT_RESUMED,       /* done, then somebody else resumes the guest */
    FAULT_PAUSED,        /* done, then somebody else pauses it */
    FAULT_SHUTDOWN,      /* done, then the guest powers itself off; QEMU stays */
    FAULT_KINDS
};
struct fake_fault {
    const char *command;
    unsigned nth; /* from 1 */
    enum fault_kind kind;
};
struct fake_kind {
    int major;
    unsigned n_drives;
    bool is_paused;       /* from the beginning, by its user */
    bool no_snapshot;     /* background-snapshot is refused */
    bool refuses_filters; /* qom-set fails */
    bool holds_jobs;      /* they go on until they are cancelled */
};

struct fake_node {
    char *name, *driver, *file, *target;
    struct nbd_handle *nbd;
    uint64_t size;
};
struct fake_job {
    char *id, *device, *target;
    const char *status, *error;
};

struct fake_qemu {
    struct fake_kind kind;
    struct fake_fault fault;
    void (*on_fault)(void *user); /* from this thread */
    void *user;
    char *path;
    GThread *thread;
    int listener, conn, wake[2];
    GString *input;
    int passed_fd;
    unsigned n_seen; /* of the fault's command */
    bool is_dead, hangs_up, is_mute;

    GPtrArray *nodes; /* struct fake_node */
    GPtrArray *jobs;  /* struct fake_job */
    char **drives;    /* the node of each device */
    GHashTable *fds;  /* name -> fd */
    bool is_running, is_inactive, has_events, has_snapshot, has_nbd_server;
    int64_t bandwidth, downtime;
    const char *migration;
    int migration_fd;
    bool is_background;
    unsigned n_looks;        /* at a background snapshot */
    bool is_frozen;          /* stopped by the command, neither migrating nor resumed yet */
    bool was_instant_broken; /* somebody resumed it then */

    GPtrArray *log;  /* char *: each command, and whom it was about */
    char *violation; /* what would have aborted QEMU, or harmed the guest */
};

/* --- books -------------------------------------------------------------------------------------- */

static void fake_node_free(gpointer data)
{
    struct fake_node *n = data;

    if (n->nbd) {
        nbd_shutdown(n->nbd, 0);
        nbd_close(n->nbd);
    }
    g_free(n->name);
    g_free(n->driver);
    g_free(n->file);
    g_free(n->target);
    g_free(n);
}

static void fake_job_free(gpointer data)
{
    struct fake_job *j = data;

    g_free(j->id);
    g_free(j->device);
    g_free(j->target);
    g_free(j);
}

static void fake_close_fd(gpointer fd)
{
    close(GPOINTER_TO_INT(fd));
}

static struct fake_node *fake_node(struct fake_qemu *q, const char *name)
{
    for (unsigned i = 0; name && i < q->nodes->len; i++) {
        struct fake_node *n = g_ptr_array_index(q->nodes, i);
        if (strcmp(n->name, name) == 0)
            return n;
    }
    return NULL;
}

static struct fake_job *fake_job(struct fake_qemu *q, const char *id)
{
    for (unsigned i = 0; id && i < q->jobs->len; i++) {
        struct fake_job *j = g_ptr_array_index(q->jobs, i);
        if (strcmp(j->id, id) == 0)
            return j;
    }
    return NULL;
}

static struct fake_node *fake_add_node(struct fake_qemu *q, const char *name, const char *driver, uint64_t size)
{
    struct fake_node *n = g_new0(struct fake_node, 1);

    n->name = g_strdup(name);
    n->driver = g_strdup(driver);
    n->size = size;
    g_ptr_array_add(q->nodes, n);
    return n;
}

static int fake_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static struct fake_qemu *fake_new(const char *path, const struct fake_kind *kind)
{
    struct fake_qemu *q = g_new0(struct fake_qemu, 1);

    q->kind = *kind;
    q->path = g_strdup(path);
    q->listener = fake_listen(path); /* one socket for its life: that is how a guest is known again */
    q->conn = q->passed_fd = q->migration_fd = -1;
    q->input = g_string_new(NULL);
    q->nodes = g_ptr_array_new_with_free_func(fake_node_free);
    q->jobs = g_ptr_array_new_with_free_func(fake_job_free);
    q->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, fake_close_fd);
    q->log = g_ptr_array_new_with_free_func(g_free);
    q->drives = g_new0(char *, kind->n_drives + 1);
    q->is_running = !kind->is_paused;
    q->bandwidth = 134217728;
    q->downtime = 300;
    q->migration = "none";
    for (unsigned i = 0; i < kind->n_drives; i++) {
        q->drives[i] = g_strdup_printf("disk%u", i);
        fake_add_node(q, q->drives[i], "raw", FAKE_DRIVE_SIZE);
    }
    return q;
}

static void fake_free(struct fake_qemu *q)
{
    if (!q->is_dead)
        close(q->listener);
    g_ptr_array_unref(q->nodes);
    g_ptr_array_unref(q->jobs);
    g_hash_table_unref(q->fds);
    g_ptr_array_unref(q->log);
    g_string_free(q->input, TRUE);
    g_strfreev(q->drives);
    g_free(q->violation);
    g_free(q->path);
    g_free(q);
}

/* What of a run is in it still, NULL if nothing is. */
static char *fake_left(struct fake_qemu *q)
{
    GString *s = g_string_new(NULL);
    GHashTableIter iter;
    gpointer key;

    for (unsigned i = 0; i < q->jobs->len; i++)
        g_string_append_printf(s, " job %s", ((struct fake_job *)g_ptr_array_index(q->jobs, i))->id);
    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *n = g_ptr_array_index(q->nodes, i);
        if (g_str_has_prefix(n->name, "vmb-"))
            g_string_append_printf(s, " node %s", n->name);
    }
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        if (!g_str_has_prefix(q->drives[i], "disk"))
            g_string_append_printf(s, " device %u on %s", i, q->drives[i]);
    g_hash_table_iter_init(&iter, q->fds);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_string_append_printf(s, " descriptor %s", (const char *)key);
    if (q->is_running == q->kind.is_paused)
        g_string_append(s, q->is_running ? " guest resumed" : " guest stands still");
    if (q->has_events || q->has_snapshot)
        g_string_append(s, " capabilities");
    if (q->bandwidth != 134217728 || q->downtime != 300)
        g_string_append(s, " migration parameters");
    if (strcmp(q->migration, "active") == 0)
        g_string_append(s, " migration");
    if (q->has_nbd_server)
        g_string_append(s, " NBD server");
    return g_string_free(s, s->len == 0);
}

static void fake_violate(struct fake_qemu *q, const char *what)
{
    if (!q->violation)
        q->violation = g_strdup(what);
}

/* --- talking ------------------------------------------------------------------------------------ */

static void fake_say(struct fake_qemu *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void fake_say(struct fake_qemu *q, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    for (size_t done = 0; q->conn >= 0 && done < strlen(text);) {
        ssize_t n = send(q->conn, text + done, strlen(text) - done, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        done += n;
    }
}

static void fake_event(struct fake_qemu *q, const char *name, const char *data)
{
    fake_say(q, "{\"timestamp\":{\"seconds\":1,\"microseconds\":1},\"event\":\"%s\",\"data\":%s}\r\n", name, data);
}

static const char *text_of(json_object *o, const char *key)
{
    json_object *value = NULL;

    return o && json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : NULL;
}

static json_object *object_of(json_object *o, const char *key)
{
    json_object *value = NULL;

    return o && json_object_object_get_ex(o, key, &value) ? value : NULL;
}

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
    fake_event(q, is_running ? "RESUME" : "STOP", "{}");
}

/* Old content of a drive's first cluster, before the guest overwrites it. */
static void fake_guest_writes(struct fake_qemu *q)
{
    uint8_t old[FAKE_CLUSTER] = {0};

    for (unsigned i = 0; i < q->kind.n_drives; i++) {
        struct fake_node *filter = fake_node(q, q->drives[i]);
        struct fake_node *target = filter ? fake_node(q, filter->target) : NULL;
        if (target && target->nbd && nbd_pwrite(target->nbd, old, sizeof old, 0, 0) == 0 &&
            nbd_pread(target->nbd, old, sizeof old, 0, 0) < 0 && q->fault.kind < FAULT_TOLD)
            fake_violate(q, "what the filter has sent cannot be read back");
        memset(old, 0, sizeof old);
    }
}

static void fake_cont(struct fake_qemu *q)
{
    q->is_inactive = false;
    fake_set_running(q, true);
    fake_guest_writes(q);
    q->is_frozen = false;
}

static const char *fake_migrate(struct fake_qemu *q, const char *uri)
{
    static const char page[4096];
    gpointer fd, name;

    if (!g_str_has_prefix(uri, "fd:") || !g_hash_table_steal_extended(q->fds, uri + 3, &name, &fd))
        return "no such descriptor";
    g_free(name);
    q->migration_fd = GPOINTER_TO_INT(fd);
    q->is_background = q->has_snapshot;
    q->is_frozen = q->is_frozen && !q->is_background;
    q->migration = "active";
    for (unsigned i = 0; i < FAKE_RAM_BYTES / sizeof page; i++)
        if (send(q->migration_fd, page, sizeof page, MSG_NOSIGNAL) < 0)
            fake_end_stream(q, "failed");
    if (q->is_background && q->is_running)
        fake_violate(q, "a background snapshot of a guest that runs is not of the drives' instant");
    if (q->is_background || strcmp(q->migration, "active") != 0)
        return NULL;
    for (unsigned i = 0; i < q->nodes->len; i++)
        if (strcmp(((struct fake_node *)g_ptr_array_index(q->nodes, i))->driver, "copy-before-write") == 0)
            fake_violate(q, "a plain migration cannot end while filters stand");
    fake_set_running(q, false);
    q->is_inactive = true;
    fake_end_stream(q, "completed");
    return NULL;
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
    const char *fdname = text_of(object_of(args, "server"), "str");
    struct nbd_handle *nbd = nbd_create();
    struct fake_node *n;
    gpointer fd, name;

    if (!fdname || !g_hash_table_steal_extended(q->fds, fdname, &name, &fd)) {
        nbd_close(nbd);
        return "no such descriptor";
    }
    g_free(name);
    nbd_set_export_name(nbd, text_of(args, "export"));
    if (nbd_connect_socket(nbd, GPOINTER_TO_INT(fd)) < 0) {
        nbd_close(nbd);
        return "Requested export not available";
    }
    n = fake_add_node(q, text_of(args, "node-name"), "nbd", nbd_get_size(nbd));
    n->nbd = nbd;
    return NULL;
}

static const char *fake_add(struct fake_qemu *q, json_object *args)
{
    const char *driver = text_of(args, "driver"), *name = text_of(args, "node-name");
    struct fake_node *file = fake_node(q, text_of(args, "file")), *n;

    if (fake_node(q, name))
        return "Duplicate nodes with node-name";
    if (strcmp(driver, "nbd") == 0)
        return fake_add_nbd(q, args);
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
    n->file = g_strdup(text_of(args, "file"));
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
        if (strcmp(j->status, "running") == 0 && (strcmp(j->device, name) == 0 || strcmp(j->target, name) == 0))
            return true;
    }
    return false;
}

static const char *fake_del(struct fake_qemu *q, const char *name)
{
    struct fake_node *n = fake_node(q, name);

    if (!n)
        return "Failed to find node with node-name";
    if (fake_is_used(q, name))
        return "Node is in use";
    g_ptr_array_remove(q->nodes, n);
    return NULL;
}

static const char *fake_set_drive(struct fake_qemu *q, const char *qdev, const char *node)
{
    unsigned i = g_ascii_strtoull(qdev + strlen("/machine/peripheral/dev"), NULL, 10);

    if (q->kind.refuses_filters)
        return "Property 'drive' cannot be set";
    if (!fake_node(q, node))
        return "Cannot find device nor node-name";
    if (strcmp(q->drives[i], node) == 0)
        fake_violate(q, "setting the node that a device has already");
    g_free(q->drives[i]);
    q->drives[i] = g_strdup(node);
    return NULL;
}

static void fake_conclude(struct fake_qemu *q, struct fake_job *j, const char *error)
{
    g_autofree char *data = g_strdup_printf("{\"status\":\"concluded\",\"id\":\"%s\"}", j->id);

    j->status = "concluded";
    j->error = error;
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

static void fake_run_job(struct fake_qemu *q, struct fake_job *j)
{
    uint8_t data[FAKE_CLUSTER];
    struct fake_node *target = fake_node(q, j->target);
    const char *error = NULL;

    for (uint64_t at = 0; at < FAKE_DRIVE_SIZE && !error; at += FAKE_CLUSTER) {
        memset(data, 1 + 16 * fake_drive_of(q, j->device) + at / FAKE_CLUSTER, sizeof data);
        if (nbd_pwrite(target->nbd, data, MIN(FAKE_CLUSTER, FAKE_DRIVE_SIZE - at), at, 0) < 0)
            error = "Input/output error";
    }
    fake_conclude(q, j, error);
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
    g_ptr_array_add(q->jobs, j);
    *started = q->kind.holds_jobs ? NULL : j;
    return NULL;
}

static const char *fake_cancel(struct fake_qemu *q, const char *id)
{
    struct fake_job *j = fake_job(q, id);

    if (!j)
        return "Job not found";
    if (strcmp(j->status, "concluded") == 0)
        return "Job in state 'concluded' cannot accept command verb 'cancel'";
    fake_conclude(q, j, "Operation canceled");
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

/* --- answers ------------------------------------------------------------------------------------ */

static char *fake_list_drives(struct fake_qemu *q)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->kind.n_drives; i++)
        g_string_append_printf(s,
                               "%s{\"device\":\"\",\"qdev\":\"/machine/peripheral/dev%u/x\",\"removable\":false,"
                               "\"inserted\":{\"node-name\":\"%s\",\"drv\":\"raw\",\"ro\":false,"
                               "\"image\":{\"virtual-size\":%u,\"actual-size\":%u}}}",
                               i ? "," : "", i, q->drives[i], FAKE_DRIVE_SIZE, FAKE_DRIVE_SIZE);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_list_nodes(struct fake_qemu *q)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *n = g_ptr_array_index(q->nodes, i);
        g_string_append_printf(s, "%s{\"node-name\":\"%s\",\"drv\":\"%s\",\"image\":{\"virtual-size\":%" G_GUINT64_FORMAT "}}",
                               i ? "," : "", n->name, n->driver, n->size);
    }
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_list_jobs(struct fake_qemu *q, bool is_block)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->jobs->len; i++) {
        const struct fake_job *j = g_ptr_array_index(q->jobs, i);
        g_string_append(s, i ? "," : "");
        if (is_block)
            g_string_append_printf(s, "{\"device\":\"%s\",\"speed\":0,\"paused\":false}", j->id);
        else
            g_string_append_printf(s, "{\"id\":\"%s\",\"type\":\"backup\",\"status\":\"%s\"%s%s%s}", j->id, j->status,
                                   j->error ? ",\"error\":\"" : "", j->error ? j->error : "", j->error ? "\"" : "");
    }
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_answer(struct fake_qemu *q, const char *command)
{
    if (strcmp(command, "query-version") == 0)
        return g_strdup_printf("{\"qemu\":{\"major\":%d,\"minor\":2,\"micro\":0},\"package\":\"\"}", q->kind.major);
    if (strcmp(command, "query-name") == 0)
        return g_strdup("{\"name\":\"fake\"}");
    if (strcmp(command, "query-status") == 0)
        return g_strdup_printf("{\"status\":\"%s\",\"running\":%s}", q->is_running ? "running" : "paused",
                               q->is_running ? "true" : "false");
    if (strcmp(command, "query-commands") == 0)
        return g_strdup(q->kind.major >= 10 ? "[{\"name\":\"blockdev-set-active\"}]" : "[{\"name\":\"quit\"}]");
    if (strcmp(command, "query-memory-size-summary") == 0)
        return g_strdup("{\"base-memory\":1048576}");
    if (strcmp(command, "query-migrate-capabilities") == 0)
        return g_strdup_printf("[{\"capability\":\"events\",\"state\":%s},{\"capability\":\"background-snapshot\",\"state\":%s}]",
                               q->has_events ? "true" : "false", q->has_snapshot ? "true" : "false");
    if (strcmp(command, "query-migrate-parameters") == 0)
        return g_strdup_printf("{\"max-bandwidth\":%" G_GINT64_FORMAT ",\"downtime-limit\":%" G_GINT64_FORMAT "}",
                               q->bandwidth, q->downtime);
    if (q->is_background && strcmp(command, "query-migrate") == 0 && strcmp(q->migration, "active") == 0 &&
        ++q->n_looks > 3)
        fake_end_stream(q, "completed");
    if (strcmp(command, "query-migrate") == 0)
        return strcmp(q->migration, "none") == 0
                   ? g_strdup("{}")
                   : g_strdup_printf("{\"status\":\"%s\",\"ram\":{\"total\":1048576,\"remaining\":0}}", q->migration);
    if (strcmp(command, "query-block") == 0)
        return fake_list_drives(q);
    if (strcmp(command, "query-named-block-nodes") == 0)
        return fake_list_nodes(q);
    if (strcmp(command, "query-jobs") == 0 || strcmp(command, "query-block-jobs") == 0)
        return fake_list_jobs(q, command[6] == 'b');
    if (strcmp(command, "qom-get") == 0)
        return g_strdup("\"fake-machine\"");
    return NULL;
}

/* Does it. Returns why not, NULL if it is done, "?" if there is no such command. */
static const char *fake_do(struct fake_qemu *q, const char *command, json_object *args, struct fake_job **started)
{
    if (strcmp(command, "qmp_capabilities") == 0)
        return NULL;
    if (strcmp(command, "getfd") == 0) {
        if (q->passed_fd < 0)
            return "No file descriptor supplied via SCM_RIGHTS";
        g_hash_table_replace(q->fds, g_strdup(text_of(args, "fdname")), GINT_TO_POINTER(q->passed_fd));
        q->passed_fd = -1;
        return NULL;
    }
    if (strcmp(command, "closefd") == 0)
        return g_hash_table_remove(q->fds, text_of(args, "fdname")) ? NULL : "File descriptor named not found";
    if (strcmp(command, "blockdev-add") == 0)
        return fake_add(q, args);
    if (strcmp(command, "blockdev-del") == 0)
        return fake_del(q, text_of(args, "node-name"));
    if (strcmp(command, "qom-set") == 0)
        return fake_set_drive(q, text_of(args, "path"), text_of(args, "value"));
    if (strcmp(command, "blockdev-backup") == 0)
        return fake_backup(q, args, started);
    if (strcmp(command, "job-cancel") == 0)
        return fake_cancel(q, text_of(args, "id"));
    if (strcmp(command, "job-dismiss") == 0)
        return fake_dismiss(q, text_of(args, "id"));
    if (strcmp(command, "stop") == 0) {
        q->is_frozen |= q->is_running;
        fake_set_running(q, false);
    } else if (strcmp(command, "cont") == 0)
        fake_cont(q);
    else if (strcmp(command, "migrate") == 0)
        return fake_migrate(q, text_of(args, "uri"));
    else if (strcmp(command, "migrate_cancel") == 0 && strcmp(q->migration, "active") == 0)
        fake_end_stream(q, "cancelled");
    else if (strcmp(command, "migrate-set-capabilities") == 0)
        return fake_set_capabilities(q, object_of(args, "capabilities"));
    else if (strcmp(command, "migrate-set-parameters") == 0)
        fake_set_params(q, args);
    else if (strcmp(command, "blockdev-set-active") == 0)
        q->is_inactive = false;
    else if (strcmp(command, "nbd-server-start") == 0) {
        if (!g_hash_table_remove(q->fds, text_of(object_of(object_of(args, "addr"), "data"), "str")))
            return "no such descriptor";
        q->has_nbd_server = true;
    } else if (strcmp(command, "nbd-server-stop") == 0)
        q->has_nbd_server = false;
    else if (strcmp(command, "block-export-add") == 0)
        q->is_inactive = false;
    else if (strcmp(command, "block-export-del") != 0 && strcmp(command, "migrate_cancel") != 0)
        return "?";
    return NULL;
}

static const char *subject_of(json_object *args)
{
    static const char *const keys[] = {"node-name", "fdname", "job-id", "id", "device", "path"};
    const char *subject = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(keys) && !subject; i++)
        subject = text_of(args, keys[i]);
    return subject ? subject : "";
}

/* Somebody else has a hand in it, too. The event comes before the answer. */
static void fake_interfere(struct fake_qemu *q, enum fault_kind kind)
{
    if (kind == FAULT_RESUMED && !q->is_running) {
        q->was_instant_broken = q->is_frozen;
        q->kind.is_paused = false;
        fake_set_running(q, true);
    } else if (kind == FAULT_PAUSED && q->is_running) {
        q->kind.is_paused = true;
        fake_set_running(q, false);
    } else if (kind == FAULT_SHUTDOWN) {
        fake_event(q, "SHUTDOWN", "{\"guest\":true,\"reason\":\"guest-shutdown\"}");
    }
}

static void fake_execute(struct fake_qemu *q, json_object *message, enum fault_kind kind)
{
    const char *command = text_of(message, "execute");
    json_object *args = object_of(message, "arguments");
    int64_t id = json_object_get_int64(object_of(message, "id"));
    g_autofree char *answer = fake_answer(q, command);
    struct fake_job *started = NULL;
    const char *why = answer ? NULL : fake_do(q, command, args, &started);

    fake_interfere(q, kind);
    if (kind == FAULT_HANGUP_AFTER || kind == FAULT_SILENT_AFTER || kind == FAULT_TOLD_AND_LOST)
        ;
    else if (why)
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"error\":{\"class\":\"%s\",\"desc\":\"%s\"}}\r\n", id,
                 *why == '?' ? "CommandNotFound" : strstr(why, "not found") ? "DeviceNotActive" : "GenericError", why);
    else
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"return\":%s}\r\n", id, answer ? answer : "{}");
    if (started)
        fake_run_job(q, started);
}

static void fake_die(struct fake_qemu *q)
{
    q->is_dead = true;
    for (unsigned i = 0; i < q->nodes->len; i++) { /* no goodbye */
        struct fake_node *n = g_ptr_array_index(q->nodes, i);
        nbd_close(g_steal_pointer(&n->nbd));
    }
    g_ptr_array_set_size(q->nodes, 0);
    g_ptr_array_set_size(q->jobs, 0);
    g_hash_table_remove_all(q->fds);
    fake_end_stream(q, "failed");
}

static void fake_take(struct fake_qemu *q, json_object *message)
{
    const char *command = text_of(message, "execute");
    enum fault_kind kind = FAULT_NONE;

    g_ptr_array_add(q->log, g_strdup_printf("%s %s", command, subject_of(object_of(message, "arguments"))));
    if (g_strcmp0(q->fault.command, command) == 0 && ++q->n_seen == q->fault.nth)
        kind = q->fault.kind;
    if (kind == FAULT_TOLD || kind == FAULT_TOLD_AND_LOST)
        q->on_fault(q->user);
    if (kind == FAULT_ERROR)
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"error\":{\"class\":\"GenericError\",\"desc\":\"not today\"}}\r\n",
                 json_object_get_int64(object_of(message, "id")));
    else if (kind == FAULT_DEATH)
        fake_die(q);
    else if (kind != FAULT_HANGUP_BEFORE && kind != FAULT_SILENT_BEFORE)
        fake_execute(q, message, kind);
    q->hangs_up = kind == FAULT_HANGUP_BEFORE || kind == FAULT_HANGUP_AFTER || kind == FAULT_TOLD_AND_LOST;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void fake_hang_up(struct fake_qemu *q)
{
    if (q->conn >= 0)
        close(q->conn);
    if (q->passed_fd >= 0)
        close(q->passed_fd);
    q->conn = q->passed_fd = -1;
    q->hangs_up = false;
    g_string_truncate(q->input, 0);
}

static bool fake_receive(struct fake_qemu *q)
{
    char bytes[4096];
    struct iovec iov = {bytes, sizeof bytes};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(q->conn, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (n <= 0)
        return false;
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(&q->passed_fd, CMSG_DATA(c), sizeof q->passed_fd);
    g_string_append_len(q->input, bytes, n);
    return true;
}

static void fake_serve(struct fake_qemu *q)
{
    char *end;

    if (!fake_receive(q)) {
        fake_hang_up(q);
        return;
    }
    while (!q->is_dead && !q->hangs_up && (end = strchr(q->input->str, '\n'))) {
        *end = '\0';
        json_object *message = json_tokener_parse(q->input->str);
        g_assert_nonnull(message);
        fake_take(q, message);
        json_object_put(message);
        g_string_erase(q->input, 0, end - q->input->str + 1);
    }
    if (q->hangs_up)
        fake_hang_up(q);
}

static gpointer fake_main(gpointer data)
{
    struct fake_qemu *q = data;

    while (!q->is_dead) {
        struct pollfd fds[] = {{q->wake[0], POLLIN, 0}, {q->conn >= 0 ? q->conn : q->listener, POLLIN, 0}};
        poll(fds, G_N_ELEMENTS(fds), -1);
        if (fds[0].revents)
            break;
        if (!fds[1].revents)
            continue;
        if (q->conn >= 0) {
            fake_serve(q);
            continue;
        }
        q->conn = accept4(q->listener, NULL, NULL, SOCK_CLOEXEC);
        fake_say(q, "{\"QMP\":{\"version\":{\"qemu\":{\"major\":%d,\"minor\":2,\"micro\":0},\"package\":\"\"},"
                    "\"capabilities\":[]}}\r\n", q->kind.major);
    }
    fake_hang_up(q);
    if (q->is_dead) {
        close(q->listener);
        unlink(q->path);
    }
    return NULL;
}

static void fake_start(struct fake_qemu *q)
{
    g_assert_cmpint(pipe(q->wake), ==, 0);
    q->thread = g_thread_new("qemu", fake_main, q);
}

static void fake_stop(struct fake_qemu *q)
{
    g_assert_cmpint(write(q->wake[1], "x", 1), ==, 1);
    g_thread_join(q->thread);
    close(q->wake[0]);
    close(q->wake[1]);
}
