// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/entries.h"

#include <unistd.h>

#include "base/each.h"
#include "base/text.h"
#include "store/durable.h"

static void entry_free(gpointer item)
{
    struct entry *e = item;
    g_free(e->guest);
    g_free(e->name);
    g_free(e->path);
    g_free(e->shown);
    snapshot_free(e->snapshot);
    g_clear_error(&e->error);
    g_free(e);
}

static bool is_snapshot(int fd, const char *name)
{
    return *name != '.' && snapshot_is_at(fd, name);
}

static void add_entry(GPtrArray *to, const char *folder, const char *guest, const char *name)
{
    struct entry *e = g_new0(struct entry, 1);
    g_autofree char *shown = g_build_filename(guest, name, NULL);
    e->guest = g_strdup(guest);
    e->name = g_strdup(name);
    e->path = g_build_filename(folder, name, NULL);
    e->shown = text_make_safe(shown);
    e->snapshot = snapshot_load(e->path, &e->error);
    g_ptr_array_add(to, e);
    e->number = to->len;
}

static int compare(gconstpointer a, gconstpointer b)
{
    return snapshot_compare_names(*(char *const *)a, *(char *const *)b);
}

static bool add_guest(GPtrArray *to, const struct store *s, const char *guest, GError **error)
{
    g_autofree char *folder = g_build_filename(s->path, guest, NULL);
    int fd = durable_open_folder(folder, error);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : durable_names(fd, folder, error);
    if (names)
        g_ptr_array_sort(names, compare);
    for (unsigned i = 0; names && i < names->len; i++)
        if (is_snapshot(fd, g_ptr_array_index(names, i)))
            add_entry(to, folder, guest, g_ptr_array_index(names, i));
    if (fd >= 0)
        close(fd);
    return names;
}

GPtrArray *entries_load(struct store *s, const char *guest, GError **error)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(entry_free);
    g_autoptr(GPtrArray) guests = guest ? NULL : store_guests(s, error);
    bool ok = guest ? add_guest(all, s, guest, error) : guests != NULL;
    for (unsigned i = 0; ok && guests && i < guests->len; i++)
        ok = add_guest(all, s, g_ptr_array_index(guests, i), error);
    if (ok)
        return all;
    g_ptr_array_unref(all);
    return NULL;
}
