// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup info [--json] MONITOR`: what a guest has, what of it can be saved, by which recipe. Changes nothing. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>
#include "backup/backup.h"
#include "base/each.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cli.h"

struct asker {
    struct backup *backup;
    bool is_json, is_done;
    int status;
    struct json_object *unsavable;
    GPtrArray *warnings; /* char * */
};

/* What QEMU counts for us, and with a store what that comes to. */
static void print_tracked(const struct model *m)
{
    bool is_any = false;

    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (!*d->track.bitmaps && !*d->track.plan)
            continue;
        printf("%s%-20s %s%s%s\n", is_any ? "" : "\nTRACKED\n", d->name, d->track.plan,
               *d->track.plan && *d->track.bitmaps ? "; " : "", d->track.bitmaps);
        is_any = true;
    }
}

static void print_table(const struct asker *a, const struct model *m)
{
    char size[UNITS_LEN], used[UNITS_LEN];

    printf("guest %s, %s, QEMU %s\nrecipe: %s\n\n", m->guest, m->guest_state, m->qemu, m->recipe);
    printf("%-7s %-20s %8s %8s %-8s %s\n", "SAVED", "DRIVE", "SIZE", "USED", "FORMAT", "NOTE");
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        const char *guard = d->is_vmstate || !d->is_included ? "" : d->is_guarded ? "guarded" : "direct";
        printf("%-7s %-20s %8s %8s %-8s %s\n", d->is_included ? "yes" : "no", d->name, units_format_size(d->size, size),
               d->used == MODEL_UNKNOWN ? "-" : units_format_size(d->used, used), d->format,
               *d->note ? d->note : guard);
    }
    print_tracked(m);
    for_each_in (const char, warning, a->warnings)
        printf("\nnot saved: %s\n", warning);
    if (m->left.n)
        printf("\nleft by a backup that died: %s; run: vmabackup cleanup %s\n", m->left.what, m->monitor);
}

static struct json_object *drive_json(const struct model_drive *d)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "id", json_object_new_string(d->name));
    json_object_object_add(o, "kind", json_object_new_string(d->is_vmstate ? "ram" : "drive"));
    json_object_object_add(o, "node", json_object_new_string(d->node));
    json_object_object_add(o, "format", json_object_new_string(d->format));
    json_object_object_add(o, "size", json_object_new_int64((int64_t)d->size));
    json_object_object_add(o, "used", d->used == MODEL_UNKNOWN ? NULL : json_object_new_int64((int64_t)d->used));
    json_object_object_add(o, "included", json_object_new_boolean(d->is_included));
    json_object_object_add(o, "guarded", json_object_new_boolean(d->is_guarded));
    json_object_object_add(o, "note", json_object_new_string(d->note));
    json_object_object_add(o, "tracked", *d->track.bitmaps ? json_object_new_string(d->track.bitmaps) : NULL);
    json_object_object_add(o, "track", *d->track.plan ? json_object_new_string(d->track.plan) : NULL);
    return o;
}

static void print_json(const struct asker *a, const struct model *m)
{
    struct json_object *root = json_object_new_object(), *drives = json_object_new_array(),
                       *unsavable = json_object_new_array();

    for (unsigned i = 0; i < m->n_drives; i++)
        json_object_array_add(drives, drive_json(&m->drives[i]));
    for (unsigned i = 0; i < a->warnings->len; i++)
        json_object_array_add(unsavable, json_object_new_string(g_ptr_array_index(a->warnings, i)));
    json_object_object_add(root, "guest", json_object_new_string(m->guest));
    json_object_object_add(root, "state", json_object_new_string(m->guest_state));
    json_object_object_add(root, "qemu", json_object_new_string(m->qemu));
    json_object_object_add(root, "recipe", json_object_new_string(m->recipe));
    json_object_object_add(root, "leftovers", json_object_new_int((int)m->left.n));
    json_object_object_add(root, "left", json_object_new_string(m->left.what));
    json_object_object_add(root, "not_savable", unsavable);
    json_object_object_add(root, "devices", drives);
    puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
    json_object_put(root);
}

static void on_event(void *user, const struct model_event *e)
{
    struct asker *a = user;
    const struct model *m;

    if (!a->backup)
        return;
    m = backup_model(a->backup);
    if (e->type == MODEL_EV_LOG && e->level == MODEL_WARNING)
        g_ptr_array_add(a->warnings, g_strdup(e->text));
    if (e->type == MODEL_EV_LOG && m->phase == MODEL_CONNECTING && e->level == MODEL_INFO) /* why it takes long */
        fprintf(stderr, "vmabackup: %s\n", e->text);
    if (e->type != MODEL_EV_PLAN)
        return;
    if (a->is_json)
        print_json(a, m);
    else
        print_table(a, m);
}

static void on_done(void *user)
{
    struct asker *a = user;
    const struct model *m = backup_model(a->backup);

    a->is_done = true;
    a->status = m->end.exit_status;
    if (a->status) {
        g_autoptr(GError) error = g_error_new_literal(VMB_ERROR, a->status, m->end.outcome);
        cli_fail(error);
    }
}

static void ask(struct asker *a, struct backup_options *options)
{
    static const struct backup_listener listener = {.on_event = on_event, .on_done = on_done};
    uv_loop_t loop;

    options->only_ask = true;
    uv_loop_init(&loop);
    a->warnings = g_ptr_array_new_with_free_func(g_free);
    a->backup = backup_new(&loop, options, &listener, a);
    backup_connect(a->backup);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    backup_free(a->backup);
    g_ptr_array_unref(a->warnings);
}

int cli_info(int argc, char **argv)
{
    struct asker a = {0};
    struct backup_options options;
    g_autoptr(GError) error = NULL;
    gboolean is_json = FALSE;
    g_autofree char *store = NULL;
    int timeout_s = CLI_TIMEOUT_S;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "Print one JSON object", NULL},
        {"store", 0, 0, G_OPTION_ARG_FILENAME, &store, "What has changed since the backups that it holds", "DIR"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout_s, "For each answer of the monitor (default 30)", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    if (!cli_parse_counted(&argc, &argv, entries, "MONITOR", "Says what a guest has and what of it can be saved.", 1, 1,
                           &error) ||
        !cli_check_timeout(timeout_s, &error))
        return cli_fail(error);
    signal(SIGPIPE, SIG_IGN);
    a.is_json = is_json;
    backup_options_init(&options);
    options.monitor = g_strdup(argv[1]);
    options.timeout_s = (unsigned)timeout_s;
    options.target = g_steal_pointer(&store);
    if (backup_options_check(&options, &error))
        ask(&a, &options);
    else
        a.status = cli_fail(error);
    backup_options_clear(&options);
    return a.status;
}
