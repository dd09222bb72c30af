// SPDX-License-Identifier: GPL-2.0-or-later
/* By which engine each drive comes: pull where it was asked for and can be, else push. */
#include "backup/plan.h"
#include "backup/run.h"

/* Push stays where nobody may ask for anything else. */
bool plan_engine_is_wanted(const struct backup *b)
{
    return b->options.engine == ENGINE_PULL || b->options.wait_for_begin;
}

static void judge_drive(struct drive *d, struct engine_facts facts)
{
    facts.is_of_drive = true;
    facts.is_guarded = d->is_guarded;
    facts.is_read_only = d->is_read_only;
    facts.is_in_iothread = d->is_in_iothread;
    facts.size = d->size;
    d->is_pulled = engine_can_pull(&facts, &d->pull_obstacle) && d->b->options.engine == ENGINE_PULL;
}

static void judge(struct backup *b)
{
    struct engine_facts facts = {.knows_export = b->facts.has_vhost_export,
                                 .passes_descriptors = b->facts.passes_descriptors,
                                 .has_memfd = b->facts.has_memfd};
    bool can_any = !b->drives->len; /* then that is what the plan has to say */
    bool is_any_guarded = false;

    engine_can_pull(&facts, &b->facts.pull_obstacle);
    for_each_drive (d, b) {
        judge_drive(d, facts);
        can_any |= !d->pull_obstacle;
        is_any_guarded |= d->is_guarded;
    }
    if (!can_any && !b->facts.pull_obstacle)
        b->facts.pull_obstacle = is_any_guarded ? "the drives belong to iothreads" : "no drive stands behind a filter";
}

/* Some are pulled, and this one is not. */
static bool is_left_behind(const struct drive *d)
{
    return d->b->options.engine == ENGINE_PULL && d->pull_obstacle && !d->b->facts.pull_obstacle;
}

static void show_drive(struct drive *d)
{
    struct model_drive *row = backup_row(d);
    g_autofree char *note = g_strdup(row->note);

    model_set(row->engine, "%s", engine_word(d->is_pulled ? ENGINE_PULL : ENGINE_PUSH));
    if (is_left_behind(d))
        model_set(row->note, "%s%spushed", note, *note ? "; " : "");
}

void plan_engine(struct backup *b)
{
    enum engine engine = ENGINE_PUSH;

    b->facts.pull_obstacle = NULL;
    if (plan_engine_is_wanted(b))
        judge(b);
    model_set(b->model.engine.obstacle, "%s", b->facts.pull_obstacle ? b->facts.pull_obstacle : "");
    for_each_drive (d, b) {
        show_drive(d);
        engine = d->is_pulled ? ENGINE_PULL : engine;
    }
    model_set(b->model.engine.word, "%s", engine_word(engine));
}

bool plan_engine_check(const struct backup *b, GError **error)
{
    if (b->options.engine != ENGINE_PULL || !b->options.strict)
        return true;
    if (b->facts.pull_obstacle) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "drives cannot be pulled: %s; use --engine push",
                    b->facts.pull_obstacle);
        return false;
    }
    for_each_drive (d, b) {
        if (!d->pull_obstacle)
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "drive %s cannot be pulled: %s; use --engine push", d->name,
                    d->pull_obstacle);
        return false;
    }
    return true;
}

void plan_engine_log(struct backup *b)
{
    if (b->options.engine != ENGINE_PULL)
        return;
    if (b->facts.pull_obstacle)
        backup_log(b, MODEL_WARNING, NULL, "drives are pushed, not pulled: %s", b->facts.pull_obstacle);
    for_each_drive (d, b) {
        if (is_left_behind(d))
            backup_log(b, MODEL_WARNING, NULL, "drive %s is pushed, not pulled: %s", d->name, d->pull_obstacle);
    }
}
