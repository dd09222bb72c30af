// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup prune [--keep-… N]… [--dry-run] [--json] STORE [GUEST]` */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/snapshots.h"
#include "store/collect.h"
#include "store/retention.h"

struct pruning {
    struct snapshots all; /* of all guests: the chunks are theirs together */
    const char *guest;    /* whose snapshots may go; NULL: all guests' */
    struct retention_rule rule;
    struct retention_item *items; /* one for each entry */
    bool is_dry_run, is_json;
    unsigned removed;
    struct collected collected;
    bool is_collected; /* else somebody uses the store */
};

/* ---- what stays ---- */

static bool concerns(const struct pruning *p, const struct entry *e)
{
    return !p->guest || !strcmp(p->guest, e->guest);
}

/* The rule is applied to each guest by itself: entries of a guest stand together, the earliest first. */
static void decide(struct pruning *p)
{
    unsigned n = p->all.entries->len;
    struct entry **entries = (struct entry **)p->all.entries->pdata;
    p->items = g_new0(struct retention_item, n);
    for (unsigned i = 0, first = 0; i < n; i++) {
        const struct entry *e = entries[i];
        p->items[i].instant = snapshot_instant_of(e->name);
        /* A name of somebody's own says that he wants it. */
        p->items[i].is_pinned =
            !snapshot_is_name(e->name) || !concerns(p, e) || snapshot_is_marked(e->path, SNAPSHOT_PINNED);
        p->items[i].is_whole = snapshots_is_whole(e);
        if (i + 1 < n && !strcmp(entries[i + 1]->guest, e->guest))
            continue;
        retention_apply(&p->rule, &p->items[first], i + 1 - first);
        first = i + 1;
    }
}

/* What stays is told as kept by its rule, and what goes as gone. */
static bool stays(const struct pruning *p, const struct entry *e)
{
    return p->items[e->number - 1].is_kept;
}

/* ---- removing ---- */

static void print_row(const struct entry *e, const struct retention_item *item)
{
    printf("%-8s %-8s %s\n", item->is_kept ? "stays" : "goes", item->is_kept ? retention_word(item->by) : "", e->shown);
}

/* Since the table was printed. */
static void keep_pinned(struct pruning *p, const struct entry *e)
{
    struct retention_item *item = &p->items[e->number - 1];
    item->is_kept = true;
    item->by = RETENTION_PINNED;
    if (!p->is_json)
        print_row(e, item);
}

static bool remove_one(struct pruning *p, const struct entry *e, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (p->is_dry_run || snapshot_remove(e->path, &failed)) {
        p->removed++;
        return true;
    }
    if (!g_error_matches(failed, VMB_ERROR, VMB_ERROR_HELD)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    keep_pinned(p, e);
    return true;
}

static bool remove_snapshots(struct pruning *p, GError **error)
{
    for_each_in (const struct entry, e, p->all.entries)
        if (!stays(p, e) && !remove_one(p, e, error))
            return false;
    return true;
}

static bool nobody_waits(void *user)
{
    return !store_is_wanted(user);
}

/* Those that stay; it owns none of them. */
static GPtrArray *entries_that_stay(struct pruning *p)
{
    GPtrArray *left = g_ptr_array_new();
    for_each_in (struct entry, e, p->all.entries)
        if (stays(p, e))
            g_ptr_array_add(left, e);
    return left;
}

/* What cannot go holds nothing up. */
static void tidy(struct pruning *p)
{
    g_autoptr(GError) error = NULL;
    if (!store_tidy(p->all.store, &error))
        fprintf(stderr, "vmabackup: left over: %s\n", error->message);
}

static bool collect_chunks(struct pruning *p, GError **error)
{
    struct collect_options options = {p->is_dry_run, 0, nobody_waits, p->all.store};
    g_autoptr(GError) held = NULL;
    p->is_collected = p->is_dry_run || store_lock_exclusive(p->all.store, &held);
    if (!p->is_collected) {
        if (g_error_matches(held, VMB_ERROR, VMB_ERROR_HELD))
            return true;
        g_propagate_error(error, g_steal_pointer(&held));
        return false;
    }
    if (!p->is_dry_run)
        tidy(p);
    /* With the exclusive lock they are looked up anew: a backup may have ended meanwhile. */
    g_autoptr(GPtrArray) left = p->is_dry_run ? entries_that_stay(p) : entries_load(p->all.store, NULL, error);
    return left && collect(p->all.store, left, &options, &p->collected, error);
}

/* ---- telling ---- */

static void print_table(const struct pruning *p)
{
    for_each_in (const struct entry, e, p->all.entries)
        if (concerns(p, e))
            print_row(e, &p->items[e->number - 1]);
    fflush(stdout); /* before anything goes */
}

static void print_end(const struct pruning *p)
{
    const struct collected *c = &p->collected;
    const char *would = p->is_dry_run ? "would be " : "";
    char size[UNITS_LEN];
    printf("%s: %u snapshot%s %sremoved", p->all.shown, p->removed, p->removed == 1 ? "" : "s", would);
    if (!p->is_collected) {
        puts("; the store is in use: the next prune removes the chunks that are unused now");
        return;
    }
    printf(", %" G_GUINT64_FORMAT " unused chunk%s %sremoved: %s%s\n", c->chunks, c->chunks == 1 ? "" : "s", would,
           units_format_size(c->bytes, size),
           c->is_ended_early ? "; somebody else wants the store: the next prune removes the rest" : "");
}

static void print_json(const struct pruning *p)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    for_each_in (const struct entry, e, p->all.entries) {
        const struct retention_item *item = &p->items[e->number - 1];
        if (!concerns(p, e))
            continue;
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "snapshot", json_object_new_string(e->shown));
        json_object_object_add(row, "is_kept", json_object_new_boolean(item->is_kept));
        json_object_object_add(row, "kept_by", item->is_kept ? json_object_new_string(retention_word(item->by)) : NULL);
        json_object_array_add(list, row);
    }
    json_object_object_add(o, "store", json_object_new_string(p->all.shown));
    json_object_object_add(o, "is_dry_run", json_object_new_boolean(p->is_dry_run));
    json_object_object_add(o, "snapshots", list);
    json_object_object_add(o, "removed", json_object_new_int((int)p->removed));
    json_object_object_add(o, "is_collected", json_object_new_boolean(p->is_collected && !p->collected.is_ended_early));
    json_object_object_add(o, "removed_chunks", json_object_new_int64((int64_t)p->collected.chunks));
    json_object_object_add(o, "removed_bytes", json_object_new_int64((int64_t)p->collected.bytes));
    cli_json_print(o);
}

