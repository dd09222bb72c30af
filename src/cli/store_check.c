// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup store check [--json] DIR`: every fault as a line on standard output, the verdict last. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/snapshots.h"
#include "cli/store.h"
#include "store/check.h"

static void on_progress(void *user, uint64_t read, uint64_t all)
{
    progress_tell(user, read, all);
}

static unsigned damaged_entries(const struct snapshots *all, const struct checked *done)
{
    unsigned n = 0;
    for_each_in (const struct entry, e, all->entries)
        n += checked_is_damaged(done, e);
    return n;
}

/* ---- text ---- */

static void print_fault(const struct check_fault *f)
{
    g_autofree char *what = text_make_safe(f->what), *drive = text_make_safe(f->device ? f->device->name : NULL);
    printf("%s: ", f->entry->shown);
    if (drive && f->len)
        printf("%s: offset %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " bytes: ", drive, f->offset, f->len);
    else if (drive)
        printf("%s: ", drive);
    puts(what);
}

static void print_text(const struct snapshots *all, const struct checked *done)
{
    char size[UNITS_LEN];
    unsigned n = damaged_entries(all, done);
    for_each_in (const struct check_fault, f, done->faults)
        print_fault(f);
    printf("%s: %" G_GUINT64_FORMAT " chunks, %s read\n", all->shown, done->chunks,
           units_format_size(done->bytes, size));
    for_each_in (const struct entry, e, all->entries)
        if (checked_is_damaged(done, e))
            printf("damaged  %s\n", e->shown);
    if (done->set_aside)
        printf("%s: %u damaged chunks set aside; a backup that still has what was in them writes them anew\n",
               all->shown, done->set_aside);
    if (done->suspected)
        printf("%s: %u damaged chunks keep their places while the store is in use; a backup that still has what was in "
               "them writes them anew\n",
               all->shown, done->suspected);
    if (done->set_aside + done->suspected < done->damaged)
        printf("%s: %u damaged chunks keep their places, since the store is in use or cannot be written; check again "
               "later\n",
               all->shown, done->damaged - done->set_aside - done->suspected);
    if (!n)
        printf("%s: good: %u snapshots, all whole\n", all->shown, all->entries->len);
}

/* ---- JSON ---- */

static struct json_object *fault_json(const struct check_fault *f)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "snapshot", json_object_new_string(f->entry->shown));
    json_object_object_add(o, "drive", cli_json_text(f->device ? f->device->name : NULL));
    json_object_object_add(o, "offset", f->len ? json_object_new_int64((int64_t)f->offset) : NULL);
    json_object_object_add(o, "length", f->len ? json_object_new_int64((int64_t)f->len) : NULL);
    json_object_object_add(o, "text", cli_json_text(f->what));
    return o;
}

static void print_json(const struct snapshots *all, const struct checked *done)
{
    struct json_object *o = json_object_new_object(), *faults = json_object_new_array(),
                       *list = json_object_new_array();
    for_each_in (const struct check_fault, f, done->faults)
        json_object_array_add(faults, fault_json(f));
    for_each_in (const struct entry, e, all->entries)
        if (checked_is_damaged(done, e))
            json_object_array_add(list, json_object_new_string(e->shown));
    json_object_object_add(o, "store", json_object_new_string(all->shown));
    json_object_object_add(o, "is_damaged", json_object_new_boolean(done->faults->len > 0));
    json_object_object_add(o, "snapshots", json_object_new_int((int)all->entries->len));
    json_object_object_add(o, "chunks", json_object_new_int64((int64_t)done->chunks));
    json_object_object_add(o, "bytes_read", json_object_new_int64((int64_t)done->bytes));
    json_object_object_add(o, "damaged_chunks", json_object_new_int((int)done->damaged));
    json_object_object_add(o, "set_aside", json_object_new_int((int)done->set_aside));
    json_object_object_add(o, "damaged_snapshots", list);
    json_object_object_add(o, "faults", faults);
    cli_json_print(o);
}

static bool run(struct snapshots *all, struct checked *done, GError **error)
{
    struct progress progress;
    struct check_options options = {.on_progress = on_progress, .user = &progress};
    progress_start(&progress, "checking");
    bool ok = check(all->store, all->entries, &options, done, error);
    progress_clear(&progress);
    return ok;
}

static bool judge(const struct snapshots *all, const struct checked *done, GError **error)
{
    unsigned n = damaged_entries(all, done);
    return !n ||
           vmb_fail(error, VMB_ERROR_DAMAGED, "%s: damaged: %u of %u snapshots", all->shown, n, all->entries->len);
}

int cli_store_check(const char *path, bool is_json)
{
    struct snapshots all = {0};
    struct checked done = {0};
    g_autoptr(GError) error = NULL;
    bool ok = snapshots_load(&all, path, &error) && run(&all, &done, &error);
    if (done.unnoted)
        fprintf(stderr, "vmabackup: what was found cannot be noted: %s\n", done.unnoted->message);
    if (ok) {
        (is_json ? print_json : print_text)(&all, &done);
        ok = judge(&all, &done, &error);
    }
    checked_clear(&done);
    snapshots_clear(&all);
    return ok ? 0 : cli_fail(error);
}
