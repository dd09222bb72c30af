// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/list_store.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/each.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/snapshots.h"
#include "vma/format.h"

/* "scsi0 scsi1 +RAM" */
static char *drives_text(const struct entry *e)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; e->snapshot && i < e->snapshot->devices->len; i++) {
        const struct snapshot_device *d = g_ptr_array_index(e->snapshot->devices, i);
        g_string_append_printf(text, "%s%s", text->len ? " " : "",
                               strcmp(d->name, VMA_VMSTATE_NAME) ? d->name : "+RAM");
    }
    g_autofree char *raw = g_string_free(text, FALSE);
    return text_make_safe(raw);
}

static void print_row(const struct entry *e, int width)
{
    char size[UNITS_LEN], more[UNITS_LEN];
    g_autofree char *drives = drives_text(e), *notes = snapshots_notes(e);
    g_autofree char *verified = snapshots_time(e->snapshot ? e->snapshot->verified : 0);
    const char *gap = *notes ? "  " : "";
    if (e->error)
        printf("%-*s  %s%s%s\n", width, e->shown, e->error->message, gap, notes);
    else
        printf("%-*s  %6s  %6s  %-16s  %s%s%s\n", width, e->shown, units_format_size(snapshots_size(e), size),
               units_format_size(snapshots_new_bytes(e), more), verified, drives, gap, notes);
}

static void print_text(const struct snapshots *all)
{
    size_t width = strlen("SNAPSHOT");
    for_each_in (const struct entry, e, all->entries)
        width = MAX(width, strlen(e->shown));
    if (!all->entries->len)
        fprintf(stderr, "vmabackup: no snapshots in %s yet\n", all->shown);
    else
        printf("%-*s    SIZE     NEW  VERIFIED          DRIVES\n", (int)width, "SNAPSHOT");
    for_each_in (const struct entry, e, all->entries)
        print_row(e, (int)width);
}

static void print_json(const struct snapshots *all)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    for_each_in (const struct entry, e, all->entries)
        json_object_array_add(list, snapshots_json(e));
    json_object_object_add(o, "store", json_object_new_string(all->shown));
    json_object_object_add(o, "snapshots", list);
    cli_json_print(o);
}

int list_store(const char *path, bool is_json)
{
    struct snapshots all = {0};
    g_autoptr(GError) error = NULL;
    bool ok = snapshots_load(&all, path, &error);
    if (ok)
        (is_json ? print_json : print_text)(&all);
    snapshots_clear(&all);
    return ok ? 0 : cli_fail(error);
}
