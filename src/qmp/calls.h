// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One typed function per QMP command we use. Each sends at once and calls `done` from the loop exactly
 * once (unless qmp_close() comes first): with error NULL on success, else error says why (QMP_ERROR).
 * Results are borrowed: valid only inside the callback. Their strings are QEMU's own, fit to be given back
 * to it; make them safe (base/text.h) before showing them. The messages of errors are safe.
 * What each command is for: the recipes in docs/architecture.md.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/client_uv.h"

typedef void (*qmp_done)(void *user, const GError *error);
/* One text, NULL when there is none (no error then). */
typedef void (*qmp_on_text)(void *user, const char *text, const GError *error);

/* Several, borrowed. */
typedef void (*qmp_on_texts)(void *user, const char *const *texts, unsigned n, const GError *error);

/* --- what is there ----------------------------------------------------------------------------- */
struct qmp_version {
    int major, minor, micro;
};
typedef void (*qmp_on_version)(void *user, const struct qmp_version *v, const GError *error);
void qmp_query_version(struct qmp *q, qmp_on_version done, void *user);

/* query-name (guest name, NULL if none) */
void qmp_query_name(struct qmp *q, qmp_on_text done, void *user);

struct qmp_status {
    const char *status;
    bool is_running;
};
typedef void (*qmp_on_status)(void *user, const struct qmp_status *s, const GError *error);
void qmp_query_status(struct qmp *q, qmp_on_status done, void *user);

/* query-block. A drive without medium has has_medium false and NULL strings. Missing strings are NULL. */
struct qmp_drive {
    const char *device, *qdev, *node_name, *format /* "drv" */, *file /* filename, may be json: */;
    const char *backing; /* the same of the image below it; NULL: there is none */
    bool is_removable, has_medium, is_read_only, is_attached /* has a qdev */;
    bool has_data_file;    /* a qcow2 whose data lies in another file */
    bool has_snapshots;    /* of its own, by savevm or qemu-img */
    bool is_encrypted;     /* the image, or one that it builds on: what QEMU reads from it is not */
    uint64_t virtual_size; /* bytes */
    uint64_t actual_size;  /* allocated bytes, UINT64_MAX if unknown */
};
typedef void (*qmp_on_drives)(void *user, const struct qmp_drive *drives, unsigned n, const GError *error);
void qmp_query_block(struct qmp *q, qmp_on_drives done, void *user);

/* query-named-block-nodes {"flat":true}; while a block-stream is there only their names, by
 * x-debug-query-block-graph: the list would make QEMU crash if the stream has just ended */
struct qmp_node {
    const char *node_name, *format, *file;
    bool is_read_only, is_only_named /* nothing else is known of it */;
    uint64_t virtual_size;
};
typedef void (*qmp_on_nodes)(void *user, const struct qmp_node *nodes, unsigned n, const GError *error);
void qmp_query_nodes(struct qmp *q, qmp_on_nodes done, void *user);

/* Every named dirty bitmap, as that list has them; QEMU's own have no names. While a block-stream is there nobody
 * knows: an error of QMP_ERROR_COMMAND. */
struct qmp_bitmap {
    const char *node_name, *name;
    const char *format, *file, *backing; /* of the node, as in struct qmp_drive */
    uint64_t granularity, count;         /* bytes; count: of what is dirty, in whole granules */
    bool is_recording, is_busy, is_inconsistent, is_persistent;
    bool is_read_only; /* as a backing image is: it cannot be removed */
};
typedef void (*qmp_on_bitmaps)(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error);
void qmp_query_bitmaps(struct qmp *q, qmp_on_bitmaps done, void *user);

/* query-jobs and query-block-jobs, joined by id. Speed and paused only for block jobs, and zero for one that ended
 * between the two answers. */
struct qmp_job {
    const char *id, *type, *status, *error /* NULL = none */;
    int64_t current, total, speed;
    bool is_paused;
};
typedef void (*qmp_on_jobs)(void *user, const struct qmp_job *jobs, unsigned n, const GError *error);
void qmp_query_jobs(struct qmp *q, qmp_on_jobs done, void *user);

