// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of the table's rows, forward or back: for the whole run, for one drive, for a part of its rows. */
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

static const struct step *row_of(const struct backup *b, unsigned row)
{
    return steps_row(b->steps, row);
}

static void add_op(GArray *ops, struct backup *b, struct drive *d, unsigned row, bool is_undo)
{
    struct steps_op op = {.b = b, .d = d, .step = row_of(b, row), .row = row, .is_undo = is_undo};

    g_array_append_val(ops, op);
}

static void add_row(GArray *ops, struct backup *b, unsigned row, bool is_undo)
{
    if (row_of(b, row)->scope == STEP_RUN) {
        add_op(ops, b, NULL, row, is_undo);
        return;
    }
    for (unsigned i = 0; i < b->drives->len; i++)
        add_op(ops, b, g_ptr_array_index(b->drives, is_undo ? b->drives->len - 1 - i : i), row, is_undo);
}

static GArray *new_list(void)
{
    return g_array_new(FALSE, FALSE, sizeof(struct steps_op));
}

GArray *recipe_forward(struct backup *b)
{
    GArray *ops = new_list();

    for (unsigned row = 0; row < steps_rows(b->steps); row++)
        add_row(ops, b, row, false);
    return ops;
}

GArray *recipe_undo_all(struct backup *b)
{
    GArray *ops = new_list();

    for_each_drive (d, b) {
        d->begun |= d->left; /* who was in the way may have gone */
        d->left = 0;
    }
    for (unsigned row = steps_rows(b->steps); row-- > 0;)
        add_row(ops, b, row, true);
    return ops;
}

GArray *recipe_undo_drive(struct drive *d)
{
    struct backup *b = d->b;
    GArray *ops = new_list();

    for (unsigned row = steps_rows(b->steps); row-- > 0;)
        if (row_of(b, row)->scope == STEP_DRIVE)
            add_op(ops, b, d, row, true);
    return ops;
}

/* Rows of the drives that are taken again, and of the stop window they need: forward, or back. */
GArray *recipe_retake(struct backup *b, bool is_undo)
{
    GArray *ops = new_list();

    for (unsigned i = 0; i < steps_rows(b->steps); i++) {
        unsigned row = is_undo ? steps_rows(b->steps) - 1 - i : i;
        if (row_of(b, row)->scope == STEP_RUN && row_of(b, row)->flags & STEP_IN_WINDOW)
            add_op(ops, b, NULL, row, is_undo);
        for_each_drive (d, b)
            if (row_of(b, row)->scope == STEP_DRIVE && drive_is(d, DRIVE_IS_RETAKEN))
                add_op(ops, b, d, row, is_undo);
    }
    return ops;
}

/* Its size has changed: those that are there already are made anew. */
GArray *recipe_remake_targets(struct drive *d)
{
    struct backup *b = d->b;
    GArray *ops = new_list();

    for (unsigned row = steps_rows(b->steps); row-- > 0;)
        if (row_of(b, row)->flags & STEP_MAKES_TARGET && d->begun & (1u << row))
            add_op(ops, b, d, row, true);
    for (unsigned row = 0; row < steps_rows(b->steps); row++)
        if (row_of(b, row)->flags & STEP_MAKES_TARGET && d->begun & (1u << row))
            add_op(ops, b, d, row, false);
    return ops;
}

void recipe_push_instead(struct drive *d)
{
    d->is_pulled = false;
    model_set(backup_row(d)->engine, "%s", engine_word(ENGINE_PUSH));
    d->b->jobs.n++;
}

GArray *recipe_add_jobs_target(struct drive *d)
{
    GArray *ops = new_list();

    for (unsigned row = 0; row < steps_rows(d->b->steps); row++)
        if (row_of(d->b, row)->flags & STEP_OF_JOBS_TARGET)
            add_op(ops, d->b, d, row, false);
    return ops;
}

static bool is_of_restart(const struct drive *d, unsigned row)
{
    unsigned flags = row_of(d->b, row)->flags;

    return flags & STEP_OF_JOB || (flags & STEP_OF_JOBS_TARGET && !d->target.conn);
}

/* A job that failed while its frozen image stands: a new job from the same instant, and a new target for it where the
 * connection was lost. */
GArray *recipe_restart_job(struct drive *d)
{
    struct backup *b = d->b;
    GArray *ops = new_list();

    for (unsigned row = steps_rows(b->steps); row-- > 0;)
        if (is_of_restart(d, row))
            add_op(ops, b, d, row, true);
    for (unsigned row = 0; row < steps_rows(b->steps); row++)
        if (is_of_restart(d, row))
            add_op(ops, b, d, row, false);
    return ops;
}

GArray *recipe_undo_ram_settings(struct backup *b)
{
    GArray *ops = new_list();

    for (unsigned row = steps_rows(b->steps); row-- > 0;)
        if (row_of(b, row)->flags & STEP_SETS_MIGRATION)
            add_op(ops, b, NULL, row, true);
    return ops;
}
