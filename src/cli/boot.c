// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vmabackup boot [--ram] ARCHIVE [-- QEMU ARGUMENTS…]`: serves the drives, lays qcow2 overlays over them and
 * starts QEMU at once; with --ram it goes on where it was saved. What the guest writes is gone when it ends.
 * The archive may be anybody's: which program runs is our choice, and guest_command.h says what of its own it
 * gets.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "base/signals_uv.h"
#include "base/text.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/exports.h"
#include "cli/guest_command.h"
#include "cli/guest_program.h"
#include "cli/ramfeed.h"
#include "cli/resumer.h"
#include "guest/mask.h"

/* What QEMU inherits. */
#define RAM_FD     3
#define MONITOR_FD 4

static const int caught[] = {SIGINT, SIGTERM};

struct options {
    char *qemu; /* NULL: the one that is found */
    gboolean has_ram, is_trusted;
    char *const *more; /* arguments for QEMU */
};

struct boot {
    const struct options *options;
    uv_loop_t loop;
    uv_process_t qemu;
    uv_signal_t signals[G_N_ELEMENTS(caught)];
    struct exports *exports;
    struct cli_indexed *archive;
    struct guest_command *command;
    struct ramfeed *ram;     /* NULL: it boots anew */
    struct resumer *resumer; /* likewise */
    char *program;
    char *folder; /* of the socket and the overlays */
    bool is_running;
    int status;
};

/* ---- overlays ---- */

static char *overlay_path(const struct boot *b, unsigned i)
{
    g_autofree char *name = g_strdup_printf("%u.qcow2", i);
    return g_build_filename(b->folder, name, NULL);
}

/* -u: the export need not be opened for it. */
static bool make_overlay(const struct boot *b, unsigned i, uint64_t size, GError **error)
{
    g_autofree char *path = overlay_path(b, i), *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, size), *said = NULL;
    const char *argv[] = {"qemu-img", "create", "-q",  "-u", "-f",
                          "qcow2",    "-F",     "raw", "-b", exports_uri(b->exports, i),
                          path,       bytes,    NULL};
    int status = 0;
    if (g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said, &status, error) &&
        g_spawn_check_wait_status(status, error))
        return true;
    g_prefix_error(error, "overlay %s: qemu-img: ", path);
    return false;
}

static bool make_overlays(struct boot *b, GError **error)
{
    for (unsigned i = 0; i < exports_count(b->exports); i++) {
        const struct vma_device *d = &b->archive->header->devices[exports_dev_id(b->exports, i)];
        g_autofree char *path = overlay_path(b, i);
        if (!make_overlay(b, i, d->size, error))
            return false;
        guest_command_drive(b->command, d->name, path, "qcow2");
    }
    return true;
}

static void remove_folder(const struct boot *b)
{
    for (unsigned i = 0; b->exports && i < exports_count(b->exports); i++) {
        g_autofree char *path = overlay_path(b, i);
        g_unlink(path);
    }
    if (b->folder)
        g_rmdir(b->folder);
}

/* On a disk, not in RAM: overlays grow with all that the guest writes. */
static bool make_folder(struct boot *b, GError **error)
{
    const char *parent = g_getenv("TMPDIR") ? g_getenv("TMPDIR") : "/var/tmp";
    b->folder = g_build_filename(parent, "vmabackup-boot-XXXXXX", NULL);
    if (g_mkdtemp(b->folder))
        return true;
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "directory %s: cannot be made: %s", b->folder, g_strerror(errno));
    g_clear_pointer(&b->folder, g_free);
    return false;
}

/* ---- QEMU ---- */

static void close_all(struct boot *b)
{
    exports_close(b->exports);
    if (b->ram)
        ramfeed_stop(b->ram);
    if (b->resumer)
        resumer_stop(b->resumer);
    signals_uv_close(b->signals, G_N_ELEMENTS(b->signals));
}

