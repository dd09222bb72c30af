// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan, changed before it begins: each command changes a copy of the options, and a plan is made of it. Only one
 * that can be carried out takes the old one's place.
 */
#include <string.h>

#include "backup/found.h"
#include "backup/plan.h"
#include "backup/run.h"
#include "options/options.h"

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(VMB_ERROR, VMB_ERROR_USAGE, format, args);
    va_end(args);
    return false;
}

/* --- which drives ------------------------------------------------------------------------------- */

static bool has_name(const GPtrArray *names, const char *name)
{
    return g_ptr_array_find_with_equal_func((GPtrArray *)names, name, g_str_equal, NULL);
}

static void drop_name(GPtrArray *names, const char *name)
{
    unsigned at;

    while (g_ptr_array_find_with_equal_func(names, name, g_str_equal, &at))
        g_ptr_array_remove_index(names, at);
}

/* A drive goes by its name here, by its node and its device too. */
static void drop_drive(GPtrArray *names, const struct model_drive *row, const struct backup *b)
{
    drop_name(names, row->name);
    drop_name(names, row->node);
    for_each_found (f, b)
        if (f->qdev && g_strcmp0(f->node_name, row->node) == 0)
            drop_name(names, f->qdev);
}

/* By name from now on: all that are saved already, and this one. */
static void name_all(struct backup *b, struct backup_options *o, const char *one_more)
{
    g_ptr_array_set_size(o->include, 0);
    for_each_drive (d, b)
        g_ptr_array_add(o->include, g_strdup(d->name));
    g_ptr_array_add(o->include, g_strdup(one_more));
}

static bool include(struct backup *b, struct backup_options *o, const struct model_drive *row)
{
    bool was_excluded = has_name(o->exclude, row->name) || strcmp(row->note, "excluded") == 0;

    if (row->is_vmstate)
        o->no_vmstate = false;
    if (row->is_vmstate || row->is_included)
        return true;
    drop_drive(o->exclude, row, b);
    if (o->include->len)
        g_ptr_array_add(o->include, g_strdup(row->name));
    else if (!was_excluded) /* left out by itself, as a read-only one is */
        name_all(b, o, row->name);
    return true;
}

static bool exclude(struct backup *b, struct backup_options *o, const struct model_drive *row)
{
    if (row->is_vmstate)
        o->no_vmstate = true;
    if (row->is_vmstate || !(row->is_included || row->is_refused))
        return true;
    drop_drive(o->include, row, b);
    if (!has_name(o->exclude, row->name))
        g_ptr_array_add(o->exclude, g_strdup(row->name));
    return true;
}

static bool change_drive(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    const struct model_drive *row = model_find_drive(&b->model, c->target);

    if (!row && strcmp(c->target, VMA_VMSTATE_NAME) == 0) {
        o->no_vmstate = c->verb == COMMAND_EXCLUDE;
        return true;
    }
    if (!row)
        return refuse(error, "guest has no drive %s", c->target);
    return c->verb == COMMAND_INCLUDE ? include(b, o, row) : exclude(b, o, row);
}

/* --- limits ------------------------------------------------------------------------------------- */

static bool is_for_all(const struct command *c)
{
    return !*c->target || strcmp(c->target, "all") == 0;
}

static uint64_t limit_of(const struct backup_options *o, const char *drive)
{
    for (unsigned i = o->limits->len; i-- > 0;) {
        const struct backup_limit *limit = &g_array_index(o->limits, struct backup_limit, i);
        if (g_strcmp0(limit->drive, drive) == 0)
            return limit->rate;
    }
    return 0;
}

/* The limit of one drive, or with drive NULL of the whole backup; 0 takes it away. */
static void put_limit(struct backup_options *o, const char *drive, uint64_t rate)
{
    struct backup_limit limit = {.drive = g_strdup(drive), .rate = rate};

    for (unsigned i = o->limits->len; i-- > 0;)
        if (g_strcmp0(g_array_index(o->limits, struct backup_limit, i).drive, drive) == 0)
            g_array_remove_index(o->limits, i);
    if (rate)
        g_array_append_val(o->limits, limit);
    else
        g_free(limit.drive);
}

