// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/options_inside.h"

#include <string.h>
#include "base/error.h"
#include "base/text.h"
#include "base/threads.h"
#include "options/proxmox.h"
#include "sink/compress.h"

#define MAX_DEFAULT_THREADS 8
#define STORE_FILE          "vmabackup-store" /* as store/store.h has it, which stands above this folder */
#define STORE_DEFAULT_LEVEL 1

#define UP_TO_A_DAY  .max = 86400, .range = "a whole number of at most 86400 is wanted"
#define FIELD(field) .offset = offsetof(struct backup_options, field)

/* The table of options, in the order of --help: a new one is a row here, and a field in struct backup_options. */
static const struct option_row table[] = {
    {"output", &option_path, FIELD(target),
     "FILE.vma, FILE.vma.zst, a store's folder, - for standard output, or |COMMAND", "TARGET", 10, .letter = 'o',
     .is_of_archive = true},
    {"level", &option_number, FIELD(level),
     "Compress by zstd: 1 to 19 (default 3 for FILE.zst, 1 for a store, and 0, not at all, elsewhere)", "N", 7,
     .is_of_archive = true, .by_default = -1, .max = COMPRESS_MAX_LEVEL,
     .range = "level is 1 to 19, or 0 for no compression"},
    {"threads", &option_number, FIELD(threads), "That compress (default: one for each processor, at most 8)", "N", 7,
     .is_of_archive = true, .min = 1, .max = 64, .range = "threads is 1 to 64"},
    {"config", &option_files, FIELD(configs), "Store a file in the archive (repeatable)", "[NAME=]FILE", 2,
     .is_of_archive = true, .range = "a config needs a name that can be a file name"},
    {"spool", &option_size, FIELD(spool_bytes), "Room for what arrives while the target is slow (default: RAM + 1G)",
     "SIZE", 4, .is_of_archive = true},
    {"spool-dir", &option_path, FIELD(spool_dir), "Where (default: TMPDIR or /var/tmp)", "DIR", 4,
     .is_of_archive = true},
    {"on-full", &option_full, FIELD(on_full_minutes), "Target full: wait[:MINUTES] (default, 10) or fail", "WHAT", 6,
     .is_of_archive = true, .by_default = 10, .max = 100000, .range = "on-full is wait, wait:MINUTES or fail"},
    {"force", &option_flag, FIELD(force), "Replace an existing archive, or what a block device holds", NULL, 9,
     .is_of_archive = true},
    {"keep-partial", &option_flag, FIELD(keep_partial), "Keep the unfinished file of a failed backup", NULL, 9,
     .is_of_archive = true},
    {"drive", &option_names, FIELD(include), "Save this drive (repeatable; default: all that are writable)", "NAME", 1},
    {"exclude", &option_names, FIELD(exclude), "Leave this drive out (repeatable)", "NAME", 1},
    {"no-vmstate", &option_flag, FIELD(no_vmstate), "Leave the RAM out", NULL, 1},
    {"limit", &option_limits, FIELD(limits), "Speed limit of the whole backup, or of one drive (repeatable)",
     "[NAME=]RATE", 1},
    {"guard", &option_guard, FIELD(guard), "How guest writes are kept safe: auto, filter or direct", "MODE", 3,
     .range = "guard is auto, filter or direct"},
    {"engine", &option_engine, FIELD(engine),
     "QEMU's jobs push the data (default), or we pull it through shared memory", "push|pull", 3,
     .range = "engine is push or pull"},
    {"track", &option_track, FIELD(no_track),
     "Read only what has changed since the last backup in a store: auto (default) or no", "auto|no", 3,
     .range = "track is auto or no"},
    {"agent", &option_path, FIELD(agent), "Freeze the guest's file systems by its agent's socket", "SOCKET", 5},
    {"proxmox", &option_number, FIELD(proxmox_vmid),
     "Name and describe the archive so that qmrestore takes it; TARGET may be a folder", "VMID", 3,
     .min = PROXMOX_MIN_VMID, .max = PROXMOX_MAX_VMID, .range = "a VMID is 100 to 999999999"},
    {"retries", &option_number, FIELD(retries), "Retries of a failed job (default 3)", "N", 8, .by_default = 3,
     UP_TO_A_DAY},
    {"strict", &option_flag, FIELD(strict), "Fail when anything asked for would be missing", NULL, 8},
    {"max-pause", &option_number, FIELD(max_pause_s), "Longest pause of the guest for its RAM (default 2)", "SECONDS",
     8, .by_default = 2, UP_TO_A_DAY},
    {"timeout", &option_number, FIELD(timeout_s), "For each answer of the monitor (default 30)", "SECONDS", 8,
     .by_default = 30, UP_TO_A_DAY},
    {"log", &option_path, FIELD(log_path), "Where the log is kept (default: TARGET.log; of a store GUEST/backup.log)",
     "FILE", 4},
    {"record", &option_path, FIELD(record_path), "Keep the event stream, for vmabackup-tui --replay", "FILE", 4},
    {"verify", &option_flag, FIELD(verify), "Read the archive back before calling it done", NULL, 8},
};
#define LAST_PLACE 10

#define for_each_option(row) for (const struct option_row *row = table; row < table + G_N_ELEMENTS(table); row++)

