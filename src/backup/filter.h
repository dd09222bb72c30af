// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The rows of the table that look at drives once more, and put filters over them (see recipe.c). */
#include "qmp/calls.h"

struct steps_op;

/* look.c */
void look_begin(struct steps_op *op);

/* filter.c */
void filter_leave(struct steps_op *op); /* somebody else stands in the way of this undo */
/* Gives the device this node. */
void filter_set_drive(struct steps_op *op, const char *node, qmp_done done);
/* Takes a node of ours out from under whoever stands on it; then out(). Where it has to stay the row ends. */
void filter_take_out(struct steps_op *op, const char *node, void (*out)(struct steps_op *op));
void filter_begin_add(struct steps_op *op);
void filter_undo_add(struct steps_op *op);
void filter_begin_insert(struct steps_op *op);
void filter_undo_insert(struct steps_op *op);
void filter_begin_snapshot(struct steps_op *op);
void filter_undo_snapshot(struct steps_op *op);
