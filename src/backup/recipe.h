// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* THE table of steps, in the order in which they are done to QEMU, and lists of its rows (recipe_lists.c). */
#include "backup/steps.h"

extern const struct step recipe_table[];
void recipe_job_ended(struct drive *d);
void recipe_on_tick(struct backup *b);
void recipe_take_instant(struct drive *d);
unsigned recipe_rows(void);
bool recipe_is_job(unsigned row);
bool recipe_is_pin(unsigned row);
bool recipe_is_target(unsigned row);      /* of the job */
bool recipe_makes_target(unsigned row);   /* of the filter or of the job */
bool recipe_sets_migration(unsigned row); /* capabilities, parameters */

/* recipe_lists.c */
GArray *recipe_forward(struct backup *b);
GArray *recipe_undo_all(struct backup *b);
GArray *recipe_undo_drive(struct drive *d);
GArray *recipe_restart_job(struct drive *d);
GArray *recipe_remake_targets(struct drive *d);
GArray *recipe_retake(struct backup *b, bool is_undo);
GArray *recipe_undo_ram_settings(struct backup *b);
