// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup export ARCHIVE -o TARGET`: a snapshot of a store, or any archive, as an archive of its own. */
#include "archive/archive.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/repack.h"
#include "cli/signals.h"

static bool open_target(struct repack *r, const struct writer_events *events, GError **error)
{
    const struct backup_options *o = r->user;
    r->sink = sink_open(&r->loop, o->target, &(struct sink_options){.force = o->force}, error);
    if (!r->sink)
        return false;
    r->writer = archive_writer_new(&r->loop, r->sink, r->pool, r->header->uuid, events, r);
    archive_prepare_writer(r->writer, o, NULL);
    return true;
}

static bool export(const char *path, struct backup_options *options, GError **error)
{
    static const struct repack_ops ops = {"exporting", "export", open_target, NULL};
    struct repack *r = repack_new(&ops, options);
    bool is_good = repack_run(r, path, error);
    repack_free(r);
    return is_good;
}

static bool check(struct backup_options *o, int level, int threads, GError **error)
{
    if (!o->target || !*o->target)
        return vmb_fail(error, VMB_ERROR_USAGE, "export: name a target by -o");
    if (level < -1 || level > 19 || threads < 0 || threads > 64)
        return vmb_fail(error, VMB_ERROR_USAGE, "export: level is 0 to 19, threads 1 to 64");
    o->level = level;
    o->threads = (unsigned)threads;
    return backup_options_check(o, error);
}

int cli_export(int argc, char **argv)
{
    struct backup_options options;
    int level = -1, threads = 0;
    gboolean is_forced = FALSE;
    g_autoptr(GError) error = NULL;
    backup_options_init(&options);
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.target,
         "FILE.vma, FILE.vma.zst, - for standard output, or |COMMAND", "TARGET"},
        {"level", 0, 0, G_OPTION_ARG_INT, &level, "Compress by zstd: 1 to 19 (default 3 for FILE.zst, else not at all)",
         "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "That compress (default: one for each processor, at most 8)",
         "N"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &is_forced, "Replace an existing archive, or what a block device holds",
         NULL},
        G_OPTION_ENTRY_NULL,
    };
    bool is_good = cli_parse_counted(&argc, &argv, entries, "ARCHIVE -o TARGET",
                                     "Makes an archive of a snapshot in a store: one file that holds all of it, for\n"
                                     "Proxmox or a tape. Another archive is packed anew. A damaged one is refused.",
                                     1, 1, &error);
    options.force = is_forced;
    if (is_good && check(&options, level, threads, &error)) {
        signals_catch();
        is_good = export(argv[1], &options, &error);
    }
    backup_options_clear(&options);
    return signals_leave(error ? cli_fail(error) : 0);
}
