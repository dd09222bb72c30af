// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the operator may know of a run, as plain values: no pointer into the engine, copied by assignment (but for
 * `log`).
 *
 *     engine -- fills --> struct model --> screen (ui/), plain lines (model/plain.h), JSON lines (model/json.h)
 *
 * Strings are UTF-8 made safe (no control bytes). Bytes, bytes/s and ms throughout; UINT64_MAX = unknown.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#define MODEL_UNKNOWN    UINT64_MAX
#define MODEL_NAME_LEN   64
#define MODEL_TEXT_LEN   256
#define MODEL_MAX_LOG    500
#define MODEL_MAX_CHECKS 5
#define MODEL_MAP_CELLS  256 /* of a drive's map */
#define MODEL_MAX_NEARBY 8   /* monitors that answer where the one asked for does not */
#define MODEL_LINE_LEN   2048

/* The course of a run, in order. */
enum model_phase {
    MODEL_CONNECTING,
    MODEL_CONNECT_FAILED, /* will be tried again */
    MODEL_PLAN,           /* connected, waiting for "begin" */
    MODEL_PREPARE,        /* nodes are being added */
    MODEL_RAM,            /* RAM moves before the instant (plain migration) */
    MODEL_FREEZE,         /* the stop window: the instant is taken */
    MODEL_COPY,           /* drives (and RAM) move */
    MODEL_FINISH,         /* QEMU is free again; the archive is closed and made durable */
    MODEL_VERIFY,
    MODEL_DONE, /* model.result says how */
    MODEL_PHASES
};
const char *model_phase_word(enum model_phase phase); /* "connect" … "done" */

enum model_state {
    MODEL_WAIT,
    MODEL_RUN,
    MODEL_PAUSE,
    MODEL_RETRY,
    MODEL_OK,
    MODEL_WARN,
    MODEL_FAIL,
    MODEL_CANCELLED,
    MODEL_SKIPPED,
    MODEL_STATES
};
const char *model_state_word(enum model_state state); /* wait run pause retry done warn FAIL cancelled skipped */
static inline bool model_is_saved(enum model_state state)
{
    return state == MODEL_OK || state == MODEL_WARN;
}

/* Of each 1/256 of a drive, how much is held, and found to be zero: 0 … 255. */
struct model_map {
    uint8_t held[MODEL_MAP_CELLS], zero[MODEL_MAP_CELLS];
};

/* A row of the table: a drive, or the RAM state. */
/* By a dirty bitmap. */
struct model_track {
    char plan[MODEL_TEXT_LEN]; /* "changed since 08:10: ~1.2G of 64G", "reads everything: …"; "" = nothing is tracked */
    char bitmaps[MODEL_TEXT_LEN]; /* for info: our bitmaps on it */
    bool is_incremental;          /* only what has changed is read: */
    uint64_t changed;             /* so much */
    uint64_t unchanged;           /* counts as done without having been read */
};

struct model_paused {
    bool by_operator, by_target;
};

/* What its filter brings: overwritten by the guest before it was copied. */
struct model_filter {
    uint64_t bytes, rate;
};

struct model_drive {
    char name[MODEL_NAME_LEN]; /* as it stands in the archive */
    char node[MODEL_NAME_LEN];
    char format[MODEL_NAME_LEN];
    char note[MODEL_TEXT_LEN]; /* one short fact: "paused 38ms", "read-only: skipped", "unguarded", the error */
    bool is_vmstate;
    bool is_included;
    bool is_refused; /* asked for, but somebody else is at work on it: the note says who */
    bool is_guarded; /* by a copy-before-write filter; else a slow target slows the guest */
    struct model_track track;
    char engine[MODEL_NAME_LEN]; /* "push", "pull"; "" = there is no choice, or it is the RAM */
    enum model_state state;
    uint64_t size;      /* bytes; for the RAM the best guess, then the exact length */
    uint64_t used;      /* allocated, unknown = MODEL_UNKNOWN */
    uint64_t done;      /* bytes of it that are held (zeros count) */
    uint64_t zero;      /* of them, found or told to be zero */
    uint64_t rate;      /* bytes/s over the last 5 s, of `done` */
    uint64_t data_rate; /* of data alone, no holes: what limits mean */
    uint64_t average;   /* since its start */
    uint64_t peak;
    uint64_t limit;        /* bytes/s as QEMU confirmed it, 0 = none */
    uint64_t limit_wanted; /* this drive's own, as the operator set it, 0 = none */
    bool is_limit_shared;  /* `limit` is its share of the whole backup's */
    bool is_limit_binding;
    bool takes_no_limit; /* cannot be slowed: the RAM, by a background snapshot */
    bool is_slowed;      /* by the stall guard: the guest's writes come first */
    struct model_paused paused;
    uint64_t eta_ms; /* MODEL_UNKNOWN where nothing honest can be said */
    uint64_t elapsed_ms;
    uint64_t stalled_ms; /* 0, or since when nothing has moved though it should (> 5 s) */
    unsigned retries;
    uint64_t retry_in_ms; /* until it is tried again by itself, 0 = it will not */
    int64_t instant_us;   /* wall clock of its instant, 0 before */
    bool is_instant_own;  /* taken again: not the run's */
    bool keeps_instant;   /* a retry goes on at the same instant; else it takes a new one */
    bool may_retry;
    struct model_filter filter;
    char error[MODEL_TEXT_LEN]; /* the last one, "" = none */
    char hint[MODEL_TEXT_LEN];  /* what to press or do about it */
    struct model_map map;
};

