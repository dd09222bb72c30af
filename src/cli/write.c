// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup write --nbd SOCKET … -o TARGET`: only the archive writer, for a management tool that drives QEMU itself.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/error.h"
#include "base/signals_uv.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/write_report.h"
#include "front/headless.h"
#include "front/input.h"
#include "guest/keyvals.h"
#include "log/textout.h"
#include "options/options.h"
#include "vma/format.h"
#include "write/standalone.h"

static const int caught[] = {SIGINT, SIGTERM};

struct write {
    const struct standalone_options *options;
    bool is_json;
    uv_loop_t loop;
    uv_signal_t signals[G_N_ELEMENTS(caught)];
    struct standalone *standalone;
    struct textout *out;
    struct input *input;
};

/* --- telling ------------------------------------------------------------------------------------ */

static void on_event(void *user, const struct standalone_event *e)
{
    struct write *w = user;
    g_autofree char *line =
        w->is_json ? write_report_json(w->standalone, w->options, e) : write_report_plain(w->standalone, e);
    if (line)
        textout_write(w->out, line);
    if (e->kind == STANDALONE_FAILED) {
        g_autofree char *safe = text_make_safe(e->text);
        fprintf(stderr, "vmabackup: %s\n", safe);
    } else if (e->kind == STANDALONE_RESULT) {
        signals_uv_close(w->signals, G_N_ELEMENTS(w->signals));
        input_close(g_steal_pointer(&w->input));
        uv_stop(&w->loop);
    }
}

/* --- commands ----------------------------------------------------------------------------------- */

static void on_line(void *user, const char *line, size_t len)
{
    struct write *w = user;
    g_autofree char *text = line ? g_strstrip(g_strdup(line)) : g_strdup("");
    g_autoptr(GError) error = NULL;
    if (!strcmp(text, "cancel"))
        standalone_cancel(w->standalone, VMB_ERROR_CANCELLED, "command");
    else if (g_str_has_prefix(text, "commit "))
        standalone_commit(w->standalone, g_strchug(text + strlen("commit ")), &error);
    else if (*text || !line)
        g_set_error(&error, VMB_ERROR, VMB_ERROR_USAGE, "unknown command; say `commit NAME` or `cancel`");
    if (error)
        cli_fail(error);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct write *w = handle->data;
    standalone_cancel(w->standalone, 128 + number, number == SIGINT ? "SIGINT" : "SIGTERM");
}

static void catch_signals(struct write *w)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* a lost terminal never costs an archive */
    signals_uv_catch(&w->loop, w->signals, caught, G_N_ELEMENTS(caught), on_signal, w);
}

/* Standard output may be the archive's. */
static int out_fd(const struct standalone_options *o)
{
    return strcmp(o->archive.target, "-") ? STDOUT_FILENO : STDERR_FILENO;
}

static int run(struct standalone_options *o, bool is_json)
{
    struct write w = {.options = o, .is_json = is_json};
    int status;
    uv_loop_init(&w.loop);
    w.out = textout_new(&w.loop, out_fd(o), false);
    catch_signals(&w);
    w.standalone = standalone_new(&w.loop, o, on_event, &w);
    w.input = input_open(&w.loop, on_line, &w);
    o->has_commander = w.input != NULL;
    standalone_start(w.standalone);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    textout_close(w.out, true);
    status = standalone_status(w.standalone);
    headless_close_loop(&w.loop, status);
    standalone_free(w.standalone);
    return status;
}

/* --- options ------------------------------------------------------------------------------------ */

static bool usage(GError **error, const char *what, const char *remedy)
{
    return vmb_fail(error, VMB_ERROR_USAGE, "%s: %s", what, remedy);
}

static bool is_taken(const struct standalone_options *o, const char *name)
{
    for (unsigned i = 0; i < o->drives->len; i++)
        if (!strcmp(g_array_index(o->drives, struct standalone_drive, i).name, name))
            return true;
    return false;
}

