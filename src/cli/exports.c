// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/exports.h"

#include <malloc.h>
#include <stdio.h>

#include "base/error.h"
#include "nbd/server_uv.h"
#include "nbd/wire.h"

#define KEPT_BYTES (32 << 20)

struct drive {
    struct exports *all;
    int dev_id;
    char *uri;
};

struct exports {
    struct cli_indexed *archive;
    struct nbd_exports *set;
    struct nbd_listener *listener;
    GPtrArray *drives; /* struct drive */
    GPtrArray *conns;  /* that have chosen an export */
};

/* ---- what an export does ---- */

static void on_read(void *read, int error)
{
    nbd_read_done(read, error);
}

static void drive_start_read(void *user, struct nbd_read *read)
{
    const struct drive *d = user;
    cli_indexed_read(d->all->archive, d->dev_id, read->offset, read->to, read->len, on_read, read);
}

/* Data that stands at two places is still one extent. */
static unsigned drive_status(void *user, const struct nbd_request *rq, struct nbd_extent *extents, unsigned max)
{
    const struct drive *d = user;
    uint64_t offset = rq->offset, end = rq->offset + rq->len;
    unsigned n = 0;
    while (offset < end) {
        struct vma_index_run run = cli_indexed_run(d->all->archive, d->dev_id, offset, end - offset);
        uint32_t state = run.at ? 0 : NBD_STATE_HOLE | NBD_STATE_ZERO;
        if (n && extents[n - 1].state == state)
            extents[n - 1].len += (uint32_t)run.len;
        else if (n < max)
            extents[n++] = (struct nbd_extent){(uint32_t)run.len, state};
        else
            break;
        offset += run.len;
    }
    return n;
}

static const struct nbd_export_ops drive_ops = {.start_read = drive_start_read, .status = drive_status};

/* ---- opening ---- */

static void drive_free(void *item)
{
    struct drive *d = item;
    g_free(d->uri);
    g_free(d);
}

static void add_drive(struct exports *e, int dev_id, const char *socket_path)
{
    const struct vma_device *device = &e->archive->header->devices[dev_id];
    g_autofree char *name = g_uri_escape_string(device->name, NULL, FALSE);
    g_autofree char *path = g_uri_escape_string(socket_path, "/", FALSE);
    struct drive *d = g_new0(struct drive, 1);
    d->all = e;
    d->dev_id = dev_id;
    d->uri = g_strdup_printf("nbd+unix:///%s?socket=%s", name, path);
    g_ptr_array_add(e->drives, d);
    nbd_exports_add(e->set,
                    &(struct nbd_export){
                        .name = device->name, .size = device->size, .read_only = true, .ops = &drive_ops, .user = d});
}

static bool is_whole_drive(const struct exports *e, int dev_id)
{
    return dev_id != cli_indexed_ram_id(e->archive) && cli_indexed_is_whole(e->archive, dev_id);
}

/* Whole drives, in the archive's order; "vmstate" is none. */
static bool add_drives(struct exports *e, char **drives, const char *socket_path, GError **error)
{
    for (char **wanted = drives; wanted && *wanted; wanted++) {
        int id = vma_header_find_device(e->archive->header, *wanted);
        if (id > 0 && is_whole_drive(e, id))
            continue;
        return vmb_fail(error, VMB_ERROR_FAILED, "%s %s; `vmabackup list ARCHIVE` shows what it has",
                        id < 0 ? "holds no drive" : "cannot serve", *wanted);
    }
    for (int id = 0; id < (int)VMA_MAX_DEVICES; id++) {
        const char *name = e->archive->header->devices[id].name;
        bool is_wanted = name && (!drives || g_strv_contains((const char *const *)drives, name));
        if (is_wanted && is_whole_drive(e, id))
            add_drive(e, id, socket_path);
    }
    if (e->drives->len)
        return true;
    return vmb_fail(error, VMB_ERROR_FAILED, "holds no whole drive that could be served");
}

static void on_fault(void *user, const char *text)
{
    struct exports *e = user;
    fprintf(stderr, "vmabackup: archive %s: %s; clients get read errors there\n", e->archive->path, text);
}

static void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    g_ptr_array_add(((struct exports *)user)->conns, conn);
}

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    g_ptr_array_remove_fast(((struct exports *)user)->conns, conn);
}

/* Replies come and go by the hundred kilobytes: giving their memory back each time would cost more than all
 * the rest, in page faults. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

struct exports *exports_open(uv_loop_t *loop, struct cli_indexed *archive, char **drives, const char *socket_path,
                             GError **error)
{
    static const struct nbd_conn_events events = {on_export, on_closed};
    struct exports *e = g_new0(struct exports, 1);
    keep_memory();
    e->archive = archive;
    e->set = nbd_exports_new();
    e->drives = g_ptr_array_new_with_free_func(drive_free);
    e->conns = g_ptr_array_new();
    random_start(archive->random, loop, on_fault, e);
    if (add_drives(e, drives, socket_path, error))
        e->listener = nbd_listener_open(loop, socket_path, e->set, &events, e, error);
    if (e->listener)
        return e;
    exports_free(e);
    return NULL;
}

void exports_close(struct exports *e)
{
    if (e->listener)
        nbd_listener_close(g_steal_pointer(&e->listener));
    for (unsigned i = 0; i < e->conns->len; i++)
        nbd_conn_shutdown(e->conns->pdata[i]);
}

void exports_free(struct exports *e)
{
    if (!e)
        return;
    nbd_exports_free(e->set);
    g_ptr_array_unref(e->drives);
    g_ptr_array_unref(e->conns);
    g_free(e);
}

unsigned exports_count(const struct exports *e)
{
    return e->drives->len;
}

static const struct drive *drive_at(const struct exports *e, unsigned i)
{
    return e->drives->pdata[i];
}

int exports_dev_id(const struct exports *e, unsigned i)
{
    return drive_at(e, i)->dev_id;
}

const char *exports_uri(const struct exports *e, unsigned i)
{
    return drive_at(e, i)->uri;
}
