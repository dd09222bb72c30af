// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The fake QEMU's books: what is in it, what is left in it, and how it talks. See fake/qemu.h. */
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
#include "fake/agent.h"

#define FAKE_RAM_BYTES  (200u << 10) /* of the stream */
#define FAKE_DRIVE_SIZE (7 * 65536u + 512)
#define FAKE_CLUSTER    65536u
#define FAKE_CLUSTERS   8u /* of a drive; the last one is short */
#define FAKE_DRIVES     8u /* at most */

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
    FAULT_PANICKED,      /* the guest panics right before, if it runs; then done */
    FAULT_MIGRATED,      /* somebody migrates it away right before, if nothing else moves; then done */
    FAULT_KINDS,         /* of a sweep */
    FAULT_SNAPSHOT,      /* somebody takes a snapshot of the first drive right before; then done */
    FAULT_MUTE,          /* nothing is done or answered from here on: a disk hangs */
    FAULT_LATE,          /* done, but refused after a few other commands: a deadline that ends late */
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
    const char *state;    /* … or by itself, in this state; NULL = "paused" */
    bool blocks_ram;      /* query-migrate says so */
    bool refuses_ram;     /* only migrate says so */
    bool may_not_reopen;  /* images for writing: neither by blockdev-add nor by cont after a migration */
    bool no_snapshot;     /* background-snapshot is refused */
    bool refuses_filters; /* qom-set fails */
    bool hangs_disks;     /* what jobs have in flight does not come back */
    bool holds_jobs;      /* they go on until they are cancelled */
    bool has_mirror;      /* of somebody else's, on the first drive, */
    bool mirrors_late;    /* from the first stop on */
    bool has_agent;       /* one answers at PATH.agent while the guest runs */
    bool fails_stopped;   /* a plain migration fails, and QEMU cannot let the guest go on */
    unsigned passes_ms;   /* after a plain migration its state is "finish-migrate" for so long */
    bool never_converges; /* a plain migration goes on until it is cancelled */
    bool is_lively;       /* jobs move by a cluster now and then, and a guest that runs writes meanwhile */
};
/* How often each cluster of a drive was written: what tells its content. */
struct fake_content {
    uint8_t writes[FAKE_CLUSTERS];
};

struct fake_node {
    char *name, *driver, *file, *target;
    struct nbd_handle *nbd;
    uint64_t size;
    struct fake_content frozen;   /* of a filter: the drive when it was put in, */
    bool has_sent[FAKE_CLUSTERS]; /* what of it was sent since, */
    bool is_broken;               /* and that something could not be */
};
struct fake_export {
    char *id, *node;
};
struct fake_job {
    char *id, *device, *target;
    const char *status, *error;
    uint64_t at; /* next */
    int64_t speed;
    bool is_paused;
};

struct fake_qemu {
    struct fake_kind kind;
    struct fake_fault fault;
    void (*on_fault)(void *user);              /* from this thread */
    void (*on_moment)(void *user, unsigned n); /* likewise: before each command, and each cluster of a lively one */
    void *user;
    char *path;
    GThread *thread;
    int listener, conn, wake[2];
    GString *input;
    int passed_fd;
    int n_hung_up;       /* connections that have ended; atomic */
    unsigned n_seen;     /* of the fault's command */
    int64_t late_id;     /* whose answer is still to come */
    unsigned late_after; /* so many commands */
    bool is_dead, hangs_up, is_mute;

    struct fake_content contents[FAKE_DRIVES], instants[FAKE_DRIVES]; /* now; when its latest filter was put in */
    unsigned n_bad_reads[FAKE_DRIVES], bad_cluster[FAKE_DRIVES];      /* a job fails there, so often */
    unsigned n_moments;

    GPtrArray *nodes;                /* struct fake_node */
    GPtrArray *jobs;                 /* struct fake_job */
    GPtrArray *exports;              /* struct fake_export */
    char **drives;                   /* the node of each device */
    GHashTable *fds;                 /* name, or what the set of add-fd is called -> fd */
    const char *state;               /* while it does not run */
    unsigned n_copied;               /* jobs that ended well */
    bool has_left, was_instant_left; /* to run elsewhere; and its drives had not been copied by then */
    bool is_running, is_inactive, has_events, has_snapshot, has_nbd_server;
    int64_t bandwidth, downtime;
    const char *migration;
    int migration_fd;
    gint64 passed_us; /* of the monotonic clock: from then on its state is "postmigrate" */
    bool is_background;
    unsigned n_looks;         /* at a background snapshot */
    bool is_frozen;           /* stopped by the command, neither migrating nor resumed yet */
    bool was_instant_broken;  /* somebody resumed it then */
    struct fake_agent *agent; /* NULL: the guest has none */

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

static void fake_export_free(gpointer data)
{
    struct fake_export *e = data;

    g_free(e->id);
    g_free(e->node);
    g_free(e);
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
    q->exports = g_ptr_array_new_with_free_func(fake_export_free);
    q->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, fake_close_fd);
    q->log = g_ptr_array_new_with_free_func(g_free);
    q->drives = g_new0(char *, kind->n_drives + 1);
    q->is_running = !kind->is_paused;
    q->state = kind->state ? kind->state : "paused";
    if (kind->has_agent) {
        g_autofree char *agent = g_strconcat(path, ".agent", NULL);
        q->agent = fake_agent_new(agent, fake_listen(agent));
        q->agent->is_guest_running = q->is_running;
    }
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
    g_ptr_array_unref(q->exports);
    g_hash_table_unref(q->fds);
    g_ptr_array_unref(q->log);
    g_string_free(q->input, TRUE);
    g_strfreev(q->drives);
    fake_agent_free(q->agent);
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
    for (unsigned i = 0; i < q->exports->len; i++)
        g_string_append_printf(s, " export %s", ((struct fake_export *)g_ptr_array_index(q->exports, i))->id);
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
    if (q->kind.is_paused && q->kind.state && !q->is_running && strcmp(q->state, q->kind.state) != 0 &&
        strcmp(q->state, "postmigrate") != 0) /* it may have panicked as a plain migration began */
        g_string_append_printf(s, " guest is %s", q->state);
    if (q->has_events || q->has_snapshot)
        g_string_append(s, " capabilities");
    if (q->bandwidth != 134217728 || q->downtime != 300)
        g_string_append(s, " migration parameters");
    if (strcmp(q->migration, "active") == 0)
        g_string_append(s, " migration");
    if (q->has_nbd_server)
        g_string_append(s, " NBD server");
    if (q->agent && q->is_running && g_atomic_int_get(&q->agent->is_frozen)) /* else it cannot be thawed */
        g_string_append(s, " frozen file systems");
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
