// SPDX-License-Identifier: GPL-2.0-or-later
/* The run's way to its archive: sink, spool, header, one lane per device. */
#include <string.h>
#include "archive/archive.h"
#include "archive/vmstate.h"
#include "backup/describe.h"
#include "backup/run.h"
#include "log/logfile.h"
#include "options/proxmox.h"
#include "store/snapshot_writer.h"

#define SPARE_RAM_BYTES (UINT64_C(64) << 20) /* a RAM stream is about the RAM in use, plain migration sends more */

/* --- header ------------------------------------------------------------------------------------- */

/* Room for what is known only at the end. */
static size_t description_room(const struct backup *b, size_t now)
{
    size_t more = (4u << 10) + 512 * (size_t)b->model.n_drives;

    return MAX(now, MIN(60u << 10, now + more));
}

static bool set_description(struct backup *b, GError **error)
{
    g_autofree char *text = NULL;

    if (!b->archive.description_reserve)
        describe_find_command_line(b);
    text = describe_run(b);
    if (!b->archive.description_reserve)
        b->archive.description_reserve = description_room(b, strlen(text));
    if (strlen(text) > b->archive.description_reserve) /* the header's length is fixed by now: the first text stays */
        return true;
    return vma_header_set_config(b->archive.header, VMA_DESCRIPTION_NAME, text, strlen(text),
                                 b->archive.description_reserve, error);
}

/* The operator's own, completed; or one that is just enough to be restored. */
static char *proxmox_text(struct backup *b, const struct proxmox_drive *drives, unsigned n)
{
    const struct proxmox_guest guest = {
        .name = b->model.guest, .ram_bytes = b->facts.ram_bytes, .drives = drives, .n_drives = n};

    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        const struct vma_config *config = &b->archive.header->configs[i];
        if (g_strcmp0(config->name, PROXMOX_CONFIG_NAME) == 0) {
            g_autofree char *own = g_strndup((const char *)config->data, config->len);
            return proxmox_complete(own, drives, n);
        }
    }
    return proxmox_config(&guest);
}

static bool add_proxmox_config(struct backup *b, GError **error)
{
    g_autofree struct proxmox_drive *drives = g_new0(struct proxmox_drive, b->drives->len);
    g_autofree char *text = NULL;

    for (unsigned i = 0; i < b->drives->len; i++) {
        const struct drive *d = g_ptr_array_index(b->drives, i);
        drives[i] = (struct proxmox_drive){proxmox_key_of(d->name), d->size};
        if (!drives[i].key) {
            g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                        "drive %s: Proxmox has no place for so many drives; exclude some", d->name);
            return false;
        }
    }
    text = proxmox_text(b, drives, b->drives->len);
    return vma_header_set_config(b->archive.header, PROXMOX_CONFIG_NAME, text, strlen(text), 0, error);
}

static bool make_header(struct backup *b, GError **error)
{
    g_clear_pointer(&b->archive.header, vma_header_free);
    b->archive.header = vma_header_new(b->uuid, g_get_real_time() / G_USEC_PER_SEC);
    b->archive.header->has_extension = true;
    if (b->ram.method != RAM_NONE) {
        uint64_t size = (b->facts.ram_bytes + SPARE_RAM_BYTES + 511) / 512 * 512;
        b->ram.dev_id = vma_header_add_device(b->archive.header, VMA_VMSTATE_NAME, size, error);
        if (b->ram.dev_id < 0)
            return false;
    }
    for_each_drive (d, b) {
        d->dev_id = vma_header_add_device(b->archive.header, d->name, d->size, error);
        if (d->dev_id < 0) {
            g_prefix_error(error, "drive %s: ", d->name);
            return false;
        }
    }
    return archive_add_configs(b->archive.header, &b->options, error) &&
           (!b->options.proxmox_vmid || add_proxmox_config(b, error)) && set_description(b, error);
}

GBytes *target_final_header(struct backup *b, GError **error)
{
    if (b->ram.vmstate) {
        uint64_t clusters = vma_clusters_of(vmstate_bytes(b->ram.vmstate));
        vma_header_set_size(b->archive.header, b->ram.dev_id, clusters * VMA_CLUSTER_SIZE);
    } else if (b->ram.lane && target_can_drop(b)) {
        vma_header_drop_device(b->archive.header, b->ram.dev_id); /* it was lost on the way */
    }
    for (unsigned i = 0; i < b->drives->len && target_can_drop(b); i++) {
        const struct drive *d = g_ptr_array_index(b->drives, i);
        if (drive_is(d, DRIVE_IS_OUT))
            vma_header_drop_device(b->archive.header, d->dev_id);
    }
    if (b->options.is_store && b->instant_us) /* it is named by its instant */
        b->archive.header->ctime = b->instant_us / G_USEC_PER_SEC;
    return set_description(b, error) ? vma_header_encode(b->archive.header, error) : NULL;
}

