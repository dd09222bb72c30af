// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vmabackup extract [--drive NAME…] [-C DIR] ARCHIVE`: raw sparse files, the RAM state, the configurations.
 * Everything is checked on the way; unless all is good, no file gets its name (--salvage takes what there
 * is).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/outfile.h"
#include "vma/check.h"

struct options {
    char **drives; /* NULL: everything */
    char *directory;
    gboolean is_salvage;
};

/* Stored blocks that follow each other in memory and on the drive: one write. */
struct run {
    struct outfile *file;
    const uint8_t *data;
    size_t len;
    uint64_t offset;
};

struct extract {
    const struct options *options;
    struct cli_archive *archive;
    struct vma_check *check;
    struct outfile *devices[VMA_MAX_DEVICES]; /* NULL: not asked for */
    GPtrArray *configs;                       /* struct outfile, written in full */
    struct run run;
    GError *fault; /* the first one, unless salvaging */
    unsigned faults;
};

static volatile sig_atomic_t caught_signal;

static void on_signal(int number)
{
    caught_signal = number;
}

/* Without SA_RESTART: a read from a silent pipe ends, too. The second signal kills. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &action, NULL);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct extract *x = user;
    x->faults++;
    if (x->options->is_salvage)
        fprintf(stderr, "vmabackup: damaged at offset %" G_GUINT64_FORMAT ": %s\n", offset, text);
    else if (!x->fault)
        g_set_error(&x->fault, VMB_ERROR, VMB_ERROR_DAMAGED, "damaged at offset %" G_GUINT64_FORMAT ": %s",
                    offset, text);
}

/* ---- what goes where ---- */

static bool is_wanted(const struct options *o, const char *name)
{
    return !o->drives || g_strv_contains((const char *const *)o->drives, name);
}

static bool name_is_usable(const char *kind, const char *name, GError **error)
{
    if (vma_name_is_safe(name))
        return true;
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                "its %s %s is no safe file name; extract single drives with --drive", kind, name);
    return false;
}

static bool open_device(struct extract *x, int id, const char *name, GError **error)
{
    if (!name || !is_wanted(x->options, name))
        return true;
    if (!name_is_usable("device name", name, error)) {
        cli_archive_prefix(x->archive->path, error);
        return false;
    }
    bool is_ram = !strcmp(name, VMA_VMSTATE_NAME);
    g_autofree char *file = g_strconcat(name, is_ram ? ".bin" : ".raw", NULL);
    x->devices[id] = outfile_open(x->options->directory, file, error);
    return x->devices[id] != NULL;
}

static bool write_config(struct extract *x, const struct vma_config *c, GError **error)
{
    if (!name_is_usable("configuration name", c->name, error)) {
        cli_archive_prefix(x->archive->path, error);
        return false;
    }
    struct outfile *file = outfile_open(x->options->directory, c->name, error);
    if (!file)
        return false;
    g_ptr_array_add(x->configs, file);
    return outfile_write(file, c->data, c->len, 0, error) && outfile_finish(file, c->len, error);
}

static bool all_drives_exist(struct extract *x, GError **error)
{
    for (char **wanted = x->options->drives; wanted && *wanted; wanted++) {
        bool is_there = false;
        for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
            is_there |= !g_strcmp0(x->archive->header->devices[i].name, *wanted);
        if (!is_there) {
            g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                        "holds no drive %s; `vmabackup list ARCHIVE` shows those it has", *wanted);
            cli_archive_prefix(x->archive->path, error);
            return false;
        }
    }
    return true;
}

static bool open_files(struct extract *x, GError **error)
{
    const struct vma_header *h = x->archive->header;
    if (!all_drives_exist(x, error))
        return false;
    if (mkdir(x->options->directory, 0777) && errno != EEXIST) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "directory %s: cannot be made: %s",
                    x->options->directory, g_strerror(errno));
        return false;
    }
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++)
        if (!open_device(x, i, h->devices[i].name, error))
            return false;
    for (unsigned i = 0; !x->options->drives && i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name && !write_config(x, &h->configs[i], error))
            return false;
    return true;
}

/* ---- data ---- */

static bool run_flush(struct run *run, GError **error)
{
    struct run now = *run;
    *run = (struct run){0};
    return !now.len || outfile_write(now.file, now.data, now.len, now.offset, error);
}

static bool take_block(struct extract *x, const struct vma_read_block *b, GError **error)
{
    struct run *run = &x->run;
    struct outfile *file = x->devices[b->dev_id];
    bool is_ram = b->dev_id == vma_check_vmstate_id(x->check);
    uint64_t offset = (uint64_t)b->cluster * VMA_CLUSTER_SIZE + (uint64_t)b->block * VMA_BLOCK_SIZE;
    uint64_t size = is_ram ? G_MAXINT64 : x->archive->header->devices[b->dev_id].size;
    if (!file || offset >= size)
        return true;
    size_t len = (size_t)MIN(size - offset, VMA_BLOCK_SIZE);
    bool continues = run->file == file && run->data + run->len == b->data && run->offset + run->len == offset;
    if (!continues) {
        if (!run_flush(run, error))
            return false;
        *run = (struct run){file, b->data, 0, offset};
    }
    run->len += len;
    return true;
}