enum model_level { MODEL_INFO, MODEL_WARNING, MODEL_ERROR, MODEL_HINT };
const char *model_level_word(enum model_level level); /* info warning error hint */
struct model_log_line {
    int64_t when_s;         /* wall clock */
    enum model_level level; /* MODEL_HINT belongs to the line before it: what to press or do */
    char text[MODEL_TEXT_LEN];
};

/* One line of the connect diagnosis. */
struct model_check {
    enum model_state state;
    char text[MODEL_TEXT_LEN];
};

/* A monitor that answers QMP. */
struct model_nearby {
    char address[MODEL_TEXT_LEN], guest[MODEL_NAME_LEN], qemu[MODEL_NAME_LEN];
};

enum model_bottleneck {
    MODEL_BY_SOURCE,
    MODEL_BY_LIMIT,
    MODEL_BY_CPU,
    MODEL_BY_SINK,
    MODEL_BY_OPERATOR,
    MODEL_BOTTLENECKS
};
const char *model_bottleneck_word(enum model_bottleneck b);
const char *model_result_word(int exit_status); /* OK INCOMPLETE CANCELLED DAMAGED FAILED */

/* What the finished archive is read once more for. */
enum model_reading { MODEL_READING_NOTHING, MODEL_READING_TO_VERIFY, MODEL_READING_TO_HASH };

/* How the guest fares: its writes' latency over all drives, MODEL_UNKNOWN where QEMU does not tell. */
struct model_impact {
    uint64_t write_us;     /* average of the last seconds */
    uint64_t base_us;      /* the same before the start */
    uint64_t p99_us;       /* since the copy began, where somebody has QEMU keep a histogram of it */
    unsigned stalls;       /* times it was past the threshold */
    bool is_slowing;       /* the stall guard holds the copy back */
    uint64_t ceiling;      /* bytes/s it allows over all, 0 = no bound */
    uint64_t held_back_ms; /* in all */
};

/* The monitor. */
struct model_link {
    bool is_lost;
    uint64_t data_age_ms; /* since QEMU was last heard */
    struct model_check checks[MODEL_MAX_CHECKS];
    unsigned n_checks;
    char failure[MODEL_TEXT_LEN]; /* connect failed: what, in one line */
    char advice[MODEL_TEXT_LEN];  /* and what to do next */
    uint64_t retry_in_ms;
    unsigned attempt;
    struct model_nearby nearby[MODEL_MAX_NEARBY];
    unsigned n_nearby;
};

/* Things in QEMU of a run that died, for a cleanup to do. */
struct model_left {
    unsigned n;
    char what[MODEL_TEXT_LEN]; /* "2 jobs, 5 nodes, the guest stopped" */
    bool is_cleaning;          /* they are being taken away */
};

/* How late our own loop was: QEMU has waited for us as long. */
struct model_loop {
    uint64_t p99_us, max_us;
};

/* The target, and what waits before it. */
struct model_sink {
    char guest[MODEL_NAME_LEN];   /* its snapshot of which guest in a store; "" = it is no store */
    char backups[MODEL_LINE_LEN]; /* of this guest in it: "12: 2026-11-30 08:10, 1.2G new, verified; …" */
    uint64_t free_bytes;          /* at the target, MODEL_UNKNOWN on a pipe */
    uint64_t need_bytes;          /* forecast of what is still to be written */
    bool will_fit;
    bool is_full;     /* waiting for room */
    bool is_pipe;     /* nothing that was written can be taken back */
    uint64_t written; /* bytes of the archive written */
    uint64_t packed;  /* bytes before compression of what `written` holds; equal to it without */
    uint64_t spool_used, spool_size;
    unsigned buffers_used, buffers_total;
    uint64_t no_buffers_ms; /* since when no buffer has been free, 0 = some are */
    uint64_t stuck_ms;      /* since when the target has not answered, 0 = it does */
};

