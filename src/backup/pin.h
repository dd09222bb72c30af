// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The row that fixes a frozen image to its iothread: see pin.c. */
#include "backup/steps.h"

bool pin_is_wanted(const struct backup *b, const struct drive *d);
void pin_begin(struct steps_op *op);
void pin_undo(struct steps_op *op);
