// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/snapshots.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "store/snapshot_json.h"
#include "vma/format.h"

/* ---- which ---- */

/* The store that a path means, and the guest, or NULL; NULL: neither a store nor in one. */
static char *resolve(const char *path, char **guest)
{
    char *real = realpath(path, NULL);
    g_autofree char *here = g_strdup(real ? real : path), *above = g_path_get_dirname(here);
    free(real);
    *guest = NULL;
    if (store_is(here))
        return g_steal_pointer(&here);
    if (!store_is(above) || !g_file_test(here, G_FILE_TEST_IS_DIR))
        return NULL;
    *guest = g_path_get_basename(here);
    return g_steal_pointer(&above);
}

bool snapshots_are_at(const char *path)
{
    g_autofree char *guest = NULL, *dir = resolve(path, &guest);
    return dir != NULL;
}

bool snapshots_load(struct snapshots *all, const char *path, GError **error)
{
    g_autofree char *dir = resolve(path, &all->guest);
    all->store = store_open(dir ? dir : path, STORE_SHARED, error);
    if (!all->store)
        return false;
    all->shown = text_make_safe(all->store->path);
    all->entries = entries_load(all->store, all->guest, error);
    return all->entries != NULL;
}

void snapshots_clear(struct snapshots *all)
{
    g_clear_pointer(&all->entries, g_ptr_array_unref);
    g_clear_pointer(&all->store, store_free);
    g_free(all->shown);
    g_free(all->guest);
}

/* ---- what they are ---- */

uint64_t snapshots_size(const struct entry *e)
{
    return e->snapshot ? snapshot_size(e->snapshot) : 0;
}

uint64_t snapshots_new_bytes(const struct entry *e)
{
    return e->snapshot ? snapshot_new_bytes(e->snapshot) : 0;
}

char *snapshots_time(int64_t instant)
{
    g_autoptr(GDateTime) when = instant ? g_date_time_new_from_unix_local(instant) : NULL;
    return when ? g_date_time_format(when, "%Y-%m-%d %H:%M") : g_strdup("-");
}

bool snapshots_is_whole(const struct entry *e)
{
    g_auto(GStrv) missing = e->snapshot ? snapshot_missing(e->snapshot) : NULL;
    return missing && !*missing && !e->snapshot->is_damaged;
}

char *snapshots_notes(const struct entry *e)
{
    g_auto(GStrv) missing = e->snapshot ? snapshot_missing(e->snapshot) : NULL;
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    if (snapshot_is_marked(e->path, SNAPSHOT_PINNED))
        g_ptr_array_add(notes, g_strdup("pinned"));
    if (!e->snapshot || e->snapshot->is_damaged)
        g_ptr_array_add(notes, g_strdup("damaged"));
    if (missing && *missing) {
        g_autofree char *names = g_strjoinv(" ", missing);
        g_ptr_array_add(notes, g_strdup_printf("incomplete: without %s", names));
    }
    g_ptr_array_add(notes, NULL);
    return g_strjoinv(", ", (char **)notes->pdata);
}

/* ---- JSON ---- */

static struct json_object *drives_json(const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    for_each_in (const struct snapshot_device, d, s->devices) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "name", cli_json_text(d->name));
        json_object_object_add(o, "size", json_object_new_int64((int64_t)d->size));
        json_object_object_add(o, "new_bytes", json_object_new_int64((int64_t)d->new_bytes));
        json_object_object_add(o, "new_plain", json_object_new_int64((int64_t)d->new_plain));
        json_object_object_add(o, "is_ram", json_object_new_boolean(!strcmp(d->name, VMA_VMSTATE_NAME)));
        json_object_object_add(o, "is_tracked", json_object_new_boolean(d->bitmap != NULL));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *missing_json(const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    g_auto(GStrv) missing = s ? snapshot_missing(s) : NULL;
    for (char **name = missing; name && *name; name++)
        json_object_array_add(list, json_object_new_string(*name));
    return list;
}

struct json_object *snapshots_json(const struct entry *e)
{
    struct json_object *o = json_object_new_object();
    const struct snapshot *s = e->snapshot;
    int64_t instant = s ? s->instant : snapshot_instant_of(e->name);
    g_autofree char *when = snapshot_instant_text(instant), *verified = NULL;
    if (s && s->verified)
        verified = snapshot_instant_text(s->verified);
    json_object_object_add(o, "snapshot", json_object_new_string(e->shown));
    json_object_object_add(o, "guest", cli_json_text(e->guest));
    json_object_object_add(o, "path", cli_json_text(e->path));
    json_object_object_add(o, "instant", cli_json_text(when));
    json_object_object_add(o, "size", json_object_new_int64((int64_t)snapshots_size(e)));
    json_object_object_add(o, "new_bytes", json_object_new_int64((int64_t)snapshots_new_bytes(e)));
    json_object_object_add(o, "drives", s ? drives_json(s) : json_object_new_array());
    json_object_object_add(o, "verified", cli_json_text(verified));
    json_object_object_add(o, "is_pinned", json_object_new_boolean(snapshot_is_marked(e->path, SNAPSHOT_PINNED)));
    json_object_object_add(o, "is_damaged", json_object_new_boolean(!s || s->is_damaged));
    json_object_object_add(o, "missing", missing_json(s));
    json_object_object_add(o, "error", e->error ? cli_json_text(e->error->message) : NULL);
    return o;
}