static bool take_event(struct extract *x, enum vma_read_event event, GError **error)
{
    struct vma_reader *r = x->archive->reader;
    switch (event) {
    case VMA_READ_EXTENT:
        vma_check_extent(x->check, vma_reader_extent(r));
        return true;
    case VMA_READ_BLOCK:
        vma_check_block(x->check, vma_reader_block(r));
        return take_block(x, vma_reader_block(r), error);
    case VMA_READ_EXTENT_END:
        vma_check_payload(x->check, vma_reader_extent(r));
        return true;
    case VMA_READ_END:
        vma_check_end(x->check, vma_reader_consumed(r));
        return run_flush(&x->run, error);
    default: /* VMA_READ_MORE: the memory that the run points to ends here */
        return run_flush(&x->run, error);
    }
}

/* Reading met an error. Salvaging goes on behind a broken place, or ends with what is there. */
static bool salvage(struct extract *x, enum vma_read_event *event, GError **error)
{
    if (!x->options->is_salvage || !error || !g_error_matches(*error, VMB_ERROR, VMB_ERROR_DAMAGED))
        return false;
    fprintf(stderr, "vmabackup: %s\n", (*error)->message);
    g_clear_error(error);
    x->faults++;
    vma_check_skipped(x->check);
    *event = VMA_READ_MORE;
    if (!vma_reader_resync(x->archive->reader)) {
        vma_check_end(x->check, vma_reader_consumed(x->archive->reader));
        *event = VMA_READ_END;
    }
    return true;
}

static bool read_all(struct extract *x, GError **error)
{
    enum vma_read_event event = VMA_READ_HEADER;
    while (event != VMA_READ_END) {
        bool is_read = cli_archive_next(x->archive, &event, error);
        if (caught_signal) {
            g_clear_error(error);
            g_set_error_literal(error, VMB_ERROR, VMB_ERROR_CANCELLED, "interrupted: nothing was unpacked");
            return false;
        }
        if (!is_read) {
            if (!run_flush(&x->run, NULL) || !salvage(x, &event, error))
                return false;
        } else if (!take_event(x, event, error)) {
            return false;
        }
        if (x->fault) {
            g_propagate_error(error, g_steal_pointer(&x->fault));
            cli_archive_prefix(x->archive->path, error);
            return false;
        }
    }
    return true;
}

/* ---- the end ---- */

/* Devices whose backup failed, as the end mark says, are left out; their names in *lost. */
static bool finish_devices(struct extract *x, GString *lost, GError **error)
{
    uint64_t ram_bytes = vma_check_result(x->check)->seen.vmstate_bytes;
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        const struct vma_device *d = &x->archive->header->devices[i];
        uint64_t size = i == vma_check_vmstate_id(x->check) ? ram_bytes : d->size;
        if (!x->devices[i])
            continue;
        if (!vma_check_is_whole(x->check, i) && !x->options->is_salvage) {
            g_string_append_printf(lost, "%s%s", lost->len ? ", " : "", d->name);
            g_clear_pointer(&x->devices[i], outfile_free);
        } else if (!outfile_finish(x->devices[i], size, error)) {
            return false;
        }
    }
    return true;
}

static bool publish(struct extract *x, GError **error)
{
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        if (x->devices[i] && !outfile_publish(x->devices[i], error))
            return false;
    for (unsigned i = 0; i < x->configs->len; i++)
        if (!outfile_publish(g_ptr_array_index(x->configs, i), error))
            return false;
    return true;
}

static bool judge(struct extract *x, const GString *lost, GError **error)
{
    if (x->faults)
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                    "damaged: %u fault%s; what could be read was unpacked, with zeros for the rest",
                    x->faults, x->faults == 1 ? "" : "s");
    else if (lost->len)
        g_set_error(error, VMB_ERROR, VMB_ERROR_INCOMPLETE,
                    "incomplete: the backup of %s failed or was cancelled; all else was unpacked", lost->str);
    else
        return true;
    cli_archive_prefix(x->archive->path, error);
    return false;
}

static bool extract(const char *path, const struct options *options, GError **error)
{
    g_autoptr(cli_archive) archive = cli_archive_open(path, error);
    if (!archive)
        return false;
    g_autoptr(GPtrArray) configs = g_ptr_array_new_with_free_func((GDestroyNotify)outfile_free);
    g_autoptr(GString) lost = g_string_new(NULL);
    struct extract x = {.options = options, .archive = archive, .configs = configs};
    x.check = vma_check_new(archive->header, on_fault, &x);
    bool is_done = open_files(&x, error) && read_all(&x, error) && finish_devices(&x, lost, error) &&
                   publish(&x, error) && judge(&x, lost, error);
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        outfile_free(x.devices[i]);
    vma_check_free(x.check);
    g_clear_error(&x.fault);
    return is_done;
}

int cli_extract(int argc, char **argv)
{
    struct options options = {0};
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"drive", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.drives,
         "Unpack only this device, no configurations (repeatable)", "NAME"},
        {"directory", 'C', 0, G_OPTION_ARG_FILENAME, &options.directory,
         "Unpack into DIR, made if need be (default: here)", "DIR"},
        {"salvage", 0, 0, G_OPTION_ARG_NONE, &options.is_salvage,
         "Unpack what can be read of a damaged archive; what is missing becomes zeros", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (cli_parse_counted(
            &argc, &argv, entries, "ARCHIVE",
            "Unpacks drives as raw sparse files NAME.raw, the RAM state as vmstate.bin, and the\n"
            "configurations. Nothing is overwritten; of a damaged archive nothing is left behind.",
            1, 1, &error)) {
        if (!options.directory)
            options.directory = g_strdup(".");
        catch_signals();
        extract(argv[1], &options, &error);
    }
    g_strfreev(options.drives);
    g_free(options.directory);
    int status = error ? cli_fail(error) : 0;
    if (caught_signal) {
        signal(caught_signal, SIG_DFL);
        raise(caught_signal);
    }
    return status;
}
