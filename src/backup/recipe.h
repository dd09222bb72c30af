// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* THE table of steps, in the order in which they are done to QEMU, and lists of its rows (recipe_lists.c). */
#include "backup/steps.h"

extern const struct step recipe_table[];
unsigned recipe_rows(void);

/* recipe_lists.c: of the table that b->steps has */
GArray *recipe_forward(struct backup *b);
GArray *recipe_undo_all(struct backup *b);
GArray *recipe_undo_drive(struct drive *d);
GArray *recipe_restart_job(struct drive *d);
GArray *recipe_remake_targets(struct drive *d);
GArray *recipe_add_jobs_target(struct drive *d);
void recipe_push_instead(struct drive *d); /* rows of pushed drives apply to it from here on */
GArray *recipe_retake(struct backup *b, bool is_undo);
GArray *recipe_undo_ram_settings(struct backup *b);
