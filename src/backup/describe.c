// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/describe.h"
#include "backup/found.h"
#include "backup/run.h"

#include <json-c/json.h>
#include <string.h>
#include "guest/line.h"
#include "guest/mask.h"

#define MAX_COMMAND_LINE (64u << 10) /* that is read, */
#define MAX_KEPT         (24u << 10) /* and of 60 KiB that the description may take */

static json_object *text(const char *value)
{
    return json_object_new_string(value ? value : "");
}

/* Words of QEMU's, which may name an image by its address. */
static json_object *masked(const char *value)
{
    g_autofree char *safe = mask_text(value ? value : "");

    return text(safe);
}

static json_object *instant(int64_t real_us)
{
    g_autoptr(GDateTime) when = NULL;
    g_autofree char *iso = NULL;

    if (!real_us)
        return NULL;
    when = g_date_time_new_from_unix_utc(real_us / G_USEC_PER_SEC);
    iso = g_date_time_format_iso8601(when);
    return text(iso);
}

static const struct found_drive *found_by_device(const struct backup *b, const char *qdev)
{
    for_each_found (f, b)
        if (g_strcmp0(f->qdev, qdev) == 0)
            return f;
    return NULL;
}

static json_object *saved_drives(const struct backup *b)
{
    json_object *list = json_object_new_array();

    for_each_drive (d, b) {
        const struct found_drive *f = found_by_device(b, d->qdev);
        if (drive_is(d, DRIVE_IS_OUT) && target_can_drop(b))
            continue;
        json_object *entry = json_object_new_object();
        json_object_object_add(entry, "name", text(d->name));
        json_object_object_add(entry, "id", text(f ? f->device : NULL));
        json_object_object_add(entry, "device", text(d->qdev));
        json_object_object_add(entry, "node", text(d->node));
        json_object_object_add(entry, "format", text(f ? f->format : NULL));
        json_object_object_add(entry, "size", json_object_new_int64((int64_t)d->size));
        json_object_object_add(entry, "encrypted",
                               json_object_new_boolean(f && f->is_encrypted)); /* it was, here it is not */
        json_object_object_add(entry, "guard", text(d->is_guarded ? "filter" : "direct"));
        json_object_object_add(entry, "engine", text(engine_word(d->is_pulled ? ENGINE_PULL : ENGINE_PUSH)));
        json_object_object_add(entry, "instant", instant(d->instant_us ? d->instant_us : b->instant_us));
        if (drive_is(d, DRIVE_IS_OUT)) /* a pipe has swallowed a part of it */
            json_object_object_add(entry, "whole", json_object_new_boolean(false));
        json_object_array_add(list, entry);
    }
    return list;
}

static json_object *texts(const char *first, char **more)
{
    json_object *list = json_object_new_array();

    if (first)
        json_object_array_add(list, text(first));
    for (; *more; more++)
        json_object_array_add(list, text(*more));
    return list;
}

static void add_if_short(json_object *root, const char *key, json_object *list)
{
    if (strlen(json_object_to_json_string(list)) <= MAX_KEPT)
        json_object_object_add(root, key, list);
    else
        json_object_put(list);
}

/* What makes the guest, by a white list; the options that are not kept, by name. */
static void add_command_line(const struct backup *b, json_object *root)
{
    g_autofree char *name = g_path_get_basename(b->facts.argv[0]);
    g_autoptr(guest_line_t) line = guest_line_new(b->facts.argv + 1, b->facts.machine, false);
    g_auto(GStrv) kept = guest_line_format(line);

    g_ptr_array_add(line->left, NULL);
    add_if_short(root, "command_line", texts(value_is(VALUE_WORD, name) ? name : "qemu", kept));
    add_if_short(root, "command_line_without", texts(NULL, (char **)line->left->pdata));
}

/* What listens on the monitor was started like this, if it is on this machine and is a QEMU. */
void describe_find_command_line(struct backup *b)
{
    int pid = qmp_peer_pid(b->qmp);
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *bytes = NULL, *program = NULL;
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    gsize len = 0;

    g_clear_pointer(&b->facts.argv, g_strfreev);
    if (!pid || !g_file_get_contents(path, &bytes, &len, NULL) || !len || len > MAX_COMMAND_LINE)
        return;
    program = g_path_get_basename(bytes);
    if (!strstr(program, "qemu") && !strstr(program, "kvm"))
        return;
    for (const char *at = bytes; at < bytes + len; at += strlen(at) + 1) {
        if (!g_utf8_validate(at, -1, NULL))
            return;
        g_ptr_array_add(argv, g_strdup(at));
    }
    g_ptr_array_add(argv, NULL);
    b->facts.argv = (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static json_object *left_out(const struct backup *b)
{
    json_object *list = json_object_new_array();

    for (unsigned i = 0; i < b->model.n_drives; i++) {
        const struct model_drive *row = &b->model.drives[i];
        bool is_lost = row->is_vmstate ? b->ram.is_lost : row->state == MODEL_FAIL || row->state == MODEL_CANCELLED;
        if (row->is_included && !is_lost)
            continue;
        json_object *entry = json_object_new_object();
        json_object_object_add(entry, "name", text(row->name));
        json_object_object_add(entry, "why", masked(row->note));
        json_object_array_add(list, entry);
    }
    return list;
}

/* Of what was asked for. */
static json_object *missing(const struct backup *b)
{
    json_object *list = json_object_new_array();

    for (unsigned i = 0; i < b->model.n_drives; i++) {
        const struct model_drive *row = &b->model.drives[i];
        if (model_is_missing(row))
            json_object_array_add(list, text(row->name));
    }
    return list;
}

static json_object *sentences(const GPtrArray *array)
{
    json_object *list = json_object_new_array();

    for_each_in (const char, text, array)
        json_object_array_add(list, masked(text));
    return list;
}

char *describe_run(const struct backup *b)
{
    json_object *root = json_object_new_object();
    char *result;

    json_object_object_add(root, "program", text("vmabackup " VMB_VERSION));
    json_object_object_add(root, "run", text(b->run_id));
    json_object_object_add(root, "guest", text(b->model.guest));
    if (b->facts.nameless_at)
        json_object_object_add(root, "nameless_at", text(b->facts.nameless_at));
    json_object_object_add(root, "qemu", text(b->model.qemu));
    json_object_object_add(root, "machine", text(b->facts.machine));
    if (b->facts.argv)
        add_command_line(b, root);
    json_object_object_add(root, "recipe", text(b->model.recipe));
    json_object_object_add(root, "engine", text(b->model.engine.word));
    json_object_object_add(root, "instant", instant(b->instant_us));
    json_object_object_add(root, "ram", json_object_new_boolean(b->ram.method != RAM_NONE && !b->ram.is_lost));
    json_object_object_add(root, "frozen", json_object_new_boolean(b->options.agent && !b->agent.has_failed));
    json_object_object_add(root, "drives", saved_drives(b));
    json_object_object_add(root, "left_out", left_out(b));
    json_object_object_add(root, "missing", missing(b));
    json_object_object_add(root, "not_savable", sentences(b->facts.unsavable));
    result = g_strdup(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
    json_object_put(root);
    return result;
}
