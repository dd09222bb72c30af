// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How fast data may move: what an operator says, how that is shared out and put in force (limit.c), and how
 * the guest's writes fare meanwhile (write_latency.c). A part of run.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "model/model.h"
#include "pacing/pace.h"
#include "pacing/stall.h"

struct backup;
struct command;
struct drive;
struct port;

/* A drive's. */
struct drive_limit {
    struct pace pace;
    uint64_t speed_sent, share_sent;      /* to QEMU, and the limit that was meant by it */
    uint64_t confirmed;                   /* in force, in bytes of data a second */
    bool is_busy, is_unknown, is_refused; /* the answer to speed_sent is missing, was lost, was no */
};

/* The whole backup's. */
struct limits {
    struct pace_pot pot; /* the budget, and what was taken of it */
    uint64_t next_share_ms;
    struct {
        bool is_busy;
        uint64_t next_ms, looked_ms; /* uv_now() */
        uint64_t writes, ns;         /* of the guest, in all, when last looked at */
    } watch;
    struct stall stall;
    struct model_impact impact; /* how the guest fares */
    uint64_t all;               /* of the whole backup, bytes/s, 0 = none */
};

/* limit.c */
bool limit_command(struct backup *b, const struct command *c, GError **error);
bool limit_apply_options(struct backup *b, GError **error);

/* limit.c: shared out and in force */
void budget_count(struct port *p, uint32_t bytes, bool is_news);
int64_t budget_first_speed(struct drive *d);
void budget_share(struct backup *b); /* something has changed that cannot wait for the next second */
void budget_see_speed(struct drive *d, uint64_t speed);
void budget_on_tick(struct backup *b);

/* write_latency.c */
void write_latency_begin(struct backup *b);
void write_latency_on_tick(struct backup *b);
