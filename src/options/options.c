// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/options.h"

#include <string.h>
#include "base/error.h"
#include "base/threads.h"
#include "base/units.h"
#include "model/command.h"
#include "options/proxmox.h"
#include "sink/compress.h"
#include "vma/header.h"

#define MAX_THREADS         64
#define MAX_DEFAULT_THREADS 8

static void limit_clear(gpointer data)
{
    g_free(((struct backup_limit *)data)->drive);
}

static void file_clear(gpointer data)
{
    struct backup_file *f = data;

    g_free(f->name);
    g_free(f->path);
}

void backup_options_init(struct backup_options *o)
{
    memset(o, 0, sizeof *o);
    o->include = g_ptr_array_new_with_free_func(g_free);
    o->exclude = g_ptr_array_new_with_free_func(g_free);
    o->limits = g_array_new(FALSE, TRUE, sizeof(struct backup_limit));
    g_array_set_clear_func(o->limits, limit_clear);
    o->configs = g_array_new(FALSE, TRUE, sizeof(struct backup_file));
    g_array_set_clear_func(o->configs, file_clear);
    o->on_full_minutes = 10;
    o->level = -1;
    o->retries = 3;
    o->max_pause_s = 2;
    o->timeout_s = 30;
}

void backup_options_clear(struct backup_options *o)
{
    g_free(o->monitor);
    g_free(o->target);
    g_free(o->spool_dir);
    g_free(o->log_path);
    g_free(o->agent);
    g_free(o->record_path);
    g_ptr_array_unref(o->include);
    g_ptr_array_unref(o->exclude);
    g_array_unref(o->limits);
    g_array_unref(o->configs);
    memset(o, 0, sizeof *o);
}

static gpointer copy_text(gconstpointer text, gpointer data)
{
    (void)data;
    return g_strdup(text);
}

static void copy_lists(struct backup_options *to, const struct backup_options *from)
{
    to->include = g_ptr_array_copy(from->include, copy_text, NULL);
    to->exclude = g_ptr_array_copy(from->exclude, copy_text, NULL);
    for (unsigned i = 0; i < from->limits->len; i++) {
        struct backup_limit limit = g_array_index(from->limits, struct backup_limit, i);
        limit.drive = g_strdup(limit.drive);
        g_array_append_val(to->limits, limit);
    }
    for (unsigned i = 0; i < from->configs->len; i++) {
        struct backup_file file = g_array_index(from->configs, struct backup_file, i);
        file.name = g_strdup(file.name);
        file.path = g_strdup(file.path);
        g_array_append_val(to->configs, file);
    }
}

void backup_options_copy(struct backup_options *to, const struct backup_options *from)
{
    struct backup_options lists;

    backup_options_init(&lists);
    g_ptr_array_unref(lists.include);
    g_ptr_array_unref(lists.exclude);
    *to = *from;
    to->limits = lists.limits;
    to->configs = lists.configs;
    to->monitor = g_strdup(from->monitor);
    to->target = g_strdup(from->target);
    to->spool_dir = g_strdup(from->spool_dir);
    to->log_path = g_strdup(from->log_path);
    to->agent = g_strdup(from->agent);
    to->record_path = g_strdup(from->record_path);
    copy_lists(to, from);
}

/* "guard is auto, filter or direct, not x" */
static gboolean usage(GError **error, const char *what, const char *value)
{
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s, not %s", what, value);
    return FALSE;
}

static gboolean on_drive(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)error;
    g_ptr_array_add(strcmp(option, "--drive") == 0 ? o->include : o->exclude, g_strdup(value));
    return TRUE;
}

static gboolean on_limit(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;
    const char *equals = strrchr(value, '=');
    struct backup_limit limit = {.drive = equals ? g_strndup(value, equals - value) : NULL};

    (void)option;
    if (!units_parse_size(equals ? equals + 1 : value, &limit.rate, error) || !command_check_rate(limit.rate, error)) {
        g_free(limit.drive);
        return FALSE;
    }
    g_array_append_val(o->limits, limit);
    return TRUE;
}

static gboolean on_config(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;
    const char *equals = strchr(value, '=');
    struct backup_file file;

    (void)option;
    file.path = g_strdup(equals ? equals + 1 : value);
    file.name = equals ? g_strndup(value, equals - value) : g_path_get_basename(value);
    g_array_append_val(o->configs, file);
    return vma_name_is_safe(file.name) ? TRUE
                                       : usage(error, "a config needs a name that can be a file name", file.name);
}

