// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup verify [--json] ARCHIVE`: every fault as a line on standard output, the verdict last. */
#include <json-c/json.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/condition.h"
#include "cli/description.h"
#include "cli/signals.h"
#include "store/snapshot_image.h"
#include "vma/verify.h"

#define MAX_REPORTED 1000u

struct report {
    struct cli_archive *archive;
    struct json_object *faults; /* NULL: as lines */
    unsigned reported;
    char *missing; /* of what was to be saved, as the description says; NULL: nothing */
};

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct report *r = user;
    if (r->reported++ >= MAX_REPORTED)
        return;
    if (!r->faults) {
        progress_clear(&r->archive->progress);
        printf("%s: offset %" G_GUINT64_FORMAT ": %s\n", r->archive->shown, offset, text);
        return;
    }
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "offset", json_object_new_int64((int64_t)offset));
    json_object_object_add(o, "text", json_object_new_string(text));
    json_object_array_add(r->faults, o);
}

/* What can be said of the data itself. */
static const char *digest_text(const struct vma_verify_result *v)
{
    if (v->has_digests)
        return "every extent's data matches its digest";
    if (v->extents == 0)
        return "it holds no data";
    return "it carries no payload digests, so only its structure could be checked";
}

static void print_conditions(const struct report *r)
{
    const struct vma_header *h = vma_walk_header(r->archive->walk);
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!h->devices[i].name)
            continue;
        g_autofree char *name = text_make_safe(h->devices[i].name), *text = condition_text(r->archive->walk, i);
        printf("%s: device %s: %s\n", r->archive->shown, name, text);
    }
}

static void print_text(const struct report *r, const struct vma_verify_result *v)
{
    char stored[UNITS_LEN], read[UNITS_LEN];
    if (r->reported > MAX_REPORTED)
        printf("%s: and %u faults more\n", r->archive->shown, r->reported - MAX_REPORTED);
    printf("%s: devices %u, extents %" G_GUINT64_FORMAT ", clusters %" G_GUINT64_FORMAT ", %s stored, %s read\n",
           r->archive->shown, v->devices, v->extents, v->clusters,
           units_format_size(v->blocks * VMA_BLOCK_SIZE, stored), units_format_size(v->bytes_read, read));
    if (v->faults || v->lost_devices)
        print_conditions(r);
    else
        printf("%s: good: %s\n", r->archive->shown, digest_text(v));
}

static struct json_object *conditions_json(const struct report *r)
{
    const struct vma_header *h = vma_walk_header(r->archive->walk);
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++)
        if (h->devices[i].name)
            json_object_array_add(list, condition_json(r->archive->walk, i));
    return list;
}

static void print_json(const struct report *r, const struct vma_verify_result *v)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "archive", json_object_new_string(r->archive->shown));
    json_object_object_add(o, "is_damaged", json_object_new_boolean(v->faults > 0));
    json_object_object_add(o, "is_complete", json_object_new_boolean(!v->faults && !v->lost_devices && !r->missing));
    json_object_object_add(o, "has_digests", json_object_new_boolean(v->has_digests));
    json_object_object_add(o, "has_end_mark", json_object_new_boolean(v->has_end_mark));
    json_object_object_add(o, "devices", json_object_new_int((int)v->devices));
    json_object_object_add(o, "lost_devices", json_object_new_int((int)v->lost_devices));
    json_object_object_add(o, "extents", json_object_new_int64((int64_t)v->extents));
    json_object_object_add(o, "clusters", json_object_new_int64((int64_t)v->clusters));
    json_object_object_add(o, "stored_bytes", json_object_new_int64((int64_t)(v->blocks * VMA_BLOCK_SIZE)));
    json_object_object_add(o, "bytes_read", json_object_new_int64((int64_t)v->bytes_read));
    json_object_object_add(o, "fault_count", json_object_new_int64(v->faults));
    json_object_object_add(o, "faults", json_object_get(r->faults));
    json_object_object_add(o, "conditions", conditions_json(r));
    cli_json_print(o);
}

static char *missing_text(const struct cli_archive *a)
{
    struct json_object *about = description_of(vma_walk_header(a->walk));
    g_auto(GStrv) names = description_texts(about, "missing");
    g_autofree char *text = names && *names ? g_strjoinv(", ", names) : NULL;
    json_object_put(about);
    return text_make_safe(text);
}

static bool judge(const struct vma_verify_result *v, const char *missing, GError **error)
{
    if (v->faults)
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "damaged: %u fault%s found", v->faults,
                    v->faults == 1 ? "" : "s");
    else if (v->lost_devices)
        g_set_error(error, VMB_ERROR, VMB_ERROR_INCOMPLETE,
                    "undamaged, but incomplete: %u of its devices could not be backed up", v->lost_devices);
    else if (missing)
        g_set_error(error, VMB_ERROR, VMB_ERROR_INCOMPLETE, "undamaged, but incomplete: %s could not be backed up",
                    missing);
    return !v->faults && !v->lost_devices && !missing;
}

/* A snapshot says when it was good; of one that is damaged, no longer that it ever was. */
static void note(const struct cli_archive *archive, const GError *verdict)
{
    g_autoptr(GError) failed = NULL;
    bool is_good = !verdict || g_error_matches(verdict, VMB_ERROR, VMB_ERROR_INCOMPLETE);
    bool is_known = is_good || g_error_matches(verdict, VMB_ERROR, VMB_ERROR_DAMAGED);
    if (is_known && snapshot_image_is(archive->real) &&
        !snapshot_set_verified(archive->real, !is_good ? 0 : g_get_real_time() / G_USEC_PER_SEC, &failed))
        fprintf(stderr, "vmabackup: what was found cannot be noted: %s\n", failed->message);
}

static bool verify(const char *path, bool is_json, GError **error)
{
    static const struct vma_walk_ops ops = {.fault = on_fault};
    struct report report = {.faults = is_json ? json_object_new_array() : NULL};
    g_autoptr(cli_archive) archive = report.archive = cli_archive_open(path, &ops, &report, error);
    bool is_good = archive != NULL;
    if (is_good) {
        archive->goes_on = true;
        is_good = cli_archive_read(archive, "verifying", error);
    }
    if (is_good) {
        struct vma_verify_result result = vma_verify_result_of(archive->walk);
        report.missing = missing_text(archive);
        (is_json ? print_json : print_text)(&report, &result);
        is_good = judge(&result, report.missing, error);
        cli_archive_prefix(archive->real, error);
    }
    if (archive)
        note(archive, *error);
    g_free(report.missing);
    json_object_put(report.faults);
    return is_good;
}

int cli_verify(int argc, char **argv)
{
    gboolean is_json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "Print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(&argc, &argv, options, "ARCHIVE",
                           "Reads everything, checks everything, and reports every fault that is found.", 1, 1, &error))
        return cli_fail(error);
    signals_catch();
    return signals_leave(verify(argv[1], is_json, &error) ? 0 : cli_fail(error));
}