/* --- spool -------------------------------------------------------------------------------------- */

static void warn_of_spool(struct backup *b, const char *why, const char *what)
{
    backup_log(b, MODEL_WARNING, "name another folder by --spool-dir", "no spool (%s): %s ends the backup", why, what);
}

static void open_spool(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    uint64_t ram_bytes = b->ram.method == RAM_NONE ? 0 : b->facts.ram_bytes;

    b->archive.spool = archive_open_spool(b->loop, &b->options, ram_bytes + ARCHIVE_SPOOL_EXTRA, &error);
    if (!b->archive.spool)
        warn_of_spool(b, error->message, "a target that stalls");
    else
        b->model.sink.spool_size = spool_max(b->archive.spool);
}

/* Of what the guest overwrites, all may have to wait there for the rest of its chunks: as much as there is room for. */
static void open_overflow(struct backup *b, struct writer *writer)
{
    g_autoptr(GError) error = NULL;
    uint64_t size = archive_spool_bytes(&b->options, UINT64_MAX, &error);
    struct overflow *spool = size ? overflow_open(b->options.spool_dir, size, &error) : NULL;

    if (!spool) {
        warn_of_spool(b, error->message, "a target that stalls, or a guest that writes much,");
        return;
    }
    b->model.sink.spool_size = overflow_max(spool);
    snapshot_writer_set_spool(writer, spool, archive_guest_reserve(size));
}

/* --- open and close ----------------------------------------------------------------------------- */

static void on_room(void *user)
{
    struct backup *b = user;

    if (b->jobs.is_credit_low)
        writer_flush(b->archive.writer);
    job_pause_check_credit(b);
    if (b->ram.vmstate)
        vmstate_pump(b->ram.vmstate);
    puller_pump(b->pulls.readers);
}

static void on_full(void *user, bool is_full)
{
    struct backup *b = user;

    b->archive.is_full = is_full;
    b->archive.full_since_ms = is_full ? uv_now(b->loop) : 0;
    for_each_drive (d, b)
        job_pause_set(d, PAUSE_FULL, is_full);
    if (!is_full)
        backup_log(b, MODEL_INFO, NULL, "target has room again");
    else if (b->options.on_full_fails)
        backup_fail_new(b, VMB_ERROR_TARGET, "target %s is full; free some room%s and back up again",
                        sink_name(b->archive.sink), b->options.is_store ? " (vmabackup prune)" : "");
    else
        backup_log(b, MODEL_WARNING,
                   b->options.is_store ? "free some room there, but not by prune, which waits for this run"
                                       : "free some room there; it goes on by itself",
                   "target is full: waiting up to %u min", b->options.on_full_minutes);
}

static void on_error(void *user, const GError *error)
{
    backup_fail(user, error);
}

static void on_spool_error(void *user, const GError *error)
{
    backup_log(user, MODEL_WARNING, "free some room there, or name another folder by --spool-dir",
               "%s: what the target does not take waits in memory", error->message);
}

static const struct writer_events writer_events = {
    .on_room = on_room, .on_full = on_full, .on_error = on_error, .on_spool_error = on_spool_error};

static void on_ram_moved(void *user)
{
    ram_stream_moved(user);
}

static void on_ram_blocked(void *user)
{
    job_pause_check_credit(user);
}

static void open_lanes(struct backup *b)
{
    if (b->ram.method != RAM_NONE) {
        b->ram.lane = writer_add_lane(b->archive.writer, b->ram.dev_id, true);
        b->ram.vmstate = vmstate_new(&(struct vmstate_owner){b->loop, b->archive.pool, b->archive.writer, on_ram_moved,
                                                             on_ram_blocked, b, &b->end.n_open[OPEN_RAM]});
    }
    for_each_drive (d, b) {
        intake_open(&d->intake, b->archive.writer, d->dev_id);
        track_open_lane(d);
    }
}