static gboolean on_guard(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)option;
    if (strcmp(value, "auto") == 0)
        o->guard = BACKUP_GUARD_AUTO;
    else if (strcmp(value, "filter") == 0)
        o->guard = BACKUP_GUARD_FILTER;
    else if (strcmp(value, "direct") == 0)
        o->guard = BACKUP_GUARD_DIRECT;
    else
        return usage(error, "guard is auto, filter or direct", value);
    return TRUE;
}

static gboolean on_spool(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)option;
    return units_parse_size(value, &o->spool_bytes, error);
}

static bool parse_number(const char *text, unsigned max, unsigned *number)
{
    char *end;
    guint64 value = g_ascii_strtoull(text, &end, 10);

    if (!g_ascii_isdigit(*text) || *end || value > max)
        return false;
    *number = value;
    return true;
}

static gboolean on_full(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)option;
    o->on_full_fails = strcmp(value, "fail") == 0;
    if (o->on_full_fails || strcmp(value, "wait") == 0 ||
        (g_str_has_prefix(value, "wait:") && parse_number(value + 5, 100000, &o->on_full_minutes)))
        return TRUE;
    return usage(error, "on-full is wait, wait:MINUTES or fail", value);
}

static gboolean on_number(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;
    unsigned *number = strcmp(option, "--retries") == 0     ? &o->retries
                       : strcmp(option, "--max-pause") == 0 ? &o->max_pause_s
                                                            : &o->timeout_s;

    return parse_number(value, 86400, number) ? TRUE : usage(error, "a whole number of at most 86400 is wanted", value);
}

static gboolean on_proxmox(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)option;
    return parse_number(value, PROXMOX_MAX_VMID, &o->proxmox_vmid) && o->proxmox_vmid >= PROXMOX_MIN_VMID
               ? TRUE
               : usage(error, "a VMID is 100 to 999999999", value);
}

static gboolean on_level(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;
    unsigned level;

    (void)option;
    if (!parse_number(value, COMPRESS_MAX_LEVEL, &level))
        return usage(error, "level is 1 to 19, or 0 for no compression", value);
    o->level = (int)level;
    return TRUE;
}

static gboolean on_threads(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;

    (void)option;
    return parse_number(value, MAX_THREADS, &o->threads) && o->threads ? TRUE
                                                                       : usage(error, "threads is 1 to 64", value);
}

/* GOption writes int-sized booleans; ours are bool. */
static gboolean on_flag(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    struct backup_options *o = data;
    const struct {
        const char *option;
        bool *flag;
    } flags[] = {
        {"--no-vmstate", &o->no_vmstate},     {"--strict", &o->strict}, {"--force", &o->force},
        {"--keep-partial", &o->keep_partial}, {"--verify", &o->verify},
    };

    (void)value;
    (void)error;
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
        if (strcmp(option, flags[i].option) == 0)
            *flags[i].flag = true;
    return TRUE;
}

#define FLAG(name, help)                                                                                               \
    {                                                                                                                  \
        name, 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, on_flag, help, NULL                                      \
    }
#define CALL(name, call, help, arg)                                                                                    \
    {                                                                                                                  \
        name, 0, 0, G_OPTION_ARG_CALLBACK, call, help, arg                                                             \
    }

GOptionGroup *backup_options_archive_group(struct backup_options *o)
{
    GOptionGroup *group = g_option_group_new("backup", "Backup options:", "Show backup options", o, NULL);
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &o->target,
         "FILE.vma, FILE.vma.zst, - for standard output, or |COMMAND", "TARGET"},
        CALL("level", on_level, "Compress by zstd: 1 to 19 (default 3 for FILE.zst, and 0, not at all, elsewhere)",
             "N"),
        CALL("threads", on_threads, "That compress (default: one for each processor, at most 8)", "N"),
        CALL("config", on_config, "Store a file in the archive (repeatable)", "[NAME=]FILE"),
        CALL("spool", on_spool, "Room for what arrives while the target is slow (default: RAM + 1G)", "SIZE"),
        {"spool-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->spool_dir, "Where (default: TMPDIR or /var/tmp)", "DIR"},
        CALL("on-full", on_full, "Target full: wait[:MINUTES] (default, 10) or fail", "WHAT"),
        FLAG("force", "Replace an existing archive, or what a block device holds"),
        FLAG("keep-partial", "Keep the unfinished file of a failed backup"),
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    g_option_group_add_entries(group, entries);
    return group;
}

