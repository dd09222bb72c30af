// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup list [--json] ARCHIVE`: what its header says; nothing behind it is read. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/description.h"
#include "cli/guest_command.h"
#include "cli/list_store.h"
#include "cli/snapshots.h"

static char *time_text(int64_t ctime)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(ctime); /* NULL: beyond the year 9999 */
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;
    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S %z") : g_strdup("unknown");
}

/* ---- text ---- */

/* It was encrypted in the guest's image, as the description says; here it is not. */
static bool was_encrypted(struct json_object *about, const char *name)
{
    struct json_object *drive = description_drive(about, name), *value;
    return drive && json_object_object_get_ex(drive, "encrypted", &value) && json_object_get_boolean(value);
}

static void print_devices(const struct vma_header *h, struct json_object *about)
{
    char size[UNITS_LEN];
    puts("\nDEVICE                         SIZE           BYTES");
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        const struct vma_device *d = &h->devices[i];
        if (!d->name)
            continue;
        g_autofree char *name = text_make_safe(d->name);
        const char *note = !strcmp(d->name, VMA_VMSTATE_NAME) ? "  RAM and device state, at most" /* an upper bound */
                           : was_encrypted(about, d->name)    ? "  decrypted: the guest's image is encrypted"
                                                              : "";
        printf("%-28s %6s %15" G_GUINT64_FORMAT "%s\n", name, units_format_size(d->size, size), d->size, note);
    }
}

static void print_configs(const struct vma_header *h)
{
    bool has_any = false;
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        if (!h->configs[i].name)
            continue;
        if (!has_any)
            puts("\nCONFIGURATION                                 BYTES");
        has_any = true;
        g_autofree char *name = text_make_safe(h->configs[i].name);
        printf("%-35s %15zu\n", name, h->configs[i].len);
    }
}

static void print_described(const char *label, struct json_object *about, const char *key)
{
    g_autofree char *text = text_make_safe(description_text(about, key));
    if (text)
        printf("%s%s\n", label, text);
}

static void print_missing(struct json_object *about)
{
    g_auto(GStrv) names = description_texts(about, "missing");
    g_autofree char *text = names && *names ? g_strjoinv(", ", names) : NULL, *safe = text_make_safe(text);
    if (safe)
        printf("missing  %s could not be backed up\n", safe);
}

/* How QEMU was started, as far as the archive knows. */
static void print_command(struct json_object *about)
{
    g_auto(GStrv) argv = description_texts(about, "command_line"),
                  without = description_texts(about, "command_line_without");
    if (!argv)
        return;
    g_autofree char *line = guest_command_quote(argv), *safe = text_make_safe(line);
    g_autofree char *more = without && *without ? g_strjoinv(", ", without) : NULL, *safe_more = text_make_safe(more);
    printf("command  %s\n", safe);
    if (safe_more)
        printf("without  %s\n", safe_more);
}

/* Archives of earlier versions hold the whole command line. */
static struct json_object *shown_description(const struct vma_header *h)
{
    struct json_object *about = description_of(h);
    description_mask(about);
    return about;
}

static void print_text(const struct cli_archive *a)
{
    const struct vma_header *h = vma_walk_header(a->walk);
    g_autofree char *uuid = vma_uuid_text(h->uuid), *created = time_text(h->ctime);
    g_autofree char *path = text_make_safe(a->path);
    struct json_object *about = shown_description(h);
    printf("archive  %s\ncreated  %s\nuuid     %s\npacking  %s\n", path, created, uuid,
           source_form_name(source_form(a->source)));
    print_described("guest    ", about, "guest");
    print_described("QEMU     ", about, "qemu");
    print_described("machine  ", about, "machine");
    print_described("engine   ", about, "engine");
    print_described("instant  ", about, "instant");
    print_missing(about);
    print_command(about);
    if (!h->has_extension)
        puts("written  by another program: its data carries no digests");
    print_devices(h, about);
    print_configs(h);
    json_object_put(about);
}

/* ---- JSON ---- */

static struct json_object *devices_json(const struct vma_header *h, struct json_object *about)
{
    struct json_object *list = json_object_new_array();
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        if (!h->devices[i].name)
            continue;
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "id", json_object_new_int((int)i));
        json_object_object_add(o, "name", cli_json_text(h->devices[i].name));
        json_object_object_add(o, "size", json_object_new_int64((int64_t)h->devices[i].size));
        json_object_object_add(o, "was_encrypted", json_object_new_boolean(was_encrypted(about, h->devices[i].name)));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *configs_json(const struct vma_header *h)
{
    struct json_object *list = json_object_new_array();
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        if (!h->configs[i].name)
            continue;
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "name", cli_json_text(h->configs[i].name));
        json_object_object_add(o, "size", json_object_new_int64((int64_t)h->configs[i].len));
        json_object_array_add(list, o);
    }
    return list;
}

static void print_json(const struct cli_archive *a)
{
    const struct vma_header *h = vma_walk_header(a->walk);
    g_autofree char *uuid = vma_uuid_text(h->uuid);
    struct json_object *o = json_object_new_object(), *about = shown_description(h);
    json_object_object_add(o, "archive", cli_json_text(a->path));
    json_object_object_add(o, "uuid", json_object_new_string(uuid));
    json_object_object_add(o, "ctime", json_object_new_int64(h->ctime));
    json_object_object_add(o, "compression", json_object_new_string(source_form_name(source_form(a->source))));
    json_object_object_add(o, "is_ours", json_object_new_boolean(h->has_extension));
    json_object_object_add(o, "devices", devices_json(h, about));
    json_object_object_add(o, "configs", configs_json(h));
    json_object_object_add(o, "description", about);
    cli_json_print(o);
}

int cli_list(int argc, char **argv)
{
    gboolean is_json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "Print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(&argc, &argv, options, "ARCHIVE",
                           "Says what an archive holds; of a store, or a guest's folder in it, which snapshots.", 1, 1,
                           &error))
        return cli_fail(error);
    if (snapshots_are_at(argv[1]))
        return list_store(argv[1], is_json);
    static const struct vma_walk_ops nothing = {NULL};
    g_autoptr(cli_archive) archive = cli_archive_open(argv[1], &nothing, NULL, &error);
    if (!archive || !cli_archive_read_header(archive, &error))
        return cli_fail(error);
    if (is_json)
        print_json(archive);
    else
        print_text(archive);
    return 0;
}
