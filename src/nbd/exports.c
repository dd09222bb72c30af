// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of exports: a short list, in the order they were added. */
#include "nbd/server.h"
#include "nbd/inside.h"

struct nbd_exports {
    GPtrArray *list; /* of struct nbd_export, each allocated: their addresses are promised to be stable */
};

static void export_free(void *item)
{
    struct nbd_export *export = item;

    g_free(export->name);
    g_free(export);
}

struct nbd_exports *nbd_exports_new(void)
{
    struct nbd_exports *set = g_new0(struct nbd_exports, 1);

    set->list = g_ptr_array_new_with_free_func(export_free);
    return set;
}

void nbd_exports_free(struct nbd_exports *set)
{
    if (!set)
        return;
    g_ptr_array_unref(set->list);
    g_free(set);
}

const struct nbd_export *nbd_exports_at(const struct nbd_exports *set, unsigned index)
{
    return index < set->list->len ? set->list->pdata[index] : NULL;
}

static int find_index(const struct nbd_exports *set, const char *name)
{
    for (unsigned i = 0; i < set->list->len; i++)
        if (strcmp(nbd_exports_at(set, i)->name, name) == 0)
            return i;
    return -1;
}

struct nbd_export *nbd_exports_add(struct nbd_exports *set, const struct nbd_export *export)
{
    struct nbd_export *copy;

    g_assert(find_index(set, export->name) < 0);
    g_assert(strlen(export->name) <= NBD_MAX_NAME_BYTES);
    copy = g_memdup2(export, sizeof *export);
    copy->name = g_strdup(export->name);
    g_ptr_array_add(set->list, copy);
    return copy;
}

void nbd_exports_remove(struct nbd_exports *set, const char *name)
{
    int i = find_index(set, name);

    if (i >= 0)
        g_ptr_array_remove_index(set->list, i);
}

const struct nbd_export *nbd_exports_find(const struct nbd_exports *set, const char *name)
{
    int i = find_index(set, name);

    return i >= 0 ? nbd_exports_at(set, i) : NULL;
}
