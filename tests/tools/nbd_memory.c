// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An NBD server over src/nbd whose exports live in memory, for tests with real clients.
 *
 *     nbd_memory SOCKET NAME:BYTES[:OPTION...]...
 *
 * Options: ro (read-only), plain (no structured replies), null (what is written is forgotten, zeros are
 * read), full (writes beyond the first half fail with ENOSPC), deaf (no memory for the second half: dropped).
 * Says "ready" on standard output, then one line for each connection that ends:
 * "closed NAME clean|unclean WHY". SIGTERM ends it: status 0 if nothing is left in the loop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "nbd/server_uv.h"

#define NULL_BYTES 65536

struct disk {
    uint64_t size;
    uint8_t *memory; /* of `size` bytes, or of NULL_BYTES if is_null */
    bool is_null, is_full, is_deaf;
};

struct tool {
    uv_loop_t loop;
    uv_signal_t on_term;
    struct nbd_exports *exports;
    struct nbd_listener *listener;
    GPtrArray *conns;
};

static int disk_write_begin(void *user, struct nbd_request *rq)
{
    struct disk *disk = user;

    return disk->is_full && rq->offset + rq->len > disk->size / 2 ? ENOSPC : 0;
}

static void *disk_write_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    struct disk *disk = user;

    if (disk->is_deaf && rq->offset + done >= disk->size / 2)
        return NULL;
    *room = disk->is_null ? NULL_BYTES : rq->len - done;
    return disk->is_null ? disk->memory : disk->memory + rq->offset + done;
}

static int disk_write_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    return 0;
}

static void disk_write_end(void *user, struct nbd_request *rq, int error, bool cut)
{
}

static int disk_zeroes(void *user, const struct nbd_request *rq)
{
    struct disk *disk = user;

    if (!disk->is_null)
        memset(disk->memory + rq->offset, 0, rq->len);
    return 0;
}

static int disk_read(void *user, const struct nbd_request *rq, void *to)
{
    struct disk *disk = user;

    if (disk->is_null)
        memset(to, 0, rq->len);
    else
        memcpy(to, disk->memory + rq->offset, rq->len);
    return 0;
}

static const struct nbd_export_ops disk_ops = {
    .write_begin = disk_write_begin,
    .write_room = disk_write_room,
    .write_landed = disk_write_landed,
    .write_end = disk_write_end,
    .zeroes = disk_zeroes,
    .trim = disk_zeroes,
    .read = disk_read,
};

static void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    struct tool *tool = user;

    g_ptr_array_add(tool->conns, conn);
}

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    struct tool *tool = user;
    const struct nbd_export *export = nbd_conn_export(conn);

    g_ptr_array_remove(tool->conns, conn);
    printf("closed %s %s %s\n", export ? export->name : "-", clean ? "clean" : "unclean", why);
    fflush(stdout);
}

static const struct nbd_conn_events events = {on_export, on_closed};

static void on_term(uv_signal_t *handle, int signum)
{
    struct tool *tool = handle->data;

    nbd_listener_close(tool->listener);
    for (unsigned i = 0; i < tool->conns->len; i++)
        nbd_conn_shutdown(tool->conns->pdata[i]);
    uv_close((uv_handle_t *)handle, NULL);
}

static void apply_option(struct nbd_export *export, struct disk *disk, const char *option)
{
    if (strcmp(option, "ro") == 0)
        export->read_only = true;
    else if (strcmp(option, "plain") == 0)
        export->no_structured = true;
    else if (strcmp(option, "null") == 0)
        disk->is_null = true;
    else if (strcmp(option, "full") == 0)
        disk->is_full = true;
    else if (strcmp(option, "deaf") == 0)
        disk->is_deaf = true;
    else
        exit((fprintf(stderr, "unknown option %s\n", option), 2));
}

static void add_export(struct nbd_exports *exports, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ":", -1);
    struct disk *disk = g_new0(struct disk, 1);
    struct nbd_export export = {.name = words[0], .ops = &disk_ops, .user = disk};

    if (!words[0] || !words[1])
        exit((fprintf(stderr, "%s: want NAME:BYTES[:OPTION...]\n", text), 2));
    export.size = disk->size = g_ascii_strtoull(words[1], NULL, 10);
    for (unsigned i = 2; words[i]; i++)
        apply_option(&export, disk, words[i]);
    disk->memory = mmap(NULL, disk->is_null ? NULL_BYTES : MAX(disk->size, 1), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (disk->memory == MAP_FAILED)
        exit((perror("mmap"), 1));
    nbd_exports_add(exports, &export);
}

static void free_disks(char **names, const struct nbd_exports *exports)
{
    for (; *names; names++) {
        g_auto(GStrv) words = g_strsplit(*names, ":", 2);
        struct disk *disk = nbd_exports_find(exports, words[0])->user;

        munmap(disk->memory, disk->is_null ? NULL_BYTES : MAX(disk->size, 1));
        g_free(disk);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct tool tool = {.exports = nbd_exports_new(), .conns = g_ptr_array_new()};

    if (argc < 3)
        return fprintf(stderr, "usage: nbd_memory SOCKET NAME:BYTES[:OPTION...]...\n"), 2;
    for (int i = 2; i < argc; i++)
        add_export(tool.exports, argv[i]);
    uv_loop_init(&tool.loop);
    tool.listener = nbd_listener_open(&tool.loop, argv[1], tool.exports, &events, &tool, &error);
    if (!tool.listener)
        return fprintf(stderr, "nbd_memory: %s\n", error->message), 1;
    uv_signal_init(&tool.loop, &tool.on_term);
    tool.on_term.data = &tool;
    uv_signal_start(&tool.on_term, on_term, SIGTERM);
    puts("ready");
    fflush(stdout);
    uv_run(&tool.loop, UV_RUN_DEFAULT);
    free_disks(argv + 2, tool.exports);
    nbd_exports_free(tool.exports);
    g_ptr_array_unref(tool.conns);
    return uv_loop_close(&tool.loop) == 0 ? 0 : 1;
}
