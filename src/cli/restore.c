// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup restore ARCHIVE NAME=TARGET…`: each drive into a file, a block device or an NBD export. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/guest_command.h"
#include "cli/pour.h"
#include "cli/signals.h"

struct wanted {
    char *name, *target;
    int dev_id; /* when the header is known */
};

struct restore {
    GArray *wanted; /* struct wanted */
    gboolean may_overwrite, is_json;
};

static struct wanted *wanted_at(const struct restore *r, unsigned i)
{
    return &g_array_index(r->wanted, struct wanted, i);
}

/* ---- targets ---- */

static bool is_uri(const char *target)
{
    return g_str_has_prefix(target, "nbd") && strstr(target, "://");
}

static struct output *refuse(const char *target, const char *why, GError **error)
{
    return vmb_null(error, VMB_ERROR_TARGET, "target %s: %s", target, why);
}

static struct output *open_target(const struct restore *r, const char *target, const struct vma_device *d,
                                  GError **error)
{
    struct stat st;
    bool is_ram = !strcmp(d->name, VMA_VMSTATE_NAME);
    if (is_uri(target))
        return is_ram ? refuse(target, "the RAM state goes into a file", error)
                      : output_open_nbd(target, d->size, error);
    if (stat(target, &st) != 0)
        return output_new_raw(target, error);
    if (is_ram || (S_ISREG(st.st_mode) && !r->may_overwrite))
        return refuse(target,
                      is_ram ? "exists already; choose another file for the RAM state"
                             : "exists already; choose another file, or overwrite it by --force",
                      error);
    return output_open_raw(target, d->size, error);
}

static bool open_outputs(struct pour *p, const struct vma_header *h, GError **error)
{
    const struct restore *r = p->user;
    for (unsigned i = 0; i < r->wanted->len; i++) {
        struct wanted *w = wanted_at(r, i);
        w->dev_id = vma_header_find_device(h, w->name);
        if (w->dev_id < 0)
            return vmb_fail(error, VMB_ERROR_FAILED, "holds no drive %s; `vmabackup list ARCHIVE` shows those it has",
                            w->name);
        p->outputs[w->dev_id] = open_target(r, w->target, &h->devices[w->dev_id], error);
        if (!p->outputs[w->dev_id])
            return false;
    }
    return true;
}

/* ---- the end ---- */

/* How to start the guest on what was restored; a shell's line. *left: what it lacks, or NULL. */
static char *start_line(const struct restore *r, const struct pour *p, char **left)
{
    g_autoptr(guest_command_t) c = guest_command_new(vma_walk_header(p->archive->walk), false);
    for (unsigned i = 0; i < r->wanted->len; i++) {
        const struct wanted *w = wanted_at(r, i);
        g_autofree char *quoted = g_shell_quote(w->target), *incoming = g_strconcat("exec:cat ", quoted, NULL);
        if (!p->outputs[w->dev_id])
            continue;
        if (!strcmp(w->name, VMA_VMSTATE_NAME))
            guest_command_incoming(c, incoming);
        else
            guest_command_drive(c, w->name, w->target, "raw");
    }
    g_auto(GStrv) argv = guest_command_build(c, NULL, NULL);
    g_autofree char *line = guest_command_quote(argv);
    *left = guest_command_left(c);
    return text_make_safe(line);
}

static void print_text(const struct restore *r, const struct pour *p)
{
    char size[UNITS_LEN];
    for (unsigned i = 0; i < r->wanted->len; i++) {
        const struct wanted *w = wanted_at(r, i);
        g_autofree char *name = text_make_safe(w->name), *target = text_make_safe(w->target);
        if (p->outputs[w->dev_id])
            printf("%s: %s restored to %s\n", name, units_format_size(pour_size(p, w->dev_id), size), target);
    }
    g_autofree char *left = NULL, *line = start_line(r, p, &left);
    printf("To start the guest on it, cut off from this host:\n  %s\n", line);
    if (left)
        printf("  (%s)\n", left);
}

