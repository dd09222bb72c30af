// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The archive that a run writes: opened and closed (target.c), full or standing still (target_watch.c), finished and
 * read back (finish.c). A part of run.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "model/model.h"
#include "sink/sink.h"
#include "sink/spool.h"
#include "vma/header.h"

struct backup;
struct command;
struct readback;

struct target {
    struct pool *pool;
    struct sink *sink;
    struct spool *spool;
    struct writer *writer;
    struct vma_header *header;
    size_t description_reserve;
    bool is_target_chosen; /* by somebody; else it has the guest's name */
    bool is_space_known;
    char *space_of;             /* what target_watch.c is asking about, NULL = nothing */
    bool is_full;               /* waiting for room, … */
    uint64_t full_since_ms;     /* … since */
    uint64_t told_stuck_ms;     /* for how long it stands still, as far as that was told; 0 = it does not */
    uint64_t forecast_bytes;    /* its likely length, before it is packed */
    double packs_to;            /* a byte of it, by the last run; 1 = nothing is known */
    bool is_saved;              /* it is durable under its name */
    char *path;                 /* then; NULL: it went into a pipe */
    enum model_reading reading; /* why it is read back, … */
    struct readback *readback;  /* … while it is */
    bool is_verified;
};

/* target.c */
bool target_open(struct backup *b, GError **error); /* sink, spool, header, writer, lanes */
/* The RAM will not come: the target, no pipe, begins again without it. */
bool target_restart_without_ram(struct backup *b, enum model_state state, const char *note, GError **error);
void target_close(struct backup *b, bool keep_partial);
GBytes *target_final_header(struct backup *b, GError **error);

/* target_watch.c */
void target_watch_on_tick(struct backup *b);

/* finish.c */
void finish_archive(struct backup *b);
bool finish_read(struct backup *b, const struct command *c, GError **error); /* a run that has ended */
void finish_interrupt(struct backup *b);                                     /* reading it back ends early */
