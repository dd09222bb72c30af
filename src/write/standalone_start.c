// SPDX-License-Identifier: GPL-2.0-or-later
/* The standalone writer's beginning: target and sockets, and what they call back with. */
#include "archive/archive.h"
#include "base/error.h"
#include "write/standalone_inside.h"

#define TICK_MS          100
#define RAM_SIZE_UNKNOWN (UINT64_C(1) << 40) /* its size in the header means nothing; made exact at the end */

/* --- the RAM ------------------------------------------------------------------------------------ */

static void on_ram_moved(void *user)
{
    struct standalone *s = user;

    if (s->is_failing || !vmstate_is_at_end(s->vmstate))
        return;
    if (!vmstate_bytes(s->vmstate)) {
        standalone_fail_new(s, VMB_ERROR_FAILED,
                            "incoming: the RAM stream ended before it began; look at the migration");
        return;
    }
    standalone_ram_ended(s);
}

static void on_ram_blocked(void *user)
{
    credit_check(user);
}

/* --- the writer's events ------------------------------------------------------------------------ */

static void on_room(void *user)
{
    struct standalone *s = user;

    credit_check(s);
    if (s->vmstate)
        vmstate_pump(s->vmstate);
    if (s->n_filling && s->credit != STANDALONE_NONE && !s->is_ending && !s->is_failing)
        standalone_fill(s);
}

static void on_full(void *user, bool is_full)
{
    struct standalone *s = user;

    s->full_since_ms = is_full ? uv_now(s->loop) : 0;
    if (!is_full)
        standalone_say(s, STANDALONE_NOTE, "target has room again");
    else if (s->options->archive.on_full_fails)
        standalone_fail_new(s, VMB_ERROR_TARGET, "target %s is full; free some room and write it again",
                            sink_name(s->sink));
    else
        standalone_say(s, STANDALONE_WARNING, "target %s is full: waiting up to %u min; free some room there",
                       sink_name(s->sink), s->options->archive.on_full_minutes);
}

static void on_error(void *user, const GError *error)
{
    standalone_fail(user, error);
}

static void on_spool_error(void *user, const GError *error)
{
    standalone_say(user, STANDALONE_WARNING, "%s: what the target does not take waits in memory", error->message);
}

/* --- the beginning ------------------------------------------------------------------------------ */

static bool make_header(struct standalone *s, GError **error)
{
    s->header = vma_header_new(s->uuid, g_get_real_time() / G_USEC_PER_SEC);
    s->header->has_extension = true;
    if (s->options->incoming_path)
        s->vmstate_dev_id = vma_header_add_device(s->header, VMA_VMSTATE_NAME, RAM_SIZE_UNKNOWN, error);
    for (unsigned i = 0; i < s->drives->len && s->vmstate_dev_id >= 0; i++) {
        struct drive_export *e = s->drives->pdata[i];
        e->dev_id = vma_header_add_device(s->header, e->name, e->size, error);
        if (e->dev_id < 0) {
            g_prefix_error(error, "drive %s: ", e->name);
            return false;
        }
    }
    return s->vmstate_dev_id >= 0 && archive_add_configs(s->header, &s->options->archive, error);
}

static void open_spool(struct standalone *s)
{
    g_autoptr(GError) error = NULL;

    s->spool = archive_open_spool(s->loop, &s->options->archive, ARCHIVE_SPOOL_EXTRA, &error);
    if (!s->spool)
        standalone_say(s, STANDALONE_WARNING,
                       "no spool (%s): a slow target makes clients wait; name a folder by "
                       "--spool-dir",
                       error->message);
}

static bool open_target(struct standalone *s, GError **error)
{
    static const struct writer_events events = {on_room, on_full, on_error, on_spool_error};
    const struct backup_options *o = &s->options->archive;
    struct sink_options sink_options = {.force = o->force};
    g_autoptr(GBytes) header = NULL;

    if (!make_header(s, error) || !(header = vma_header_encode(s->header, error)) ||
        !(s->sink = sink_open(s->loop, o->target, &sink_options, error)))
        return false;
    open_spool(s);
    s->writer = archive_writer_new(s->loop, s->sink, s->pool, s->uuid, &events, s);
    archive_prepare_writer(s->writer, o, s->spool);
    s->n_open_handles++;
    writer_put_header(s->writer, header);
    return true;
}

static bool listen_for_ram(struct standalone *s, GError **error)
{
    if (!s->options->incoming_path)
        return true;
    s->vmstate = vmstate_new(
        &(struct vmstate_owner){s->loop, s->pool, s->writer, on_ram_moved, on_ram_blocked, s, &s->n_open_handles});
    return vmstate_listen(s->vmstate, writer_add_lane(s->writer, s->vmstate_dev_id, true), s->options->incoming_path,
                          error);
}

static bool open_sockets(struct standalone *s, GError **error)
{
    for_each_in (struct drive_export, e, s->drives)
        drive_export_open(e);
    if (!listen_for_ram(s, error))
        return false;
    s->nbd_listener = nbd_listener_open(s->loop, s->options->nbd_path, s->exports, &drive_export_events, s, error);
    return s->nbd_listener != NULL;
}

void standalone_start(struct standalone *s)
{
    g_autoptr(GError) error = NULL;

    uv_timer_start(&s->tick, standalone_on_tick, TICK_MS, TICK_MS);
    if (open_target(s, &error) && open_sockets(s, &error))
        standalone_emit(s, &(struct standalone_event){.kind = STANDALONE_READY});
    else
        standalone_fail(s, error);
}