/* ---- the command ---- */

static bool has_guest(const struct pruning *p)
{
    for_each_in (const struct entry, e, p->all.entries)
        if (concerns(p, e))
            return true;
    return false;
}

static bool prune(struct pruning *p, const char *path, GError **error)
{
    if (!snapshots_load(&p->all, path, error))
        return false;
    if (p->all.guest)
        return vmb_fail(error, VMB_ERROR_USAGE, "prune: name the store: `vmabackup prune %s %s`", p->all.shown,
                        p->all.guest);
    if (p->guest && !has_guest(p))
        return vmb_fail(error, VMB_ERROR_FAILED, "store %s: has no snapshot of a guest %s; see `vmabackup list`",
                        p->all.shown, p->guest);
    decide(p);
    if (!p->is_json)
        print_table(p);
    bool ok = remove_snapshots(p, error) && collect_chunks(p, error);
    if (ok || p->is_json)
        (p->is_json ? print_json : print_end)(p);
    return ok;
}

static bool take_counts(const int *counts, struct retention_rule *rule, GError **error)
{
    for (unsigned i = 0; i < RETENTION_RULES; i++) {
        if (counts[i] < 0)
            return vmb_fail(error, VMB_ERROR_USAGE, "prune: --keep-%s must not be negative", retention_word(i));
        rule->keep[i] = (unsigned)counts[i];
    }
    return true;
}

int cli_prune(int argc, char **argv)
{
    gboolean is_json = FALSE, is_dry_run = FALSE;
    int counts[RETENTION_RULES] = {0};
#define KEEP(word, by, help)                                                                                           \
    {                                                                                                                  \
        "keep-" word, 0, 0, G_OPTION_ARG_INT, &counts[by], help, "N"                                                   \
    }
    const GOptionEntry options[] = {
        KEEP("last", RETENTION_LAST, "The last N"),
        KEEP("hourly", RETENTION_HOURLY, "The last one of each of N hours"),
        KEEP("daily", RETENTION_DAILY, "… of N days"),
        KEEP("weekly", RETENTION_WEEKLY, "… of N weeks"),
        KEEP("monthly", RETENTION_MONTHLY, "… of N months"),
        KEEP("yearly", RETENTION_YEARLY, "… of N years"),
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &is_dry_run, "Only say what would be done", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "Print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    struct pruning p = {0};
    if (!cli_parse_counted(
            &argc, &argv, options, "STORE [GUEST]",
            "Removes the snapshots that no --keep names, of each guest or of this one, and the chunks that "
            "nothing uses any more. Without any --keep all snapshots stay.",
            1, 2, &error) ||
        !take_counts(counts, &p.rule, &error))
        return cli_fail(error);
    g_autofree char *guest = argc > 2 ? store_guest_name(argv[2]) : NULL;
    p.guest = guest;
    p.is_dry_run = is_dry_run;
    p.is_json = is_json;
    bool ok = prune(&p, argv[1], &error);
    snapshots_clear(&p.all);
    g_free(p.items);
    return ok ? 0 : cli_fail(error);
}
