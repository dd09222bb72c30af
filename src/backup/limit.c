// SPDX-License-Identifier: GPL-2.0-or-later
/* What an operator says about limits, by option or command: of the whole backup, of one drive, of the RAM. */
#include <string.h>
#include "backup/run.h"
#include "base/units.h"

static bool is_for_all(const char *target)
{
    return !target || !*target || strcmp(target, "all") == 0;
}

static bool is_ram(const struct backup *b, const char *name)
{
    return b->ram.row >= 0 && strcmp(name, b->model.drives[b->ram.row].name) == 0;
}

/* --- what is asked for -------------------------------------------------------------------------- */

/* A new limit as it was said, or so much more or less than `from`. */
static bool resolve(const struct command *c, uint64_t from, uint64_t *rate, GError **error)
{
    if (c->is_relative && !from)
        return vmb_fail(error, VMB_ERROR_USAGE, "limit: there is none, and no data moves: %+d%% of what?", c->percent);
    *rate = c->is_relative ? command_relative_rate(from, c->percent) : c->rate;
    return true;
}

static void tell(struct backup *b, const char *name, int row, uint64_t old, uint64_t rate)
{
    char was[UNITS_LEN], is[UNITS_LEN];

    backup_note(b, "%s limit %s > %s (operator)", name, old ? units_format_size(old, was) : "none",
                rate ? units_format_size(rate, is) : "none");
    backup_emit(b, &(struct model_event){
                       .type = MODEL_EV_LIMIT, .drive = row, .old_value = old, .new_value = rate, .text = "operator"});
}

static bool limit_all(struct backup *b, const struct command *c, GError **error)
{
    uint64_t old = b->limits.all, rate;

    if (!resolve(c, old ? old : picture_data_rate(b), &rate, error))
        return false;
    b->limits.all = rate;
    budget_share(b);
    tell(b, "all", -1, old, rate);
    return true;
}

static bool limit_drive(struct drive *d, const struct command *c, GError **error)
{
    uint64_t old = d->limit.pace.own,
             now = d->limit.pace.share ? d->limit.pace.share : (uint64_t)d->limit.pace.data_rate, rate;

    if (!resolve(c, now ? now : old, &rate, error))
        return false;
    d->limit.pace.own = rate;
    budget_share(d->b);
    tell(d->b, d->name, (int)d->row, old, rate);
    return true;
}

static bool limit_ram(struct backup *b, const struct command *c, GError **error)
{
    uint64_t old = b->ram.limit, rate;

    if (!resolve(c, old ? old : b->model.drives[b->ram.row].rate, &rate, error) || !ram_limit(b, rate, error))
        return false;
    tell(b, b->model.drives[b->ram.row].name, b->ram.row, old, rate);
    return true;
}

bool limit_command(struct backup *b, const struct command *c, GError **error)
{
    struct drive *d;

    if (is_for_all(c->target))
        return limit_all(b, c, error);
    if (is_ram(b, c->target))
        return limit_ram(b, c, error);
    d = drive_by_name(b, c->target, error);
    return d && limit_drive(d, c, error);
}

/* --- options ------------------------------------------------------------------------------------ */

static bool apply(struct backup *b, const struct backup_limit *limit, GError **error)
{
    struct drive *d = limit->drive ? drive_by_name(b, limit->drive, NULL) : NULL;

    if (is_for_all(limit->drive))
        b->limits.all = limit->rate;
    else if (is_ram(b, limit->drive) && b->ram.method != RAM_NONE)
        return ram_limit(b, limit->rate, error);
    else if (d)
        d->limit.pace.own = limit->rate;
    else if (!model_find_drive(&b->model, limit->drive)) /* one that is left out may have a limit */
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "limit: guest has no drive %s", limit->drive);
    return is_for_all(limit->drive) || model_find_drive(&b->model, limit->drive);
}

/* Those that were there before are taken away: a plan that is made anew may have fewer. */
bool limit_apply_options(struct backup *b, GError **error)
{
    b->limits.all = b->ram.limit = 0;
    for_each_drive (d, b)
        d->limit.pace.own = 0;
    for (unsigned i = 0; i < b->options.limits->len; i++)
        if (!apply(b, &g_array_index(b->options.limits, struct backup_limit, i), error))
            return false;
    return true;
}