static bool add_drive(struct standalone_options *o, const char *text, GError **error)
{
    g_autoptr(GPtrArray) pairs = keyvals_parse(text, NULL);
    const char *name = pairs ? keyvals_get(pairs, "name") : NULL;
    const char *size = pairs ? keyvals_get(pairs, "size") : NULL;
    struct standalone_drive d = {0};
    if (!name || !*name || !size || pairs->len != 2)
        return usage(error, text, "say --drive name=NAME,size=BYTES");
    if (!units_parse_size(size, &d.size, NULL) || !d.size || d.size % 512 || d.size > VMA_MAX_DEVICE_SIZE)
        return usage(error, text, "a drive's size must be a multiple of 512 bytes");
    if (!strcmp(name, VMA_VMSTATE_NAME))
        return usage(error, text, "this name is the RAM's; take another");
    if (is_taken(o, name))
        return usage(error, text, "a drive is named only once");
    d.name = g_strdup(name);
    g_array_append_val(o->drives, d);
    return true;
}

static bool check_configs(const struct standalone_options *o, GError **error)
{
    g_autoptr(GHashTable) taken = archive_files_new();
    for (unsigned i = 0; i < o->drives->len; i++)
        archive_files_add_drive(taken, g_array_index(o->drives, struct standalone_drive, i).name);
    return archive_files_check_configs(taken, &o->archive, error);
}

static bool check(struct standalone_options *o, int argc, char **drives, int reconnect_s, GError **error)
{
    const char *missing = !o->nbd_path || !*o->nbd_path               ? "name a socket by --nbd"
                          : !drives                                   ? "name drives by --drive name=NAME,size=BYTES"
                          : !o->archive.target || !*o->archive.target ? "name a target by -o"
                                                                      : NULL;
    if (missing)
        return usage(error, "write", missing);
    if (argc != 1 || reconnect_s < 0)
        return usage(error, "write", argc != 1 ? "too many arguments" : "reconnect is a number of seconds");
    for (; *drives; drives++)
        if (!add_drive(o, *drives, error))
            return false;
    o->reconnect_s = (unsigned)reconnect_s;
    if (!backup_options_check(&o->archive, error))
        return false;
    if (o->archive.is_store)
        return usage(error, o->archive.target, "write makes archives; name a file, and then: vmabackup import");
    return check_configs(o, error);
}

static bool parse(int argc, char **argv, struct standalone_options *o, gboolean *is_json, GError **error)
{
    g_auto(GStrv) drives = NULL;
    gboolean is_absent_zero = FALSE;
    int reconnect_s = (int)o->reconnect_s;
    const GOptionEntry entries[] = {
        {"nbd", 0, 0, G_OPTION_ARG_FILENAME, &o->nbd_path, "Listen here: every drive is an export of its name",
         "SOCKET"},
        {"incoming", 0, 0, G_OPTION_ARG_FILENAME, &o->incoming_path, "Listen here for the RAM: migrate unix:SOCKET",
         "SOCKET"},
        {"drive", 0, 0, G_OPTION_ARG_STRING_ARRAY, &drives, "A drive that will come (repeatable)",
         "name=NAME,size=BYTES"},
        {"absent-is-zero", 0, 0, G_OPTION_ARG_NONE, &is_absent_zero, "What a client has not written is zero", NULL},
        {"reconnect", 0, 0, G_OPTION_ARG_INT, &reconnect_s, "How long to wait for a client that was lost (default 60)",
         "SECONDS"},
        {"json", 0, 0, G_OPTION_ARG_NONE, is_json, "Tell what happens as JSON lines", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cli_parse_group(
            &argc, &argv, entries, backup_options_archive_group(&o->archive), "",
            "Makes an archive of drives that are written over NBD and of a RAM stream. Prints Ready when its\n"
            "sockets listen; takes `commit NAME` and `cancel` on standard input.",
            error))
        return false;
    o->is_absent_zero = is_absent_zero;
    return check(o, argc, drives, reconnect_s, error);
}

int cli_write(int argc, char **argv)
{
    struct standalone_options options;
    g_autoptr(GError) error = NULL;
    gboolean is_json = FALSE;
    standalone_options_init(&options);
    int status = parse(argc, argv, &options, &is_json, &error) ? run(&options, is_json) : cli_fail(error);
    standalone_options_clear(&options);
    return status;
}