struct qmp_export {
    const char *id, *type, *node_name;
    bool is_shutting_down;
};
typedef void (*qmp_on_exports)(void *user, const struct qmp_export *exports, unsigned n, const GError *error);
void qmp_query_exports(struct qmp *q, qmp_on_exports done, void *user);

/* How long writes took, where somebody has asked QEMU to count that (block-latency-histogram-set); bin i holds those of
 * at least boundary_ns[i - 1] and less than boundary_ns[i], the last one those above. */
#define QMP_MAX_BINS 64
struct qmp_histogram {
    unsigned n_bins; /* 0 = none is kept, or not one that we understand */
    uint64_t boundary_ns[QMP_MAX_BINS - 1], bin[QMP_MAX_BINS];
};

/* query-blockstats per device with a qdev/node: totals since QEMU's start */
struct qmp_blockstat {
    const char *device, *qdev, *node_name;
    uint64_t wr_operations, wr_total_time_ns;
    struct qmp_histogram wr_latency;
};
typedef void (*qmp_on_blockstats)(void *user, const struct qmp_blockstat *stats, unsigned n, const GError *error);
void qmp_query_blockstats(struct qmp *q, qmp_on_blockstats done, void *user);

/* query-chardev: the "filename" of each, "unix:PATH,server=on" among others; NULL where it has none. */
void qmp_query_chardevs(struct qmp *q, qmp_on_texts done, void *user);

/* query-memory-size-summary: base + plugged memory, bytes */
typedef void (*qmp_on_bytes)(void *user, uint64_t bytes, const GError *error);
void qmp_query_memory(struct qmp *q, qmp_on_bytes done, void *user);

/* query-commands: is this command known? (also tells blockdev-set-active) */
typedef void (*qmp_on_answer)(void *user, bool has, const GError *error);
void qmp_has_command(struct qmp *q, const char *command, qmp_on_answer done, void *user);

/* query-iothreads: has the guest any? */
void qmp_has_iothreads(struct qmp *q, qmp_on_answer done, void *user);
/* Does the device at this path of QOM work in one? True also where nobody knows. */
void qmp_is_in_iothread(struct qmp *q, const char *device, qmp_on_answer done, void *user);

/* query-tpm, qom-list of /machine/peripheral and peripheral-anon, the firmware, and what blocks a migration:
 * all that no archive can hold, as one-line sentences, safe to print: "TPM tpm0: its state is not saved". */
void qmp_query_unsavable(struct qmp *q, qmp_on_texts done, void *user);

/* qom-get of a string property; machine type: path "/machine", property "type" */
void qmp_qom_get_string(struct qmp *q, const char *path, const char *property, qmp_on_text done, void *user);
void qmp_qom_get_flag(struct qmp *q, const char *path, const char *property, qmp_on_answer done, void *user);

/*
 * Who stands on what: x-debug-query-block-graph, and the nodes' drivers by query-named-block-nodes. A QEMU that has no
 * such command tells from 10.1 on of each node's children at least: then no devices and jobs are among the vertices
 * (knows_users is false). Errors only where neither answers.
 */
enum qmp_vertex_kind { QMP_VERTEX_NODE, QMP_VERTEX_DEVICE /* a block backend, whosever */, QMP_VERTEX_JOB };
struct qmp_vertex {
    enum qmp_vertex_kind kind;
    const char *name;   /* of a device: its drive's id, else its qdev; "" for a backend that is nobody's; never NULL */
    const char *driver; /* of a node, NULL if unknown */
};
struct qmp_edge {
    unsigned parent, child; /* of vertices */
    const char *name;       /* "file", "backing", "root", "source", …; never NULL */
};
struct qmp_graph {
    const struct qmp_vertex *vertices;
    const struct qmp_edge *edges;
    unsigned n_vertices, n_edges;
    bool knows_users;
};
typedef void (*qmp_on_graph)(void *user, const struct qmp_graph *graph, const GError *error);
void qmp_query_graph(struct qmp *q, qmp_on_graph done, void *user);

