// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The end of a run: see outcome.c. */
#include "backup/run.h"

void outcome_fail(struct backup *b); /* undoes everything */
void outcome_check_over(struct backup *b);
void outcome_check_left(struct backup *b);
void outcome_set(struct backup *b);     /* of it, and of what is missing, into the model */
void outcome_on_tick(struct backup *b); /* once it is ending */