static void print_json(const struct restore *r, const struct pour *p)
{
    struct json_object *o = json_object_new_object(), *devices = json_object_new_array();
    for (unsigned i = 0; i < r->wanted->len; i++) {
        const struct wanted *w = wanted_at(r, i);
        struct json_object *device = json_object_new_object();
        json_object_object_add(device, "name", cli_json_text(w->name));
        json_object_object_add(device, "target", cli_json_text(w->target));
        json_object_object_add(device, "size", json_object_new_int64((int64_t)pour_size(p, w->dev_id)));
        json_object_object_add(device, "is_restored", json_object_new_boolean(p->outputs[w->dev_id] != NULL));
        json_object_array_add(devices, device);
    }
    json_object_object_add(o, "archive", json_object_new_string(p->archive->shown));
    g_autofree char *left = NULL, *line = start_line(r, p, &left);
    json_object_object_add(o, "devices", devices);
    json_object_object_add(o, "start", json_object_new_string(line));
    json_object_object_add(o, "start_lacks", left ? json_object_new_string(left) : NULL);
    cli_json_print(o);
}

static bool judge(const struct pour *p, GError **error)
{
    if (!p->lost->len)
        return true;
    g_set_error(error, VMB_ERROR, VMB_ERROR_INCOMPLETE,
                "incomplete: it does not hold all of %s; what was written of it is worth nothing", p->lost->str);
    cli_archive_prefix(p->archive->real, error);
    return false;
}

/* A drive that was overwritten only in part is told, whatever ended it. */
static void add_warning(const struct pour *p, GError **error)
{
    bool has_begun = false;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        has_begun |= p->outputs[i] && !p->outputs[i]->ops->publish;
    if (has_begun)
        g_prefix_error(error, "not restored, the targets hold parts of it: ");
}

static bool restore(const char *path, struct restore *r, GError **error)
{
    struct pour p = {.open = open_outputs, .user = r, .doing = "restoring"};
    bool is_done = pour_run(&p, path, error) && pour_publish(&p, error);
    if (is_done) {
        (r->is_json ? print_json : print_text)(r, &p);
        is_done = judge(&p, error);
    } else {
        add_warning(&p, error);
    }
    pour_clear(&p);
    return is_done;
}

/* ---- the command line ---- */

static bool parse_targets(struct restore *r, char **arguments, GError **error)
{
    for (; *arguments; arguments++) {
        const char *equals = strchr(*arguments, '=');
        if (!equals || equals == *arguments || !equals[1])
            return vmb_fail(error, VMB_ERROR_USAGE, "restore: %s is no NAME=TARGET", *arguments);
        struct wanted w = {g_strndup(*arguments, (gsize)(equals - *arguments)), g_strdup(equals + 1), -1};
        g_array_append_val(r->wanted, w);
        for (unsigned i = 0; i + 1 < r->wanted->len; i++)
            if (!strcmp(wanted_at(r, i)->name, w.name) || !strcmp(wanted_at(r, i)->target, w.target))
                return vmb_fail(error, VMB_ERROR_USAGE, "restore: %s: drive and target can be named only once",
                                *arguments);
    }
    return true;
}

static void wanted_clear(void *item)
{
    struct wanted *w = item;
    g_free(w->name);
    g_free(w->target);
}

int cli_restore(int argc, char **argv)
{
    struct restore r = {.wanted = g_array_new(FALSE, FALSE, sizeof(struct wanted))};
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &r.may_overwrite, "Overwrite files that exist already", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &r.is_json, "Print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_array_set_clear_func(r.wanted, wanted_clear);
    bool is_good =
        cli_parse_counted(&argc, &argv, entries, "ARCHIVE NAME=TARGET…",
                          "Writes drives back: TARGET is a file, a block device, or an NBD URI as in\n"
                          "nbd+unix:///EXPORT?socket=PATH. Everything is checked on the way; what is damaged\n"
                          "ends it at once. vmstate=FILE takes the RAM state.",
                          2, G_MAXINT, &error) &&
        parse_targets(&r, argv + 2, &error);
    if (is_good) {
        signals_catch();
        is_good = restore(argv[1], &r, &error);
    }
    g_array_unref(r.wanted);
    return signals_leave(is_good ? 0 : cli_fail(error));
}
