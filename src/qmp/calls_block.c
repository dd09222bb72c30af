// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that look at drives and block nodes. */
#include <string.h>
#include "qmp/call.h"
#include "qmp/field.h"

/* --- drives ------------------------------------------------------------------------------------- */

/* By any of the images, newest first; under another format (raw over luks) only the file's description says
 * it. */
static bool is_encrypted(struct json_object *inserted)
{
    const char *file = field_text(inserted, "file");
    bool is = field_is_true(inserted, "encrypted") ||
              (file && g_str_has_prefix(file, "json:") && strstr(file, "\"driver\": \"luks\""));

    for (struct json_object *image = field_at(inserted, "image"); image && !is;
         image = field_at(image, "backing-image"))
        is = field_is_true(image, "encrypted");
    return is;
}

static struct qmp_drive read_drive(struct json_object *entry)
{
    struct json_object *inserted = field_at(entry, "inserted"), *image = field_at(inserted, "image");
    struct qmp_drive drive = {
        .device = field_text(entry, "device"),
        .qdev = field_text(entry, "qdev"),
        .node_name = field_text(inserted, "node-name"),
        .format = field_text(inserted, "drv"),
        .file = field_text(inserted, "file"),
        .backing = field_text(inserted, "backing_file"),
        .is_removable = field_is_true(entry, "removable"),
        .has_medium = inserted != NULL,
        .is_read_only = field_is_true(inserted, "ro"),
        .has_data_file = field_at(field_at(field_at(image, "format-specific"), "data"), "data-file") != NULL,
        .has_snapshots = call_length(field_at(image, "snapshots")) > 0,
        .is_encrypted = is_encrypted(inserted),
        .virtual_size = field_size(image, "virtual-size", 0),
        .actual_size = field_size(image, "actual-size", UINT64_MAX),
    };

    drive.is_attached = drive.qdev && *drive.qdev;
    return drive;
}

CALL_LIST(on_block, struct qmp_drive, read_drive, qmp_on_drives)

void qmp_query_block(struct qmp *q, qmp_on_drives done, void *user)
{
    call_ask(q, "query-block", NULL, json_type_array, on_block, CALL_ANY(done), user);
}

static struct qmp_histogram read_histogram(struct json_object *of)
{
    struct json_object *boundaries = field_at(of, "boundaries"), *bins = field_at(of, "bins");
    struct qmp_histogram h = {0};

    if (!json_object_is_type(boundaries, json_type_array) || !json_object_is_type(bins, json_type_array))
        return h;
    size_t n = json_object_array_length(bins);
    if (n < 2 || n > QMP_MAX_BINS || json_object_array_length(boundaries) != n - 1)
        return h;
    h.n_bins = n;
    for (size_t i = 0; i < n; i++)
        h.bin[i] = json_object_get_uint64(json_object_array_get_idx(bins, i));
    for (size_t i = 0; i < n - 1; i++)
        h.boundary_ns[i] = json_object_get_uint64(json_object_array_get_idx(boundaries, i));
    return h;
}

static struct qmp_blockstat read_blockstat(struct json_object *entry)
{
    struct json_object *stats = field_at(entry, "stats");

    return (struct qmp_blockstat){
        .device = field_text(entry, "device"),
        .qdev = field_text(entry, "qdev"),
        .node_name = field_text(entry, "node-name"),
        .wr_operations = field_size(stats, "wr_operations", 0),
        .wr_total_time_ns = field_size(stats, "wr_total_time_ns", 0),
        .wr_latency = read_histogram(field_at(stats, "wr_latency_histogram")),
    };
}

CALL_LIST(on_blockstats, struct qmp_blockstat, read_blockstat, qmp_on_blockstats)

void qmp_query_blockstats(struct qmp *q, qmp_on_blockstats done, void *user)
{
    call_ask(q, "query-blockstats", NULL, json_type_array, on_blockstats, CALL_ANY(done), user);
}

/* --- exports ------------------------------------------------------------------------------------ */

static struct qmp_export read_export(struct json_object *entry)
{
    return (struct qmp_export){
        .id = field_text(entry, "id"),
        .type = field_text(entry, "type"),
        .node_name = field_text(entry, "node-name"),
        .is_shutting_down = field_is_true(entry, "shutting-down"),
    };
}

CALL_LIST(on_exports, struct qmp_export, read_export, qmp_on_exports)

void qmp_query_exports(struct qmp *q, qmp_on_exports done, void *user)
{
    call_ask(q, "query-block-exports", NULL, json_type_array, on_exports, CALL_ANY(done), user);
}
