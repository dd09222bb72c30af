// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vmabackup extract [--drive NAME…] [--format raw|qcow2] [-C DIR] ARCHIVE`: sparse images, the RAM state,
 * the configurations. Unless all is good, no file gets its name (--salvage takes what there is).
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/condition.h"
#include "cli/pour.h"
#include "cli/signals.h"
#include "vma/files.h"

struct options {
    char **drives; /* NULL: everything */
    char *directory, *format;
    gboolean is_salvage, is_json;
};

struct extract {
    const struct options *options;
    struct output *configs[VMA_MAX_CONFIGS]; /* written in full */
};

/* ---- what goes where ---- */

static bool is_wanted(const struct options *o, const char *name)
{
    return !o->drives || g_strv_contains((const char *const *)o->drives, name);
}

static bool name_is_usable(const char *kind, const char *name, GError **error)
{
    if (vma_name_is_safe(name))
        return true;
    return vmb_fail(error, VMB_ERROR_DAMAGED, "its %s %s is no safe file name; extract single drives with --drive",
                    kind, name);
}

static struct output *open_device(const struct options *o, const struct vma_device *d, GError **error)
{
    bool is_qcow2 = strcmp(d->name, VMA_VMSTATE_NAME) && !strcmp(o->format, "qcow2");
    if (!name_is_usable("device name", d->name, error))
        return NULL;
    g_autofree char *file = vma_file_of_device(d->name, o->format);
    g_autofree char *path = g_build_filename(o->directory, file, NULL);
    return is_qcow2 ? output_new_qcow2(path, d->size, error) : output_new_raw(path, error);
}

static struct output *write_config(const struct options *o, const struct vma_config *c, GError **error)
{
    if (!name_is_usable("configuration name", c->name, error))
        return NULL;
    g_autofree char *path = g_build_filename(o->directory, c->name, NULL);
    struct output *file = output_new_raw(path, error);
    if (file && output_write(file, 0, c->data, c->len, error) && output_finish(file, c->len, error))
        return file;
    output_free(file);
    return NULL;
}

static bool all_drives_exist(const struct options *o, const struct vma_header *h, GError **error)
{
    for (char **wanted = o->drives; wanted && *wanted; wanted++)
        if (vma_header_find_device(h, *wanted) < 0)
            return vmb_fail(error, VMB_ERROR_FAILED, "holds no drive %s; `vmabackup list ARCHIVE` shows those it has",
                            *wanted);
    return true;
}

static bool take_file(GHashTable *taken, const char *name, GError **error)
{
    if (vma_files_take(taken, name))
        return true;
    g_autofree char *safe = text_make_safe(name);
    return vmb_fail(error, VMB_ERROR_DAMAGED,
                    "two of its parts want the file %s; extract single drives with --drive, and print "
                    "configurations with "
                    "`vmabackup config`",
                    safe);
}

/* A hostile archive may have names by which one part would take the place of another. */
static bool files_differ(const struct options *o, const struct vma_header *h, GError **error)
{
    g_autoptr(GHashTable) taken = vma_files_new();
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        const char *name = h->devices[i].name;
        g_autofree char *file = name && is_wanted(o, name) ? vma_file_of_device(name, o->format) : NULL;
        if (file && !take_file(taken, file, error))
            return false;
    }
    for (unsigned i = 0; !o->drives && i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name && !take_file(taken, h->configs[i].name, error))
            return false;
    return true;
}

static bool open_outputs(struct pour *p, const struct vma_header *h, GError **error)
{
    struct extract *x = p->user;
    const struct options *o = x->options;
    if (!all_drives_exist(o, h, error) || !files_differ(o, h, error))
        return false;
    if (mkdir(o->directory, 0777) && errno != EEXIST)
        return vmb_fail(error, VMB_ERROR_TARGET, "directory %s: cannot be made: %s", o->directory, g_strerror(errno));
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        if (h->devices[i].name && is_wanted(o, h->devices[i].name) &&
            !(p->outputs[i] = open_device(o, &h->devices[i], error)))
            return false;
    for (unsigned i = 0; !o->drives && i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name && !(x->configs[i] = write_config(o, &h->configs[i], error)))
            return false;
    return true;
}

/* ---- the end ---- */

