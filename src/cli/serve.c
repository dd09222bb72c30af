// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup serve [-s SOCKET] [--drive NAME…] ARCHIVE`: its drives as read-only NBD exports, without
 * extracting. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/signals_uv.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/exports.h"

static const int caught[] = {SIGINT, SIGTERM};

struct serve {
    uv_loop_t loop;
    uv_signal_t signals[G_N_ELEMENTS(caught)];
    struct exports *exports;
};

static void print_json(const struct serve *s, const struct cli_indexed *archive)
{
    struct json_object *list = json_object_new_array();
    for (unsigned i = 0; i < exports_count(s->exports); i++) {
        const struct vma_device *d = &archive->header->devices[exports_dev_id(s->exports, i)];
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "name", cli_json_text(d->name));
        json_object_object_add(o, "size", json_object_new_int64((int64_t)d->size));
        json_object_object_add(o, "uri", json_object_new_string(exports_uri(s->exports, i)));
        json_object_array_add(list, o);
    }
    cli_json_print(list);
    fflush(stdout);
}

/* They are printed when clients may come. */
static void print_uris(const struct serve *s)
{
    for (unsigned i = 0; i < exports_count(s->exports); i++)
        puts(exports_uri(s->exports, i));
    fflush(stdout);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct serve *s = handle->data;
    exports_close(s->exports);
    signals_uv_close(s->signals, G_N_ELEMENTS(s->signals));
}

static bool serve(const char *path, char **drives, const char *socket_path, bool is_json, GError **error)
{
    struct serve s;
    g_autoptr(cli_indexed) archive = cli_indexed_open(path, error);
    if (!archive)
        return false;
    uv_loop_init(&s.loop);
    s.exports = exports_open(&s.loop, archive, drives, socket_path, error);
    if (!s.exports) {
        cli_archive_prefix(path, error);
        uv_loop_close(&s.loop);
        return false;
    }
    signal(SIGPIPE, SIG_IGN);
    signals_uv_catch(&s.loop, s.signals, caught, G_N_ELEMENTS(caught), on_signal, &s);
    if (is_json)
        print_json(&s, archive);
    else
        print_uris(&s);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    exports_free(s.exports);
    g_clear_pointer(&archive, cli_indexed_free);
    uv_loop_close(&s.loop);
    return true;
}

static char *default_socket(void)
{
    return g_strdup_printf("%s/vmabackup-serve-%d.sock", g_get_user_runtime_dir(), (int)getpid());
}

int cli_serve(int argc, char **argv)
{
    g_auto(GStrv) drives = NULL;
    g_autofree char *socket_path = NULL;
    gboolean is_json = FALSE;
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"socket", 's', 0, G_OPTION_ARG_FILENAME, &socket_path, "Listen at this path (default: one that is printed)",
         "PATH"},
        {"drive", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &drives, "Serve only this drive (repeatable)", "NAME"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "Print one JSON array", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cli_parse_counted(
            &argc, &argv, entries, "ARCHIVE",
            "Serves each drive of an archive as a read-only NBD export until it is ended by a signal. Only\n"
            "headers are checked: run `vmabackup verify` for the data.",
            1, 1, &error))
        return cli_fail(error);
    if (!socket_path)
        socket_path = default_socket();
    return serve(argv[1], drives, socket_path, is_json, &error) ? 0 : cli_fail(error);
}
