// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The row that keeps QEMU from hanging on drives of an iothread: see lid.c. */
#include "backup/steps.h"

/* Of this QEMU's drives, if they belong to an iothread; known once its version is. */
bool lid_may_be_wanted(const struct backup *b);
bool lid_is_wanted(const struct backup *b, const struct drive *d);
void lid_begin(struct steps_op *op);
void lid_undo(struct steps_op *op);
