// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of the standalone writer: standalone.c holds it together and ends it, standalone_start.c begins it,
 * drive_export.c is one drive of it (an NBD export whose clusters go to a lane of the writer), credit.c lets clients
 * wait while the target is slow.
 */
#include "archive/intake.h"
#include "archive/vmstate.h"
#include "base/each.h"
#include "nbd/server_uv.h"
#include "sink/sink.h"
#include "sink/spool.h"
#include "vma/header.h"
#include "write/standalone.h"

#define EXPORT_RECENT 64 /* requests a client may have in flight, and say again when it comes back */

enum drive_export_state {
    EXPORT_OPEN,
    EXPORT_FILLING, /* over: what it lacks is being filled in */
    EXPORT_ENDED,   /* every cluster is held */
};

/* One drive. */
struct drive_export {
    struct standalone *s;
    char *name;
    uint64_t size;
    int dev_id;
    struct intake intake;
    struct intake_source source; /* its clients, all of them */
    enum drive_export_state state;
    unsigned n_conns;
    unsigned n_arriving;                      /* writes whose payload is on its way */
    bool has_data;                            /* something was written: else whoever leaves has only looked */
    bool was_cut;                             /* a client left without goodbye, and nothing came since */
    uint64_t fill_from;                       /* clusters before it are held */
    uint64_t wait_until_ms;                   /* of uv_now(): for somebody to come back; 0 = nobody is waited for */
    struct nbd_request recent[EXPORT_RECENT]; /* the last that were taken, a ring */
    unsigned n_recent;
};

struct standalone {
    uv_loop_t *loop;
    const struct standalone_options *options;
    standalone_listener listener;
    void *user;
    GPtrArray *drives; /* struct drive_export * */

    struct pool *pool;
    struct sink *sink;
    struct spool *spool;
    struct writer *writer;
    struct vma_header *header;
    uint8_t uuid[16];
    struct nbd_exports *exports;
    struct nbd_listener *nbd_listener;
    GPtrArray *conns; /* struct nbd_conn * that have chosen an export */
    struct vmstate *vmstate;
    int vmstate_dev_id;

    uv_timer_t tick;
    uv_idle_t filling;       /* a turn for each piece of what is filled in */
    unsigned n_filling;      /* drives */
    unsigned n_open_handles; /* of what must close before the end */
    enum standalone_credit credit;
    uint64_t full_since_ms; /* 0: the target has room */

    bool is_failing, is_finishing, is_sealing; /* sealing: the target is being made durable */
    bool is_saved, is_ending, is_over;
    GError *outcome;
    char *archive_name; /* as the operator knows it, when it is saved */
    uint64_t archive_bytes;
    int cancel_status;        /* 0: nobody has cancelled */
    uint64_t linger_until_ms; /* how long clients of a failed one are answered */
    uint64_t ending_since_ms;
};

/* standalone.c */
void standalone_emit(struct standalone *s, const struct standalone_event *event);
void standalone_say(struct standalone *s, enum standalone_kind kind, const char *format, ...) G_GNUC_PRINTF(3, 4);
void standalone_fail(struct standalone *s, const GError *error);
void standalone_fail_new(struct standalone *s, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
void standalone_drive_ended(struct standalone *s, struct drive_export *e);
void standalone_ram_ended(struct standalone *s);
void standalone_on_tick(uv_timer_t *timer);
void standalone_fill(struct standalone *s); /* something is to be filled in */
void standalone_client_left(struct standalone *s);

/* drive_export.c */
extern const struct nbd_conn_events drive_export_events; /* their user is the struct standalone */
struct drive_export *drive_export_new(struct standalone *s, const char *name, uint64_t size);
void drive_export_open(struct drive_export *e); /* its lane and its export; dev_id is set */
void drive_export_free(struct drive_export *e);
bool drive_export_commit(struct drive_export *e, GError **error);
/* A piece of what it lacks; false when nothing is left to be done. */
bool drive_export_fill(struct drive_export *e);
void drive_export_on_tick(struct drive_export *e);

/* credit.c */
void credit_check(struct standalone *s);
void credit_on_tick(struct standalone *s);
void credit_open(struct standalone *s); /* for good: what comes is nobody's */