static void open_log(struct backup *b)
{
    const struct model_event said_before[] = {{.type = MODEL_EV_GUEST, .drive = -1},
                                              {.type = MODEL_EV_PLAN, .drive = -1}};
    bool has_folder = sink_path(b->archive.sink) && !sink_is_device(b->archive.sink);
    const char *form = b->options.is_store ? "/backup.log" : ".log";
    g_autofree char *beside = has_folder ? g_strconcat(sink_path(b->archive.sink), form, NULL) : NULL;
    g_autoptr(GError) error = NULL;
    const char *path = b->options.log_path ? b->options.log_path : beside;

    if (!path || b->logfile)
        return;
    b->logfile = logfile_open(b->loop, path, &error);
    if (!b->logfile)
        backup_log(b, MODEL_WARNING, NULL, "no log: %s", error->message);
    for (unsigned i = 0; b->logfile && i < G_N_ELEMENTS(said_before); i++)
        logfile_event(b->logfile, &b->model, &said_before[i]);
}

static struct sink *open_sink(struct backup *b, GError **error)
{
    /* No `expected`: what is allocated may be zeros, so the forecast only warns (warn_of_space). */
    struct sink_options options = {.force = b->options.force};

    if (!b->options.is_store)
        return sink_open(b->loop, b->options.target, &options, error);
    if (!snapshot_target_is_of(b->options.target, b->model.guest, b->facts.nameless_at, error))
        return NULL;
    return snapshot_target_open(b->loop, b->options.target, b->model.guest, b->run_id,
                                backup_options_level(&b->options), error);
}

static struct writer *open_writer(struct backup *b)
{
    struct writer *w;

    if (b->options.is_store) {
        w = snapshot_writer_new(b->loop, b->archive.sink, b->archive.pool, backup_options_threads(&b->options),
                                &writer_events, b);
        open_overflow(b, w);
        return w;
    }
    open_spool(b);
    w = archive_writer_new(b->loop, b->archive.sink, b->archive.pool, b->uuid, &writer_events, b);
    archive_prepare_writer(w, &b->options, b->archive.spool);
    return w;
}

bool target_open(struct backup *b, GError **error)
{
    g_autoptr(GBytes) header = NULL;

    if (!make_header(b, error) || !(header = vma_header_encode(b->archive.header, error)) ||
        !(b->archive.sink = open_sink(b, error)))
        return false;
    model_set(b->model.target, "%s", sink_name(b->archive.sink));
    open_log(b);
    b->archive.writer = open_writer(b);
    b->end.n_open[OPEN_WRITER]++;
    open_lanes(b);
    writer_put_header(b->archive.writer, header);
    return true;
}

static void on_writer_closed(void *user)
{
    struct backup *b = user;

    b->end.n_open[OPEN_WRITER]--;
}

/* They end with their writer. */
static void drop_lanes(struct backup *b)
{
    b->ram.lane = NULL;
    for_each_drive (d, b)
        d->intake.lane = NULL;
}

bool target_restart_without_ram(struct backup *b, enum model_state state, const char *note, GError **error)
{
    b->ram.method = RAM_NONE;
    b->ram.is_lost = true;
    vmstate_close(g_steal_pointer(&b->ram.vmstate));
    model_set(b->model.drives[b->ram.row].note, "%s", note);
    backup_row_state(b, b->ram.row, state);
    drop_lanes(b);
    writer_close(g_steal_pointer(&b->archive.writer), on_writer_closed, b);
    g_clear_pointer(&b->archive.spool, spool_close); /* what lies there is of the stream that is given up */
    sink_abort(b->archive.sink, false);
    g_clear_pointer(&b->archive.sink, sink_free);
    if (target_open(b, error))
        return true;
    g_prefix_error(error, "cannot begin again without the RAM: ");
    return false;
}

/* Nothing uses them any more; they close by way of the loop. */
static void free_sink_and_spool(struct backup *b)
{
    g_clear_pointer(&b->archive.sink, sink_free);
    g_clear_pointer(&b->archive.spool, spool_close);
}

static void on_last_writer_closed(void *user)
{
    free_sink_and_spool(user);
    on_writer_closed(user);
}

void target_close(struct backup *b, bool keep_partial)
{
    vmstate_close(g_steal_pointer(&b->ram.vmstate));
    drop_lanes(b);
    if (b->archive.sink && !b->archive.is_saved)
        sink_abort(b->archive.sink, keep_partial);
    if (b->archive.writer)
        writer_close(g_steal_pointer(&b->archive.writer), on_last_writer_closed, b);
    else
        free_sink_and_spool(b);
}
