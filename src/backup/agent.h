// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The guest's file systems, frozen by its agent while the instant is taken. A part of run.h. */
#include <stdbool.h>
#include <stdint.h>

struct agent_link;
struct backup;
struct drive;
struct steps_op;

struct agent {
    struct agent_link *link;
    bool is_frozen; /* from when a freeze is asked for until a thaw is acknowledged */
    bool wants_thaw;
    bool has_failed; /* what was asked for was not had */
    uint64_t frozen_at_ms, thaw_by_ms, next_try_ms, wait_until_ms;
    struct steps_op *waiting; /* the step that waits for an answer of the agent's */
};

void agent_on_plan(struct backup *b); /* says what freezing will mean */
bool agent_is_wanted(const struct backup *b, const struct drive *d);
bool agent_is_frozen(const struct backup *b, const struct drive *d);
void agent_begin_freeze(struct steps_op *op);
void agent_undo_freeze(struct steps_op *op);
void agent_begin_thaw(struct steps_op *op);
void agent_on_tick(struct backup *b);
void agent_interrupt(struct backup *b);
void agent_give_up(struct backup *b); /* no row goes on: the guest is thawed all the same */
void agent_close(struct backup *b);