/* Names of the nodes whose devices hold them open (x-debug-query-block-graph): a migration that has ended has
 * let go of all, until something wakes them. */
void qmp_query_awake_nodes(struct qmp *q, qmp_on_texts done, void *user);

/* --- run state --------------------------------------------------------------------------------- */
void qmp_stop(struct qmp *q, qmp_done done, void *user);
void qmp_cont(struct qmp *q, qmp_done done, void *user);

/* --- descriptors and nodes --------------------------------------------------------------------- */
/* getfd: passes fd by SCM_RIGHTS under `name`; fd is closed here when sent (or failed). */
void qmp_getfd(struct qmp *q, const char *name, int fd, qmp_done done, void *user);
void qmp_closefd(struct qmp *q, const char *name, qmp_done done, void *user);
/* add-fd into a set of its own, which is called `opaque`: QEMU may open or connect to the file by /proc/self/fd/NUMBER
 * until remove-fd. fd is closed here when sent (or failed). */
typedef void (*qmp_on_fd)(void *user, int64_t set, int64_t number, const GError *error);
void qmp_add_fd(struct qmp *q, const char *opaque, int fd, qmp_on_fd done, void *user);
/* query-fdsets, and remove-fd of every set whose `opaque` begins so. */
void qmp_remove_fds_named(struct qmp *q, const char *prefix, qmp_done done, void *user);
/* blockdev-add driver nbd; server {"type":"unix","path":path} */
void qmp_add_nbd(struct qmp *q, const char *node, const char *path, const char *export, qmp_done done, void *user);
/* blockdev-add copy-before-write with on-cbw-error break-snapshot, cbw-timeout, discard unmap. is_apart: on a
 * node of its own over `file`, a blkdebug without a name that comes and goes with it and passes everything
 * on. */
void qmp_add_filter(struct qmp *q, const char *node, const char *file, bool is_apart, const char *target,
                    unsigned cbw_timeout_s, qmp_done done, void *user);
/* blockdev-add blkdebug without any rule, which passes everything on, and another one, `top`, over it. It is top that
 * is deleted: the other goes with it. */
void qmp_add_passing(struct qmp *q, const char *top, const char *node, const char *image, qmp_done done, void *user);
void qmp_add_snapshot_access(struct qmp *q, const char *node, const char *file, qmp_done done, void *user);
/* blockdev-add of a file, or of a device of the host (driver), to be written, without locks: may QEMU open it? */
void qmp_add_file(struct qmp *q, const char *node, const char *driver, const char *filename, qmp_done done, void *user);
void qmp_del_node(struct qmp *q, const char *node, qmp_done done, void *user);
/* qom-set path drive=node */
void qmp_set_drive(struct qmp *q, const char *qdev, const char *node, qmp_done done, void *user);
/* 10.0: blockdev-set-active {"active":true} for all */
void qmp_set_active(struct qmp *q, qmp_done done, void *user);
/* nbd-server-start on a listening socket passed before by getfd, or (fdname NULL) where QEMU is to make one itself */
void qmp_nbd_server_start(struct qmp *q, const char *fdname, const char *path, qmp_done done, void *user);
void qmp_nbd_server_stop(struct qmp *q, qmp_done done, void *user);
/* block-export-add type nbd, read-only; bitmap: of the node, to be shown with it, or NULL */
void qmp_export_add(struct qmp *q, const char *id, const char *node, const char *bitmap, qmp_done done, void *user);
/* block-export-add type vhost-user-blk, read-only, on a listening socket from qmp_getfd() */
void qmp_export_vhost(struct qmp *q, const char *id, const char *node, const char *fdname, qmp_done done, void *user);
/* Are there exports of type vhost-user-blk? By adding one to `nowhere`, which names no node: QEMU refuses that, and by
 * what it says it knows the type. (The schema says it, too, but costs QEMU's main loop 16 ms, and this half of one.) */
void qmp_has_vhost_export(struct qmp *q, const char *nowhere, qmp_on_answer done, void *user);
void qmp_export_del(struct qmp *q, const char *id, qmp_done done, void *user);

