// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/files.h"

#include <string.h>

#include "vma/format.h"

GHashTable *vma_files_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

char *vma_file_of_device(const char *device, const char *format)
{
    return g_strconcat(device, ".", strcmp(device, VMA_VMSTATE_NAME) ? format : "bin", NULL);
}

bool vma_files_take(GHashTable *taken, const char *name)
{
    char *partial = g_strconcat(name, ".partial", NULL);
    bool is_new = g_hash_table_add(taken, g_strdup(name));
    return g_hash_table_add(taken, partial) && is_new;
}
