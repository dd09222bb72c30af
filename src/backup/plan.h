// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The plan: what a backup will save, how and where to, made of what was found and of the options; and whether
 * it can begin. A part of run.h.
 *
 *     plan_make(b);      // by discover.c: rows, recipe, forecast
 *     plan_begin(b);     // by the operator's wish, or at once
 */
#include <stdbool.h>
#include "backup/backup.h"

/* plan.c */
void plan_init(struct backup *b);
void plan_make(struct backup *b);
/* Rows, recipe and forecast anew, of what was found and the options; tells nobody. */
bool plan_lay_out(struct backup *b, GError **error);
void plan_begin(struct backup *b);
/* FOLDER/GUEST-YYYYmmddTHHMM.vma, .zst where it is packed; to the second where that is `taken`. g_free() it.
 */
char *plan_default_target(const struct backup *b, const char *folder, const char *taken);
void plan_forecast(struct backup *b);
void plan_remember(struct backup *b); /* how this run went, for the guest's next one */
/* plan_check.c */
bool plan_check(struct backup *b, GError **error);
bool plan_check_leftovers(const struct backup *b, GError **error); /* none is in QEMU of a backup that died */

/* plan_engine.c: who is pulled; fills the facts, the drives and the model */
void plan_engine(struct backup *b);
/* Under --strict all that were to be pulled must be. */
bool plan_engine_check(const struct backup *b, GError **error);
void plan_engine_log(struct backup *b); /* what is pushed all the same, and why */
/* Is it asked for, or may it yet be: QEMU is asked whether it can. */
bool plan_engine_is_wanted(const struct backup *b);
void plan_engine_ask_iothreads(struct backup *b, void (*done)(struct backup *b, const GError *error));

/* replan.c: another plan by a command of the operator's; where it cannot be, the old one stays */
bool replan(struct backup *b, const struct command *c, GError **error);

/* target_watch.c: how much is free where the archive will go; the answer goes into the model */
void target_space_ask(struct backup *b);