static void on_exit_of_qemu(uv_process_t *process, int64_t status, int signal_number)
{
    struct boot *b = process->data;
    b->status = signal_number ? 128 + signal_number : (int)status;
    b->is_running = false;
    uv_close((uv_handle_t *)process, NULL);
    close_all(b);
}

/* QEMU ends itself on these, and we with it. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct boot *b = handle->data;
    if (b->is_running)
        uv_process_kill(&b->qemu, number);
}

/* The operator's own secrets are not for logs either. */
static void tell(const struct boot *b, char **argv)
{
    g_autofree char *left = guest_command_left(b->command);
    g_auto(GStrv) masked = mask_arguments(argv + 1);
    g_autofree char *line = guest_command_quote(masked), *safe = text_make_safe(line);
    if (left)
        fprintf(stderr, "vmabackup: %s\n", left);
    if (left && isatty(STDERR_FILENO))
        fputs("vmabackup: add what the guest needs of this host behind `--`: -display gtk, -netdev "
              "user,id=ID\n",
              stderr);
    fprintf(stderr, "vmabackup: starting %s %s\n", *argv, safe);
}

static bool start_qemu(struct boot *b, GError **error)
{
    g_auto(GStrv) argv = guest_command_build(b->command, b->program, b->options->more);
    uv_stdio_container_t stdio[5] = {{.flags = UV_INHERIT_FD, .data.fd = 0},
                                     {.flags = UV_INHERIT_FD, .data.fd = 1},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {
        .exit_cb = on_exit_of_qemu, .file = argv[0], .args = argv, .stdio_count = b->ram ? 5 : 3, .stdio = stdio};
    if (b->ram) {
        stdio[RAM_FD] = ramfeed_stdio(b->ram);
        stdio[MONITOR_FD] = resumer_stdio(b->resumer);
    }
    tell(b, argv);
    b->qemu.data = b;
    int status = uv_spawn(&b->loop, &b->qemu, &options);
    if (status == 0) {
        b->is_running = true;
        return true;
    }
    uv_close((uv_handle_t *)&b->qemu, NULL);
    return vmb_fail(error, VMB_ERROR_FAILED, "%s: cannot be started: %s", argv[0], uv_strerror(status));
}

/* ---- all of it ---- */

static bool find_ram(struct boot *b, GError **error)
{
    int id = cli_indexed_ram_id(b->archive);
    if (!id || !cli_indexed_is_whole(b->archive, id)) {
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_FAILED, "holds no RAM state; boot it without --ram");
        cli_archive_prefix(b->archive->path, error);
        return false;
    }
    b->ram = ramfeed_new(&b->loop, b->archive, id);
    b->resumer = resumer_new(&b->loop);
    guest_command_incoming(b->command, "fd:" G_STRINGIFY(RAM_FD));
    guest_command_add(b->command, "-chardev", "socket,id=vmb-boot,fd=" G_STRINGIFY(MONITOR_FD));
    guest_command_add(b->command, "-mon", "chardev=vmb-boot,mode=control");
    return true;
}

/* No more than this line of standard input: the rest is QEMU's. */
static bool is_confirmed(void)
{
    char answer[8] = "", byte;
    size_t n = 0;
    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
        if (n + 1 < sizeof answer)
            answer[n++] = byte;
    return !g_ascii_strcasecmp(answer, "y") || !g_ascii_strcasecmp(answer, "yes");
}

static bool ask_for_trust(const struct boot *b, GError **error)
{
    g_autofree char *line = b->options->is_trusted ? guest_command_original(b->command) : NULL;
    if (!line)
        return true;
    fprintf(stderr,
            "The archive's command line:\n  %s\nIt can open files, devices and networks of this host, and run "
            "programs. Start it? [y/N] ",
            line);
    if (is_confirmed())
        return true;
    return vmb_fail(error, VMB_ERROR_CANCELLED, "not started; --trust needs the answer y");
}