void backup_options_init(struct backup_options *o)
{
    memset(o, 0, sizeof *o);
    for_each_option (row)
        if (row->kind->init)
            row->kind->init(row, o);
}

void backup_options_clear(struct backup_options *o)
{
    g_free(o->monitor);
    for_each_option (row)
        if (row->kind->clear)
            row->kind->clear(row, o);
    memset(o, 0, sizeof *o);
}

void backup_options_copy(struct backup_options *to, const struct backup_options *from)
{
    *to = *from;
    to->monitor = g_strdup(from->monitor);
    for_each_option (row)
        if (row->kind->own)
            row->kind->own(row, to);
}

/* ---- the command line ---- */

static gboolean on_option(const char *option, const char *value, gpointer data, GError **error)
{
    for_each_option (row)
        if (strcmp(option + strlen("--"), row->name) == 0)
            return row->kind->parse(row, data, value, error);
    return FALSE;
}

static GOptionEntry entry_of(const struct option_row *row, struct backup_options *o)
{
    GOptionEntry entry = {.long_name = row->name,
                          .short_name = row->letter,
                          .flags = row->kind->has_no_value ? G_OPTION_FLAG_NO_ARG : 0,
                          .arg = row->kind->parse ? G_OPTION_ARG_CALLBACK : G_OPTION_ARG_FILENAME,
                          .arg_data = row->kind->parse ? (gpointer)on_option : option_field(row, o),
                          .description = row->help,
                          .arg_description = row->argument};
    return entry;
}

static GOptionGroup *group_of(struct backup_options *o, bool is_of_archive_only)
{
    GOptionGroup *group = g_option_group_new("backup", "Backup options:", "Show backup options", o, NULL);
    for_each_option (row) {
        const GOptionEntry entries[] = {entry_of(row, o), G_OPTION_ENTRY_NULL};
        if (row->is_of_archive || !is_of_archive_only)
            g_option_group_add_entries(group, entries);
    }
    return group;
}

GOptionGroup *backup_options_archive_group(struct backup_options *o)
{
    return group_of(o, true);
}

GOptionGroup *backup_options_group(struct backup_options *o)
{
    return group_of(o, false);
}

char *backup_options_line(const struct backup_options *o)
{
    GString *line = g_string_new("vmabackup backup");
    for (unsigned place = 1; place <= LAST_PLACE; place++)
        for_each_option (row)
            if (row->place == place)
                row->kind->say(row, o, line);
    if (o->monitor && *o->monitor == '-')
        g_string_append(line, " --");
    if (o->monitor)
        option_say_word(line, o->monitor);
    return g_string_free(line, FALSE);
}

/* ---- what they come to ---- */

static bool is_file_named(const struct backup_options *o, const char *suffix)
{
    return o->target && *o->target != '|' && g_str_has_suffix(o->target, suffix);
}

/* A file's name says what it is, so that stock tools take it for that; a pipe has none. */
int backup_options_level(const struct backup_options *o)
{
    bool is_by_name = !o->target || is_file_named(o, ".zst");
    if (o->level < 0)
        return o->is_store ? STORE_DEFAULT_LEVEL : is_by_name ? COMPRESS_DEFAULT_LEVEL : 0;
    return o->level;
}

bool backup_options_track(const struct backup_options *o)
{
    return o->is_store && !o->no_track;
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
    if (!o->proxmox_vmid || !o->target || o->is_store || !g_file_test(o->target, G_FILE_TEST_IS_DIR))
        return;
    folder = g_steal_pointer(&o->target);
    name = proxmox_file_name(o->proxmox_vmid, now, o->level ? ".vma.zst" : ".vma");
    o->target = g_build_filename(folder, name, NULL);
}

static bool has_store(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, STORE_FILE, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

static bool is_store(const struct backup_options *o)
{
    return o->target && *o->target != '|' && has_store(o->target);
}

static bool check_folder(const struct backup_options *o, GError **error)
{
    if (!o->target || o->is_store || !g_file_test(o->target, G_FILE_TEST_IS_DIR))
        return true;
    g_autofree char *safe = text_make_safe(o->target), *parent = g_path_get_dirname(o->target);
    if (has_store(parent))
        return vmb_fail(error, VMB_ERROR_TARGET, "target %s: is a guest's folder; name its store", safe);
    return vmb_fail(error, VMB_ERROR_TARGET,
                    "target %s: is a folder, but no store; is its disk mounted? A new store: vmabackup store init %s",
                    safe, safe);
}

static bool check_store(const struct backup_options *o, GError **error)
{
    if (o->is_store && o->level == 0)
        return vmb_fail(error, VMB_ERROR_USAGE, "target %s: what is in a store is always packed: level is 1 to 19",
                        o->target);
    if (o->is_store && o->keep_partial)
        return vmb_fail(error, VMB_ERROR_USAGE, "target %s: a store keeps nothing unfinished; leave --keep-partial out",
                        o->target);
    return check_folder(o, error);
}

bool backup_options_check(struct backup_options *o, GError **error)
{
    o->is_store = is_store(o);
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
    if (!check_store(o, error) || (!o->is_store && !check_compression(o, error)))
        return false;
    make_threads(o);
    return true;
}
