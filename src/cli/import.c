// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup import ARCHIVE STORE GUEST`: an archive becomes a snapshot of that guest in a store, of its own instant.
 */
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "options/options.h"
#include "sink/compress.h"
#include "store/import.h"

struct job {
    struct cli_archive *archive;
    struct import *import;
    GString *lost; /* names of devices that the archive does not hold whole */
};

/* ---- on the way ---- */

static bool on_header(void *user, const struct vma_header *h, GError **error)
{
    return import_begin(((struct job *)user)->import, h, error);
}

static bool on_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    return import_data(((struct job *)user)->import, dev_id, offset, bytes, len, error);
}

static bool on_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    return import_zeroes(((struct job *)user)->import, dev_id, offset, len, error);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    cli_archive_stop(((struct job *)user)->archive, offset, text);
}

static const struct vma_walk_ops walk_ops = {on_header, on_data, on_zeroes, on_fault};

/* ---- the whole of it ---- */

/* As the end mark says: their backup failed. */
static void drop_lost(struct job *j)
{
    const struct vma_check *c = vma_walk_check(j->archive->walk);
    const struct vma_header *h = vma_walk_header(j->archive->walk);
    for (int i = 1; i < (int)VMA_MAX_DEVICES; i++) {
        if (!h->devices[i].name || vma_check_is_whole(c, i))
            continue;
        g_string_append_printf(j->lost, "%s%s", j->lost->len ? ", " : "", h->devices[i].name);
        import_drop(j->import, i);
    }
}

static bool import(struct job *j, const char *path, GError **error)
{
    j->archive = cli_archive_open(path, &walk_ops, j, error);
    if (!j->archive || !cli_archive_read(j->archive, "importing", error))
        return false;
    drop_lost(j);
    return import_finish(j->import, vma_check_result(vma_walk_check(j->archive->walk))->seen.vmstate_bytes, error);
}

static void report(const struct job *j)
{
    char fresh[UNITS_LEN], size[UNITS_LEN];
    printf("imported %s as %s: new %s of %s\n", j->archive->shown, import_name(j->import),
           units_format_size(import_new_bytes(j->import), fresh), units_format_size(import_size(j->import), size));
}

static int run(const struct backup_options *o, const char *path, const char *guest)
{
    struct job j = {.import = import_new(o, guest), .lost = g_string_new(NULL)};
    g_autoptr(GError) error = NULL;
    signals_catch();
    bool is_good = import(&j, path, &error);
    if (is_good)
        report(&j);
    if (is_good && j.lost->len)
        vmb_error_set(&error, VMB_ERROR_INCOMPLETE, "the backup of %s failed or was cancelled; all else was imported",
                      j.lost->str);
    import_free(j.import);
    cli_archive_free(j.archive);
    g_string_free(j.lost, TRUE);
    return signals_leave(error ? cli_fail(error) : 0);
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
    int status;
    backup_options_init(&o);
    if (!cli_parse_counted(&argc, &argv, entries, "ARCHIVE STORE GUEST",
                           "Makes a snapshot of GUEST in a store from an archive.", 3, 3, &error) ||
        !check(&o, argv[2], &error))
        status = cli_fail(error);
    else
        status = run(&o, argv[1], argv[3]);
    backup_options_clear(&o);
    return status;
}