/* An older QEMU does not know the machine of a newer one; a guest that boots anew gets along with its own. */
static void fit_machine(const struct boot *b, unsigned wanted)
{
    unsigned version = guest_program_version(b->program);
    if (!version || version >= wanted)
        return;
    fprintf(stderr, "vmabackup: %s is older than QEMU %s, which ran the guest; name a newer one by --qemu\n",
            b->program, guest_command_version(b->command));
    if (!b->options->has_ram)
        guest_command_fit(b->command, version);
}

static bool find_program(struct boot *b, GError **error)
{
    unsigned wanted = guest_program_number(guest_command_version(b->command));
    b->program = b->options->qemu ? g_strdup(b->options->qemu)
                                  : guest_program_find(guest_command_program(b->command), wanted, error);
    if (b->program)
        fit_machine(b, wanted);
    return b->program != NULL;
}

static bool prepare(struct boot *b, GError **error)
{
    if (!ask_for_trust(b, error) || !find_program(b, error) || !make_folder(b, error))
        return false;
    g_autofree char *socket_path = g_build_filename(b->folder, "nbd", NULL);
    b->exports = exports_open(&b->loop, b->archive, NULL, socket_path, error);
    if (!b->exports)
        cli_archive_prefix(b->archive->path, error);
    return b->exports && make_overlays(b, error) && (!b->options->has_ram || find_ram(b, error));
}

static bool boot(const char *path, const struct options *options, int *status, GError **error)
{
    struct boot b = {.options = options, .archive = cli_indexed_open(path, error)};
    if (!b.archive)
        return false;
    uv_loop_init(&b.loop);
    b.command = guest_command_new(b.archive->header, options->is_trusted);
    bool is_good = prepare(&b, error);
    if (is_good) {
        signal(SIGPIPE, SIG_IGN);
        signals_uv_catch(&b.loop, b.signals, caught, G_N_ELEMENTS(caught), on_signal, &b);
        is_good = start_qemu(&b, error);
        if (is_good && b.ram) {
            ramfeed_start(b.ram);
            resumer_start(b.resumer);
        }
        if (!is_good)
            close_all(&b);
    } else if (b.exports) {
        exports_close(b.exports);
    }
    uv_run(&b.loop, UV_RUN_DEFAULT);
    remove_folder(&b);
    g_clear_pointer(&b.exports, exports_free);
    g_clear_pointer(&b.ram, ramfeed_free);
    g_clear_pointer(&b.resumer, resumer_free);
    guest_command_free(b.command);
    cli_indexed_free(b.archive);
    uv_loop_close(&b.loop);
    g_free(b.folder);
    g_free(b.program);
    *status = b.status;
    return is_good;
}

int cli_boot(int argc, char **argv)
{
    struct options options = {NULL};
    int status = 0;
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"ram", 0, 0, G_OPTION_ARG_NONE, &options.has_ram, "Go on at the instant that was saved, with the RAM state",
         NULL},
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &options.qemu,
         "Start this QEMU (default: the one in $PATH that is new enough)", "PATH"},
        {"trust", 0, 0, G_OPTION_ARG_NONE, &options.is_trusted,
         "Show the archive's own command line and, after a question, use all of it", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cli_parse_counted(
            &argc, &argv, entries, "ARCHIVE [-- QEMU ARGUMENTS…]",
            "Starts a guest straight from an archive. Its drives are read as they are needed; what it "
            "writes\n"
            "goes to overlays that are removed at the end. Of the command line in the archive only machine,\n"
            "processors, memory, devices and drives are used, so that it opens nothing of this host: "
            "networks,\n"
            "consoles and screens come from QEMU ARGUMENTS, which replace or add.",
            1, G_MAXINT, &error))
        return cli_fail(error);
    options.more = argv + 2;
    if (*options.more && !strcmp(*options.more, "--"))
        options.more++;
    bool is_good = boot(argv[1], &options, &status, &error);
    g_free(options.qemu);
    return is_good ? status : cli_fail(error);
}