/* By the last run of this guest. */
struct model_forecast {
    uint64_t reads;          /* bytes of the drives and the RAM, but for what has not changed */
    uint64_t ms;             /* how long all of it will take, as fast as that was; 0 = nobody knows */
    uint64_t rate;           /* bytes/s, holes too */
    uint64_t plain, written; /* what it packed into what; 0 = it says nothing for this plan */
};

/* Valid in MODEL_DONE. */
struct model_end {
    int exit_status;
    char outcome[MODEL_TEXT_LEN]; /* one line: what happened */
    char next[MODEL_TEXT_LEN];    /* what to do next, "" if nothing */
    uint64_t archive_bytes;       /* of the file; of a snapshot, those of its drives and RAM */
    uint64_t new_bytes;           /* that a snapshot has added to its store */
    bool is_verified;
    char sha256[72];            /* of the archive, "" = not made */
    enum model_reading reading; /* right now; eta_ms is of it then */
    uint64_t read_done, read_total, read_rate;
};

/* By which the drives come. */
struct model_engine {
    char word[MODEL_NAME_LEN];     /* "push", "pull" where at least one drive is pulled */
    char obstacle[MODEL_TEXT_LEN]; /* why no drive can be pulled, "" = some can */
};

/* What holds the rest back. */
struct model_slowest {
    enum model_bottleneck by;
    uint64_t ms[MODEL_BOTTLENECKS]; /* for how long each was it */
};

struct model {
    enum model_phase phase;
    /* the guest */
    char monitor[MODEL_TEXT_LEN];
    char guest[MODEL_NAME_LEN];       /* its name, else the socket's file name without suffix */
    char guest_state[MODEL_NAME_LEN]; /* query-status: running, paused, … */
    char qemu[MODEL_NAME_LEN];        /* "7.2.22" */
    struct model_link link;
    struct model_left left;
    /* the plan */
    unsigned level;   /* of the compression */
    unsigned retries; /* of a failed drive, by itself */
    bool is_strict;   /* a lost drive fails the run */
    bool wants_vmstate;
    struct model_engine engine;
    char recipe[MODEL_TEXT_LEN]; /* "guard, background snapshot", … */
    char target[MODEL_TEXT_LEN];
    char compression[MODEL_NAME_LEN]; /* "zstd:3", "" = none */
    char same_as[MODEL_LINE_LEN];     /* the equal command line, quoted for a shell; "" = too long */
    char agent[MODEL_TEXT_LEN];       /* "" = none; "frozen 38ms", or why not */
    struct model_forecast forecast;
    struct model_sink sink;
    /* movement */
    uint64_t global_limit; /* bytes/s of the whole backup, shared out among its drives, 0 = none */
    int64_t started_s;     /* wall clock, 0 before */
    uint64_t elapsed_ms, eta_ms;
    uint64_t total, done, zero; /* over all included rows */
    uint64_t in_rate, out_rate; /* bytes/s over 5 s: taken in, archive written */
    uint64_t data_rate;         /* taken in of data alone, no holes: what limits mean */
    uint64_t pause_ms;          /* how long the guest was stopped for the instant, MODEL_UNKNOWN before */
    struct model_slowest slowest;
    struct model_loop loop;
    struct model_impact impact;
    struct model_end end;
    /* rows and log: owned by the model */
    struct model_drive *drives;
    unsigned n_drives;
    struct model_log_line *log; /* oldest first */
    unsigned n_log;
    unsigned n_errors, n_warnings;
};

void model_init(struct model *m);
void model_clear(struct model *m); /* frees what it owns */
/* A new row, waiting; the pointer is good until the next one is added. */
struct model_drive *model_add_drive(struct model *m, const char *name);
/* NULL when there is none of that name. */
struct model_drive *model_find_drive(const struct model *m, const char *name);
/* Asked for, and not in the archive; also RAM that could not even be planned. */
static inline bool model_is_missing(const struct model_drive *d)
{
    return d->is_refused || d->state == MODEL_FAIL || d->state == MODEL_CANCELLED;
}
/* Of what is done, without what has not changed. */
uint64_t model_read_bytes(const struct model *m);
/* Rounded down; 0 where the whole is not known. */
unsigned model_percent(uint64_t done, uint64_t total);
/* Appends to the log (dropping the oldest past MODEL_MAX_LOG) and counts errors and warnings. */
void model_log(struct model *m, enum model_level level, int64_t when_s, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* printf into a field, cut at a UTF-8 boundary, control bytes as '?': model_set(m->target, "%s", path). */
#define model_set(field, ...) model_set_text((field), sizeof(field), __VA_ARGS__)
void model_set_text(char *field, size_t size, const char *format, ...) G_GNUC_PRINTF(3, 4);