static bool change_limit(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    const char *drive = is_for_all(c) ? NULL : c->target;
    const struct model_drive *row = drive ? model_find_drive(&b->model, drive) : NULL;
    uint64_t old = limit_of(o, drive);

    if (drive && (!row || !row->is_included))
        return refuse(error, "no drive %s is being saved", drive);
    if (c->is_relative && !old)
        return refuse(error, "%s has no limit yet; give it one, like 50M", drive ? drive : "the backup");
    put_limit(o, drive, c->is_relative ? command_relative_rate(old, c->percent) : c->rate);
    return true;
}

/* --- compression -------------------------------------------------------------------------------- */

/* A file's name says whether it is compressed; it follows. */
static bool change_level(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    g_autofree char *old = g_steal_pointer(&o->target);
    bool is_packed = old && g_str_has_suffix(old, ".zst");

    o->level = (int)c->number;
    if (!old || *old == '|' || o->is_store || is_packed == (c->number > 0))
        o->target = g_steal_pointer(&old);
    else if (is_packed)
        o->target = g_strndup(old, strlen(old) - strlen(".zst"));
    else
        o->target = g_str_has_suffix(old, ".vma") ? g_strconcat(old, ".zst", NULL) : g_strdup(old);
    return true;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static bool change_output(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    g_free(o->target);
    o->target = g_strdup(c->text);
    return true;
}

static bool change_vmstate(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    o->no_vmstate = !c->is_on;
    return true;
}

static bool change_retries(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    o->retries = c->number;
    return true;
}

static bool change_strict(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    o->strict = c->is_on;
    return true;
}

static bool change_engine(struct backup *b, struct backup_options *o, const struct command *c, GError **error)
{
    if (c->engine == ENGINE_PULL && b->facts.pull_obstacle)
        return refuse(error, "pull is not possible: %s", b->facts.pull_obstacle);
    o->engine = c->engine;
    return true;
}

static const struct {
    bool (*change)(struct backup *b, struct backup_options *o, const struct command *c, GError **error);
} handlers[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define PLAN(f)                                .change = f,
#include "model/command_list.h"
};

/* What was asked for, and is not so: a drive without a medium stays out. */
static bool check_effect(struct backup *b, const struct command *c, GError **error)
{
    const struct model_drive *row = model_find_drive(&b->model, c->target);

    if (c->verb == COMMAND_INCLUDE && row && !row->is_included)
        return refuse(error, "%s cannot be saved: %s", c->target, row->note);
    return true;
}

/* False leaves the old options and their plan in place, and *fresh to be cleared. */
static bool try_options(struct backup *b, struct backup_options *fresh, const struct command *c, GError **error)
{
    struct backup_options old = b->options;
    bool is_good = backup_options_check(fresh, error), was_chosen = b->archive.is_target_chosen;

    b->options = *fresh;
    b->archive.is_target_chosen |= c->verb == COMMAND_OUTPUT;
    if (is_good && plan_lay_out(b, error) && check_effect(b, c, error)) {
        backup_options_clear(&old);
        return true;
    }
    *fresh = b->options; /* the plan may have named a target */
    b->options = old;
    b->archive.is_target_chosen = was_chosen;
    plan_lay_out(b, NULL);
    return false;
}

bool replan(struct backup *b, const struct command *c, GError **error)
{
    struct backup_options fresh;

    backup_options_copy(&fresh, &b->options);
    if (!handlers[c->verb].change(b, &fresh, c, error) || !try_options(b, &fresh, c, error)) {
        backup_options_clear(&fresh);
        return false;
    }
    if (c->verb == COMMAND_ENGINE)
        plan_engine_log(b);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_PLAN, .drive = -1});
    target_space_ask(b);
    return true;
}

void backup_next_options(struct backup *b, struct backup_options *o)
{
    backup_options_copy(o, &b->options);
    o->wait_for_begin = true;
    g_clear_pointer(&o->record_path, g_free); /* it holds this run */
    if (!o->target || *o->target == '|' || o->is_store)
        return;
    g_autofree char *old = g_steal_pointer(&o->target), *folder = g_path_get_dirname(old);
    o->target = plan_default_target(b, folder, old);
}
