// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup import ARCHIVE STORE GUEST`: an archive becomes a snapshot of that guest in a store, of its own instant.
 */
#include <stdio.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/repack.h"
#include "cli/signals.h"
#include "sink/compress.h"
#include "store/snapshot_json.h"
#include "store/snapshot_writer.h"

struct job {
    const struct backup_options *options;
    const char *guest;
    GString *lost; /* names of devices that the archive does not hold whole */
};

/* An index takes its memory before the first cluster has come: what a header merely says must not take the machine's.
 * How long the RAM is shows only when it comes. */
static bool check_sizes(const struct vma_header *h, uint32_t chunk_bytes, GError **error)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), bytes = 0;
    char size[UNITS_LEN];
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        if (g_strcmp0(h->devices[i].name, VMA_VMSTATE_NAME))
            bytes += h->devices[i].size / chunk_bytes * sizeof(struct chunk_id);
    return bytes <= memory / 2 ||
           vmb_fail(error, VMB_ERROR_DAMAGED,
                    "its drives are said to be so large that their indexes would take %s of memory; in a store of "
                    "larger chunks they take less",
                    units_format_size(bytes, size));
}

static bool open_target(struct repack *r, const struct writer_events *events, GError **error)
{
    const struct job *j = r->user;
    const struct backup_options *o = j->options;
    uint64_t spool_bytes = archive_spool_bytes(o, UINT64_MAX, NULL);
    g_autofree char *run = g_strdup_printf("import%d", (int)getpid());
    r->sink = snapshot_json_check(r->header, error)
                  ? snapshot_target_open(&r->loop, o->target, j->guest, run, backup_options_level(o), error)
                  : NULL;
    if (!r->sink || !check_sizes(r->header, snapshot_target_chunk_bytes(r->sink), error))
        return false;
    r->writer = snapshot_writer_new(&r->loop, r->sink, r->pool, backup_options_threads(o), events, r);
    struct overflow *spool = spool_bytes ? overflow_open(o->spool_dir, spool_bytes, NULL) : NULL;
    if (spool)
        snapshot_writer_set_spool(r->writer, spool, archive_guest_reserve(spool_bytes));
    return true;
}

/* As the end mark says: their backup failed. */
static void drop_lost(struct repack *r)
{
    struct job *j = r->user;
    for (int i = 1; i < (int)VMA_MAX_DEVICES; i++) {
        if (!r->header->devices[i].name || vma_check_is_whole(vma_walk_check(r->archive->walk), i))
            continue;
        g_string_append_printf(j->lost, "%s%s", j->lost->len ? ", " : "", r->header->devices[i].name);
        repack_drop(r, i);
    }
}

static void report(const struct repack *r)
{
    char fresh[UNITS_LEN], size[UNITS_LEN];
    printf("imported %s as %s: new %s of %s\n", r->archive->shown, sink_name(r->sink),
           units_format_size(snapshot_target_new_bytes(r->sink), fresh),
           units_format_size(snapshot_target_size(r->sink), size));
}

static bool import(struct job *j, const char *path, GError **error)
{
    static const struct repack_ops ops = {"importing", "import", open_target, drop_lost};
    struct repack *r = repack_new(&ops, j);
    bool is_good = repack_run(r, path, error);
    if (is_good)
        report(r);
    if (is_good && j->lost->len)
        is_good = vmb_fail(error, VMB_ERROR_INCOMPLETE,
                           "the backup of %s failed or was cancelled; all else was imported", j->lost->str);
    repack_free(r);
    return is_good;
}

static bool check(struct backup_options *o, const char *dir, GError **error)
{
    o->target = g_strdup(dir);
    if (o->level == 0 || o->level < -1 || o->level > COMPRESS_MAX_LEVEL)
        return vmb_fail(error, VMB_ERROR_USAGE, "level is 1 to %d", COMPRESS_MAX_LEVEL);
    if (!backup_options_check(o, error))
        return false;
    g_autofree char *safe = text_make_safe(dir);
    return o->is_store || vmb_fail(error, VMB_ERROR_FAILED, "%s: no store; `vmabackup store init` makes one", safe);
}

int cli_import(int argc, char **argv)
{
    struct backup_options o;
    const GOptionEntry entries[] = {
        {"level", 0, 0, G_OPTION_ARG_INT, &o.level, "Of zstd, 1 to 19 (default 1)", "N"},
        {"spool-dir", 0, 0, G_OPTION_ARG_FILENAME, &o.spool_dir, "Where clusters wait that come in no order", "DIR"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    backup_options_init(&o);
    bool is_good = cli_parse_counted(&argc, &argv, entries, "ARCHIVE STORE GUEST",
                                     "Makes a snapshot of GUEST in a store from an archive.", 3, 3, &error);
    if (is_good && check(&o, argv[2], &error)) {
        g_autoptr(GString) lost = g_string_new(NULL);
        signals_catch();
        import(&(struct job){&o, argv[3], lost}, argv[1], &error);
    }
    backup_options_clear(&o);
    return signals_leave(error ? cli_fail(error) : 0);
}
