// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/retention.h"

#include <glib.h>

/* As a period is told, in the form of g_date_time_format(); an instant is a period of its own. */
static const struct {
    const char *word, *form;
} rules[] = {
    [RETENTION_LAST] = {"last", NULL},          [RETENTION_HOURLY] = {"hourly", "%Y/%m/%d/%H"},
    [RETENTION_DAILY] = {"daily", "%Y/%m/%d"},  [RETENTION_WEEKLY] = {"weekly", "%G/%V"},
    [RETENTION_MONTHLY] = {"monthly", "%Y/%m"}, [RETENTION_YEARLY] = {"yearly", "%Y"},
    [RETENTION_PINNED] = {"pinned", NULL},      [RETENTION_NO_RULE] = {"no rule", NULL},
};

const char *retention_word(enum retention_by by)
{
    return rules[by].word;
}

/* What the rules have said so far. */
struct verdicts {
    struct retention_item *items;
    unsigned n;
    bool *is_settled;
};

static char *period_of(const struct verdicts *v, unsigned i, const char *form)
{
    if (!form)
        return g_strdup_printf("%u", i);
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(v->items[i].instant);
    return when ? g_date_time_format(when, form) : g_strdup("");
}

static void settle(struct verdicts *v, unsigned i, bool is_kept, enum retention_by by)
{
    v->items[i].is_kept = is_kept;
    v->items[i].by = by;
    v->is_settled[i] = true;
}

static GHashTable *periods_kept(const struct verdicts *v, const char *form)
{
    GHashTable *periods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (unsigned i = 0; i < v->n; i++)
        if (v->is_settled[i] && v->items[i].is_kept && v->items[i].by != RETENTION_PINNED)
            g_hash_table_add(periods, period_of(v, i, form));
    return periods;
}

static void apply_one(struct verdicts *v, enum retention_by by, unsigned keep)
{
    g_autoptr(GHashTable) earlier = periods_kept(v, rules[by].form);
    g_autoptr(GHashTable) mine = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (unsigned i = v->n; i-- > 0;) {
        g_autofree char *period = v->is_settled[i] ? NULL : period_of(v, i, rules[by].form);
        if (!period || g_hash_table_contains(earlier, period))
            continue;
        bool is_first = !g_hash_table_contains(mine, period);
        if (is_first && g_hash_table_size(mine) >= keep)
            return;
        settle(v, i, is_first, by);
        g_hash_table_add(mine, g_steal_pointer(&period));
    }
}

static bool is_empty(const struct retention_rule *rule)
{
    for (unsigned i = 0; i < RETENTION_RULES; i++)
        if (rule->keep[i])
            return false;
    return true;
}

static void apply_all(const struct retention_rule *rule, struct retention_item *items, unsigned n)
{
    struct verdicts v = {items, n, g_new0(bool, n)};
    for (unsigned i = 0; i < n; i++) {
        items[i].is_kept = false;
        if (items[i].is_pinned)
            settle(&v, i, true, RETENTION_PINNED);
        else if (is_empty(rule))
            settle(&v, i, true, RETENTION_NO_RULE);
    }
    for (unsigned by = 0; by < RETENTION_RULES; by++)
        if (rule->keep[by])
            apply_one(&v, by, rule->keep[by]);
    g_free(v.is_settled);
}

void retention_apply(const struct retention_rule *rule, struct retention_item *items, unsigned n)
{
    g_autofree struct retention_item *whole = g_new(struct retention_item, n);
    unsigned n_whole = 0;
    for (unsigned i = 0; i < n; i++)
        if (items[i].is_whole)
            whole[n_whole++] = items[i];
    apply_all(rule, items, n);
    apply_all(rule, whole, n_whole);
    const struct retention_item *other = whole;
    for (unsigned i = 0; i < n; i++) {
        if (!items[i].is_whole)
            continue;
        if (!items[i].is_kept)
            items[i] = *other;
        other++;
    }
}
