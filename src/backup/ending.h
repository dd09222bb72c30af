// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The end of a run: see ending.c. */
#include "backup/run.h"

void ending_fail(struct backup *b); /* undoes everything */
void ending_check_over(struct backup *b);
void ending_check_left(struct backup *b);
void ending_set_outcome(struct backup *b); /* of it, and of what is missing, into the model */
void ending_on_tick(struct backup *b);     /* once it is ending */
