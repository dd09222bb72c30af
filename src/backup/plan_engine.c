// SPDX-License-Identifier: GPL-2.0-or-later
/* By which engine each drive comes: pull where it was asked for and can be, else push. */
#include "backup/found.h"
#include "backup/plan.h"
#include "backup/run.h"

/* Push stays where nobody may ask for anything else. */
bool plan_engine_is_wanted(const struct backup *b)
{
    return b->options.engine == ENGINE_PULL || b->options.wait_for_begin;
}

/* --- which drives belong to an iothread --------------------------------------------------------- */

/*
 * An export of such a drive that somebody reads harms QEMU: on 10.0 it aborts when a node is added anywhere meanwhile,
 * on 11.1 it hangs, on 7.2 it hangs when the export is deleted. Seen with each of them; never with drives of the main
 * loop.
 */
static void ask_next(struct backup *b);

static void on_answer(void *user, bool is_in_one, const GError *error)
{
    struct backup *b = user;
    struct found_drive *f = g_ptr_array_index(b->facts.drives, b->facts.n_iothreads_asked++);

    f->is_in_iothread = is_in_one || error;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        b->facts.on_iothreads(b, error);
    else
        ask_next(b);
}

static void ask_next(struct backup *b)
{
    for (; b->facts.n_iothreads_asked < b->facts.drives->len; b->facts.n_iothreads_asked++) {
        const struct found_drive *f = g_ptr_array_index(b->facts.drives, b->facts.n_iothreads_asked);
        if (f->qdev && *f->qdev) {
            g_autofree char *path = naming_device_path(f);
            qmp_is_in_iothread(b->qmp, path, on_answer, b);
            return;
        }
    }
    b->facts.on_iothreads(b, NULL);
}

/* Who does not say may have some: then nothing is pulled. */
static void on_has_iothreads(void *user, bool has, const GError *error)
{
    struct backup *b = user;
    bool is_refused = qmp_error_is_refusal(error);

    for_each_found (f, b)
        f->is_in_iothread = is_refused;
    if (error || !has)
        b->facts.on_iothreads(b, is_refused ? NULL : error);
    else
        ask_next(b);
}

void plan_engine_ask_iothreads(struct backup *b, void (*done)(struct backup *b, const GError *error))
{
    b->facts.on_iothreads = done;
    b->facts.n_iothreads_asked = 0;
    qmp_has_iothreads(b->qmp, on_has_iothreads, b);
}

/* --- who can be pulled -------------------------------------------------------------------------- */

static void judge_drive(struct drive *d, struct engine_facts facts)
{
    facts.is_of_drive = true;
    facts.is_guarded = d->is_guarded;
    facts.is_read_only = d->is_read_only;
    facts.is_in_iothread = d->is_in_iothread;
    facts.size = d->size;
    d->is_pulled = engine_can_pull(&facts, &d->pull_obstacle) && d->b->options.engine == ENGINE_PULL &&
                   (!d->track.is_believed || holes_are_possible(d->b)); /* else only jobs can read by a bitmap */
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
    if (is_left_behind(d) || (d->track.is_believed && d->b->options.engine == ENGINE_PULL && !d->is_pulled))
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