static bool publish(struct pour *p, struct extract *x, GError **error)
{
    if (!pour_publish(p, error))
        return false;
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        if (x->configs[i] && !output_publish(x->configs[i], error))
            return false;
    return true;
}

/* What could be had of each drive, after salvaging a damaged archive. */
static void print_conditions(const struct pour *p)
{
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!p->outputs[i])
            continue;
        g_autofree char *text = condition_text(p->archive->walk, i);
        g_autofree char *name = text_make_safe(vma_walk_header(p->archive->walk)->devices[i].name);
        printf("%s: device %s: %s\n", p->archive->shown, name, text);
    }
}

static void print_json(const struct pour *p, const struct options *options)
{
    const struct vma_header *h = vma_walk_header(p->archive->walk);
    struct json_object *o = json_object_new_object(), *devices = json_object_new_array();
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!p->outputs[i])
            continue;
        g_autofree char *file = vma_file_of_device(h->devices[i].name, options->format);
        g_autofree char *path = g_build_filename(options->directory, file, NULL);
        struct json_object *device = condition_json(p->archive->walk, i);
        json_object_object_add(device, "file", cli_json_text(path));
        json_object_object_add(device, "size", json_object_new_int64((int64_t)pour_size(p, i)));
        json_object_array_add(devices, device);
    }
    json_object_object_add(o, "archive", json_object_new_string(p->archive->shown));
    json_object_object_add(o, "is_damaged", json_object_new_boolean(vma_walk_faults(p->archive->walk) > 0));
    json_object_object_add(o, "devices", devices);
    cli_json_print(o);
}

static bool judge(const struct pour *p, GError **error)
{
    unsigned faults = vma_walk_faults(p->archive->walk);
    if (faults)
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                    "damaged: %u fault%s; what could be read was unpacked, with zeros for the rest", faults,
                    faults == 1 ? "" : "s");
    else if (p->lost->len)
        g_set_error(error, VMB_ERROR, VMB_ERROR_INCOMPLETE,
                    "incomplete: the backup of %s failed or was cancelled; all else was unpacked", p->lost->str);
    else
        return true;
    cli_archive_prefix(p->archive->real, error);
    return false;
}

static bool extract(const char *path, const struct options *options, GError **error)
{
    struct extract x = {.options = options};
    struct pour p = {.open = open_outputs, .user = &x, .doing = "unpacking", .is_salvage = options->is_salvage};
    bool is_done = pour_run(&p, path, error) && publish(&p, &x, error);
    if (is_done) {
        if (options->is_json)
            print_json(&p, options);
        else if (vma_walk_faults(p.archive->walk))
            print_conditions(&p);
        is_done = judge(&p, error);
    }
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        output_free(x.configs[i]);
    pour_clear(&p);
    return is_done;
}

static bool check(struct options *o, GError **error)
{
    if (!o->directory)
        o->directory = g_strdup(".");
    if (!o->format)
        o->format = g_strdup("raw");
    if (!strcmp(o->format, "raw") || !strcmp(o->format, "qcow2"))
        return true;
    return vmb_fail(error, VMB_ERROR_USAGE, "extract: --format %s is not known; it is raw or qcow2", o->format);
}

int cli_extract(int argc, char **argv)
{
    struct options options = {0};
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"drive", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.drives,
         "Unpack only this device, no configurations (repeatable)", "NAME"},
        {"directory", 'C', 0, G_OPTION_ARG_FILENAME, &options.directory,
         "Unpack into DIR, made if need be (default: here)", "DIR"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &options.format, "Of the drives' images: raw (default) or qcow2",
         "FORMAT"},
        {"salvage", 0, 0, G_OPTION_ARG_NONE, &options.is_salvage,
         "Unpack what can be read of a damaged archive; what is missing becomes zeros", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.is_json, "Print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    bool is_good =
        cli_parse_counted(&argc, &argv, entries, "ARCHIVE",
                          "Unpacks drives as sparse images NAME.raw or NAME.qcow2, the RAM state as vmstate.bin, and\n"
                          "the configurations. Nothing is overwritten; of a damaged archive nothing is left behind.",
                          1, 1, &error) &&
        check(&options, &error);
    if (is_good) {
        signals_catch();
        is_good = extract(argv[1], &options, &error);
    }
    g_strfreev(options.drives);
    g_free(options.directory);
    g_free(options.format);
    return signals_leave(is_good ? 0 : cli_fail(error));
}