GOptionGroup *backup_options_group(struct backup_options *o)
{
    GOptionGroup *group = backup_options_archive_group(o);
    const GOptionEntry entries[] = {
        CALL("drive", on_drive, "Save this drive (repeatable; default: all that are writable)", "NAME"),
        CALL("exclude", on_drive, "Leave this drive out (repeatable)", "NAME"),
        FLAG("no-vmstate", "Leave the RAM out"),
        CALL("limit", on_limit, "Speed limit of the whole backup, or of one drive (repeatable)", "[NAME=]RATE"),
        CALL("guard", on_guard, "How guest writes are kept safe: auto, filter or direct", "MODE"),
        {"agent", 0, 0, G_OPTION_ARG_FILENAME, &o->agent, "Freeze the guest's file systems by its agent's socket",
         "SOCKET"},
        CALL("proxmox", on_proxmox, "Name and describe the archive so that qmrestore takes it; TARGET may be a folder",
             "VMID"),
        CALL("retries", on_number, "Retries of a failed job (default 3)", "N"),
        FLAG("strict", "Fail when anything asked for would be missing"),
        CALL("max-pause", on_number, "Longest pause of the guest for its RAM (default 2)", "SECONDS"),
        CALL("timeout", on_number, "For each answer of the monitor (default 30)", "SECONDS"),
        {"log", 0, 0, G_OPTION_ARG_FILENAME, &o->log_path, "Where the log is kept (default: TARGET.log)", "FILE"},
        {"record", 0, 0, G_OPTION_ARG_FILENAME, &o->record_path, "Keep the event stream, for vmabackup-tui --replay",
         "FILE"},
        FLAG("verify", "Read the archive back before calling it done"),
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    g_option_group_add_entries(group, entries);
    return group;
}

static bool is_file_named(const struct backup_options *o, const char *suffix)
{
    return o->target && *o->target != '|' && g_str_has_suffix(o->target, suffix);
}

/* A file's name says what it is, so that stock tools take it for that; a pipe has none. */
int backup_options_level(const struct backup_options *o)
{
    bool is_by_name = !o->target || is_file_named(o, ".zst");

    if (o->level < 0)
        return is_by_name ? COMPRESS_DEFAULT_LEVEL : 0;
    return o->level;
}

unsigned backup_options_threads(const struct backup_options *o)
{
    return o->threads ? o->threads : CLAMP(g_get_num_processors(), 1, MAX_DEFAULT_THREADS);
}

static bool check_compression(const struct backup_options *o, GError **error)
{
    if (is_file_named(o, ".gz") || is_file_named(o, ".lzo")) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "target %s: only .zst is compressed here; use '|gzip >FILE' or '|lzop >FILE'", o->target);
        return false;
    }
    if (is_file_named(o, ".zst") && o->level == 0) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "target %s: its name says that it is compressed; leave .zst out, or give a level", o->target);
        return false;
    }
    if (is_file_named(o, ".vma") && o->level > 0) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "target %s: its name says that it is not compressed; name it %s.zst", o->target, o->target);
        return false;
    }
    return true;
}

/* libuv reads this when its pool is used first. However many compress, a write must find a thread. */
static void make_threads(const struct backup_options *o)
{
    const char *now = g_getenv("UV_THREADPOOL_SIZE");
    unsigned wanted = backup_options_threads(o) + THREADS_OTHER;
    g_autofree char *text = g_strdup_printf("%u", wanted);

    if (backup_options_level(o) && g_ascii_strtoull(now ? now : "4", NULL, 10) < wanted)
        g_setenv("UV_THREADPOOL_SIZE", text, TRUE);
}

/* qmrestore goes by the file's name: in a folder it is made. */
static void name_for_proxmox(struct backup_options *o)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *folder = NULL, *name = NULL;

    if (!o->proxmox_vmid || !o->target || !g_file_test(o->target, G_FILE_TEST_IS_DIR))
        return;
    folder = g_steal_pointer(&o->target);
    name = proxmox_file_name(o->proxmox_vmid, now, o->level ? ".vma.zst" : ".vma");
    o->target = g_build_filename(folder, name, NULL);
}

bool backup_options_check(struct backup_options *o, GError **error)
{
    name_for_proxmox(o);
    if (o->timeout_s == 0) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "timeout must be at least 1 second");
        return false;
    }
    if (o->target && !*o->target) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "target is empty; name a file, - or |COMMAND");
        return false;
    }
    if (o->agent && !*o->agent) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "agent is empty; name the socket of the guest's agent");
        return false;
    }
    if (!check_compression(o, error))
        return false;
    make_threads(o);
    return true;
}
