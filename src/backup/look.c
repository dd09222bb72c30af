// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The row that looks at the drives again, right before anything is put over them: the guest stands still, but
 * the plan may be minutes old. A drive that somebody else is at work on, or that is gone, is left out while
 * the others go on; one that has another node or size than in the plan is saved by that.
 */
#include "backup/fate.h"
#include "backup/filter.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "base/units.h"

static void follow_node(struct drive *d, const struct survey_drive *now)
{
    if (g_strcmp0(d->node, now->node) == 0)
        return;
    backup_log(d->b, MODEL_INFO, NULL, "drive %s: node %s has taken the place of %s since the plan", d->name, now->node,
               d->node);
    g_free(d->node);
    d->node = g_strdup(now->node);
    model_set(backup_row(d)->node, "%s", now->node);
}

/* Nothing of it has come yet: whatever was made by the old size is made anew. */
static void resize(struct drive *d, uint64_t size)
{
    g_autoptr(GArray) targets = recipe_remake_targets(d);
    char before[UNITS_LEN], after[UNITS_LEN];

    backup_log(d->b, MODEL_INFO, NULL, "drive %s: its size has changed from %s to %s since the plan", d->name,
               units_format_size(d->size, before), units_format_size(size, after));
    d->size = backup_row(d)->size = size;
    d->filter.export->size = d->target.export->size = size;
    vma_header_set_size(d->b->archive.header, d->dev_id, size);
    fate_forget_clusters(d);
    writer_set_size(d->intake.lane, size);
    steps_insert(d->b->steps, targets);
}

static void follow_size(struct drive *d, const struct survey_drive *now)
{
    if (now->size == d->size)
        return;
    if (!now->size || now->size % 512)
        fate_refuse(d, "its new size is 0, or no multiple of 512 bytes");
    else if (!target_can_drop(d->b))
        fate_refuse(d, "its size has changed since the plan, and the pipe has its old one already; back up again");
    else
        resize(d, now->size);
}

static void see(struct drive *d, const struct survey *s)
{
    const struct survey_drive *now = survey_find(s, d->qdev);
    g_autofree char *who = now && now->node ? survey_occupant(s, now, d->b->run_id) : NULL;
    g_autofree char *why = who ? g_strdup_printf("%s; back up again when it has ended", who) : NULL;

    if (!now || !now->node) {
        fate_refuse(d, "it was unplugged, or its medium taken out, since the plan");
    } else if (why) {
        fate_refuse(d, why);
    } else if (graph_has(s->graph, d->names.cbw)) {
        fate_refuse(d, "the filter of its last instant is still in use by somebody else");
    } else {
        follow_node(d, now);
        follow_size(d, now);
        track_follow(d);
    }
}

static void on_surveyed(void *user, const struct survey *s, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    for_each_drive (d, b) {
        if (!error && !drive_is(d, DRIVE_IS_OUT) && (!b->retake.is_under_way || drive_is(d, DRIVE_IS_RETAKEN)))
            see(d, s);
    }
    steps_end(op, error);
}

void look_begin(struct steps_op *op)
{
    survey_take(&op->b->survey, op->b->qmp, on_surveyed, op);
}