/* --- dirty bitmaps ----------------------------------------------------------------------------- */
/* block-dirty-bitmap-add; granularity: bytes, a power of two */
struct qmp_new_bitmap {
    const char *node, *name;
    uint64_t granularity;
    bool is_persistent, is_disabled;
};
void qmp_bitmap_add(struct qmp *q, const struct qmp_new_bitmap *bitmap, qmp_done done, void *user);
/* block-dirty-bitmap-merge of `from` of node `from_node` into `name` of `node` */
void qmp_bitmap_merge(struct qmp *q, const char *node, const char *name, const char *from_node, const char *from,
                      qmp_done done, void *user);
void qmp_bitmap_remove(struct qmp *q, const char *node, const char *name, qmp_done done, void *user);
/* blockdev-add null-co */
void qmp_add_null(struct qmp *q, const char *node, uint64_t size, qmp_done done, void *user);
/* To a node of ours, by the human monitor's qemu-io: QMP has no command that writes. What QEMU says to it is dropped.
 */
void qmp_write_zeroes(struct qmp *q, const char *node, uint64_t offset, uint64_t len, qmp_done done, void *user);

/* --- jobs -------------------------------------------------------------------------------------- */
struct qmp_backup_job {
    const char *id, *device, *target;
    int64_t speed;
    unsigned workers;   /* 0 = QEMU's own */
    const char *bitmap; /* of `device`: only what is dirty there is copied, and it stays as it is; NULL = everything */
};
/* blockdev-backup sync full or bitmap, auto-dismiss false, x-perf {max-workers, max-chunk 65536} */
void qmp_backup(struct qmp *q, const struct qmp_backup_job *job, qmp_done done, void *user);
/* block-stream: what lies between `device` and `base` leaves the chain, and the image's header says so. The job is
 * dismissed by QEMU itself. */
void qmp_stream(struct qmp *q, const char *id, const char *device, const char *base, qmp_done done, void *user);
void qmp_job_cancel(struct qmp *q, const char *id, qmp_done done, void *user);
void qmp_job_dismiss(struct qmp *q, const char *id, qmp_done done, void *user);
void qmp_job_pause(struct qmp *q, const char *id, qmp_done done, void *user); /* job-pause */
void qmp_job_resume(struct qmp *q, const char *id, qmp_done done, void *user);
void qmp_job_set_speed(struct qmp *q, const char *id, int64_t bytes_per_s, qmp_done done, void *user);

/* --- RAM ---------------------------------------------------------------------------------------- */
struct qmp_capability {
    const char *name;
    bool is_on;
};
typedef void (*qmp_on_capabilities)(void *user, const struct qmp_capability *caps, unsigned n, const GError *error);
void qmp_query_capabilities(struct qmp *q, qmp_on_capabilities done, void *user);
void qmp_set_capabilities(struct qmp *q, const struct qmp_capability *caps, unsigned n, qmp_done done, void *user);
struct qmp_migration_params {
    int64_t max_bandwidth, downtime_limit_ms; /* bytes/s; -1: unknown, or leave it as it is */
};
typedef void (*qmp_on_migration_params)(void *user, const struct qmp_migration_params *p, const GError *error);
void qmp_query_migration_params(struct qmp *q, qmp_on_migration_params done, void *user);
void qmp_set_migration_params(struct qmp *q, const struct qmp_migration_params *p, qmp_done done, void *user);
void qmp_migrate(struct qmp *q, const char *uri, qmp_done done, void *user);
void qmp_migrate_cancel(struct qmp *q, qmp_done done, void *user);
struct qmp_migration {
    const char *status /* "none" if never */, *error;
    const char *blocked; /* why none can begin (the first reason), NULL if one can */
    uint64_t total, remaining, dirty_sync_count;
};
typedef void (*qmp_on_migration)(void *user, const struct qmp_migration *m, const GError *error);
void qmp_query_migrate(struct qmp *q, qmp_on_migration done, void *user);
