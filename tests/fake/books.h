// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The fake QEMU's books: what it is told to be, what is in it and what a run has left there. See fake/qemu.h, which
 * makes it live; what commands do to it: fake/acts.h.
 *
 *     struct fake_node *n = fake_node(q, "disk0");             // NULL: there is none
 *     fake_each (struct fake_job, j, q->jobs) …
 *     g_autofree char *left = fake_left(q);                    // NULL: nothing of a run
 */
#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_RAM_BYTES  (200u << 10) /* of the stream */
#define FAKE_DRIVE_SIZE (7 * 65536u + 512)
#define FAKE_CLUSTER    65536u
#define FAKE_CLUSTERS   8u /* of a drive; the last one is short */
#define FAKE_DRIVES     8u /* at most */
#define FAKE_FOR_EVER   UINT32_MAX

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
    bool has_no_vhost;    /* it was built without vhost-user-blk exports */
    bool has_iothread;    /* the first drive's */
    bool is_lively;       /* jobs move by a cluster now and then, and a guest that runs writes meanwhile */
};
/* How often each cluster of a drive was written: what tells its content. */
struct fake_content {
    uint8_t writes[FAKE_CLUSTERS];
};

struct fake_node {
    const char *name, *driver, *file, *target; /* of fake_keep(), as are those below */
    struct nbd_handle *nbd;
    uint64_t size;
    struct fake_content frozen;   /* of a filter: the drive when it was put in, */
    bool has_sent[FAKE_CLUSTERS]; /* what of it was sent since, */
    bool is_broken;               /* and that something could not be */
};
struct fake_export {
    const char *id, *node;
    struct fake_vhost *vhost; /* NULL: not of this type */
    struct fake_map *map;     /* of an NBD export that somebody is connected to */
};
/* What an export does instead of serving a front end truly. */
enum fake_lie {
    LIE_NONE,
    LIE_ID,       /* another read has ended, which nobody asked for */
    LIE_TWICE,    /* each read ends twice */
    LIE_STATUS,   /* a read has a status that no read has */
    LIE_COUNT,    /* more reads have ended than were asked for */
    LIE_LENGTH,   /* a read is shorter than it says */
    LIE_CHATTER,  /* it sends what nobody has asked for */
    LIE_CLOSES,   /* it ends the connection */
    LIE_CAPACITY, /* it has another size */
    LIE_SILENT,   /* it never answers */
    LIE_KINDS,
};
struct fake_job {
    const char *id, *device, *target;
    const char *status, *error;
    uint64_t at; /* next */
    int64_t speed;
    bool is_paused;
};

struct fake_qemu {
    struct fake_kind kind;
    struct fake_fault fault;
    void (*on_fault)(void *user);              /* from its thread */
    void (*on_moment)(void *user, unsigned n); /* likewise: before each command, and each cluster of a lively one */
    void *user;
    char *path;
    GThread *thread;
    int listener, conn, wake[2];
    GString *input;
    GStringChunk *names;
    int passed_fd;
    int n_hung_up;       /* connections that have ended; atomic */
    unsigned n_seen;     /* of the fault's command */
    int64_t late_id;     /* whose answer is still to come */
    unsigned late_after; /* so many commands */
    bool is_dead, hangs_up, is_mute;

    struct fake_content contents[FAKE_DRIVES], instants[FAKE_DRIVES]; /* now; when its latest filter was put in */
    unsigned n_bad_reads[FAKE_DRIVES], bad_cluster[FAKE_DRIVES];      /* reads fail there, so often; FAKE_FOR_EVER */
    enum fake_lie lie;                                                /* of the first drive's exports, */
    unsigned n_lies;                                                  /* so many of them */
    bool is_told_zero[FAKE_DRIVES][FAKE_CLUSTERS];                    /* by an NBD export of the latest instant; */
    unsigned n_zero_reads;                                            /* and was read all the same */
    unsigned n_moments;

    GPtrArray *nodes;                /* struct fake_node */
    GPtrArray *jobs;                 /* struct fake_job */
    GPtrArray *exports;              /* struct fake_export */
    const char *command;             /* the one that it is at, */
    char *answer;                    /* to it, NULL: {}, */
    struct fake_job *started;        /* and by it: it runs when that is answered, */
    const char *deleted;             /* or that export is gone then */
    char **drives;                   /* the node of each device */
    GHashTable *fds;                 /* name -> fd, */
    GHashTable *sets;                /* and what the set of add-fd is called -> fd */
    const char *state;               /* while it does not run */
    unsigned n_copied;               /* jobs that ended well */
    bool has_left, was_instant_left; /* to run elsewhere; and its drives had not been copied by then */
    bool is_running, is_inactive, has_events, has_snapshot, has_nbd_server, has_others_server;
    int nbd_listener; /* of that; -1 */
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

/* Each x of a GPtrArray of such; ends with the change of that array. */
#define fake_each(type, x, array)                                                                                      \
    for (type **x##_at = (type **)(array)->pdata, *x;                                                                  \
         (array)->len && x##_at < (type **)(array)->pdata + (array)->len && (x = *x##_at); x##_at++)

/* Its monitor is bound to path at once, but nobody answers before fake_start(). */
struct fake_qemu *fake_new(const char *path, const struct fake_kind *kind);
void fake_free(struct fake_qemu *q);

/* The same text, as long as q lives; NULL of NULL. */
const char *fake_keep(struct fake_qemu *q, const char *name);
/* By name, NULL also of NULL; NULL: there is none. */
struct fake_node *fake_node(struct fake_qemu *q, const char *name);
struct fake_job *fake_job(struct fake_qemu *q, const char *id);
struct fake_export *fake_export(struct fake_qemu *q, const char *id);
struct fake_node *fake_add_node(struct fake_qemu *q, const char *name, const char *driver, uint64_t size);

/* What of a run is in it still, each with a space before; NULL if nothing is. */
char *fake_left(struct fake_qemu *q);
/* Only the first is kept. */
void fake_violate(struct fake_qemu *q, const char *what);

/* A line to whoever is connected to its monitor, if anybody is; an event with that data, an object in JSON. */
void fake_say(struct fake_qemu *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
void fake_event(struct fake_qemu *q, const char *name, const char *data);

/* A command's arguments; NULL: it is not there, or o is NULL. */
const char *fake_text(json_object *o, const char *key);
json_object *fake_object(json_object *o, const char *key);
