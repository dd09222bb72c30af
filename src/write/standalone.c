// SPDX-License-Identifier: GPL-2.0-or-later
/* The standalone writer: what it tells, and how it ends. */
#include <string.h>
#include "base/error.h"
#include "vma/extent.h"
#include "write/standalone_inside.h"

#define POOL_BUFFERS        768   /* 48 MiB, as a backup has */
#define LINGER_MS           10000 /* how long clients of a failed one are answered */
#define STUCK_MS            5000  /* how long the end waits for a disk that does not answer */
#define END_TICK_MS         5     /* how often the end looks whether all has closed */
#define DEFAULT_RECONNECT_S 60

/* --- options ------------------------------------------------------------------------------------ */

static void drive_clear(gpointer data)
{
    g_free(((struct standalone_drive *)data)->name);
}

void standalone_options_init(struct standalone_options *o)
{
    memset(o, 0, sizeof *o);
    backup_options_init(&o->archive);
    o->drives = g_array_new(FALSE, TRUE, sizeof(struct standalone_drive));
    g_array_set_clear_func(o->drives, drive_clear);
    o->reconnect_s = DEFAULT_RECONNECT_S;
}

void standalone_options_clear(struct standalone_options *o)
{
    backup_options_clear(&o->archive);
    g_array_unref(o->drives);
    g_free(o->nbd_path);
    g_free(o->incoming_path);
}

/* --- telling ------------------------------------------------------------------------------------ */

void standalone_emit(struct standalone *s, const struct standalone_event *event)
{
    s->listener(s->user, event);
}

void standalone_say(struct standalone *s, enum standalone_kind kind, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    standalone_emit(s, &(struct standalone_event){.kind = kind, .text = text});
}

/* --- the end ------------------------------------------------------------------------------------ */

static void free_sink_and_spool(struct standalone *s)
{
    g_clear_pointer(&s->sink, sink_free);
    g_clear_pointer(&s->spool, spool_close);
}

static void on_writer_closed(void *user)
{
    struct standalone *s = user;

    s->n_open_handles--;
    free_sink_and_spool(s);
}

/* Everything closes now; the result is told when it has closed, or does not. */
static void end(struct standalone *s)
{
    if (s->is_ending)
        return;
    s->is_ending = true;
    s->ending_since_ms = uv_now(s->loop);
    uv_timer_start(&s->tick, standalone_on_tick, 0, END_TICK_MS);
    uv_idle_stop(&s->filling);
    g_clear_pointer(&s->nbd_listener, nbd_listener_close);
    for (unsigned i = 0; i < s->conns->len; i++)
        nbd_conn_shutdown(s->conns->pdata[i]);
    vmstate_close(g_steal_pointer(&s->vmstate));
    if (s->writer)
        writer_close(g_steal_pointer(&s->writer), on_writer_closed, s);
    else
        free_sink_and_spool(s);
}

static void report_over(struct standalone *s)
{
    s->is_over = true;
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->filling, NULL);
    standalone_emit(s, &(struct standalone_event){.kind = STANDALONE_RESULT});
}

/* Its clients are answered as long as they are there, but not for ever. */
void standalone_client_left(struct standalone *s)
{
    if (s->is_failing && !s->conns->len)
        end(s);
}

void standalone_fail(struct standalone *s, const GError *error)
{
    if (s->is_failing || s->is_ending)
        return;
    s->is_failing = true;
    s->outcome = g_error_copy(error);
    s->linger_until_ms = uv_now(s->loop) + LINGER_MS;
    if (s->writer)
        writer_discard(s->writer);
    if (s->sink)
        sink_abort(s->sink, s->options->archive.keep_partial);
    vmstate_close(g_steal_pointer(&s->vmstate)); /* the migration fails, the guest goes on */
    g_clear_pointer(&s->nbd_listener, nbd_listener_close);
    credit_open(s);
    standalone_say(s, STANDALONE_FAILED, "%s", error->message);
}

void standalone_fail_new(struct standalone *s, int code, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list args;

    va_start(args, format);
    error = g_error_new_valist(VMB_ERROR, code, format, args);
    va_end(args);
    standalone_fail(s, error);
}

void standalone_cancel(struct standalone *s, int exit_status, const char *by_whom)
{
    bool is_hasty = s->is_failing || s->cancel_status;

    if (!is_hasty)
        s->cancel_status = exit_status;
    if (!s->is_sealing)
        standalone_fail_new(s, VMB_ERROR_CANCELLED, "cancelled by %s; nothing was saved", by_whom);
    if (is_hasty)
        end(s);
}

/* --- the archive's end -------------------------------------------------------------------------- */

static void on_durable(void *user, const GError *error)
{
    struct standalone *s = user;

    s->n_open_handles--;
    s->is_sealing = false;
    s->is_saved = !error;
    if (s->is_saved) {
        s->archive_name = g_strdup(sink_name(s->sink));
        s->archive_bytes = sink_written(s->sink);
    }
    if (error && !s->is_ending)
        standalone_fail(s, error);
    if (s->is_saved || !s->conns->len)
        end(s);
}

static void on_written(void *user)
{
    struct standalone *s = user;

    s->n_open_handles++;
    s->is_sealing = true;
    sink_finish(s->sink, on_durable, s);
}

static void finish(struct standalone *s)
{
    uint64_t ram_bytes = s->vmstate ? vmstate_bytes(s->vmstate) : 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) header = NULL;

    s->is_finishing = true;
    if (s->vmstate)
        vma_header_set_size(s->header, s->vmstate_dev_id, vma_clusters_of(ram_bytes) * VMA_CLUSTER_SIZE);
    header = vma_header_encode(s->header, &error);
    if (!header)
        standalone_fail(s, error);
    else
        writer_finish(s->writer, VMA_END_COMPLETE, ram_bytes, header, on_written, s);
}

static void finish_if_whole(struct standalone *s)
{
    if (s->is_failing || s->is_finishing || (s->vmstate && !vmstate_is_at_end(s->vmstate)))
        return;
    for_each_in (struct drive_export, e, s->drives)
        if (e->state != EXPORT_ENDED)
            return;
    finish(s);
}

void standalone_drive_ended(struct standalone *s, struct drive_export *e)
{
    standalone_emit(s, &(struct standalone_event){.kind = STANDALONE_DRIVE_ENDED, .drive = e->name});
    finish_if_whole(s);
}

void standalone_ram_ended(struct standalone *s)
{
    standalone_emit(s, &(struct standalone_event){.kind = STANDALONE_RAM_ENDED});
    finish_if_whole(s);
}

/* --- what is filled in -------------------------------------------------------------------------- */

static void on_filling(uv_idle_t *idle)
{
    struct standalone *s = idle->data;
    bool is_more = false;

    for (unsigned i = 0; i < s->drives->len && !s->is_failing && s->credit != STANDALONE_NONE; i++) {
        is_more |= drive_export_fill(s->drives->pdata[i]);
        credit_check(s);
    }
    if (!is_more) /* credit.c starts it again */
        uv_idle_stop(idle);
}

void standalone_fill(struct standalone *s)
{
    uv_idle_start(&s->filling, on_filling);
}

/* --- the clock ---------------------------------------------------------------------------------- */

static void check_full(struct standalone *s)
{
    unsigned minutes = s->options->archive.on_full_minutes;

    if (s->full_since_ms && uv_now(s->loop) - s->full_since_ms > minutes * UINT64_C(60000))
        standalone_fail_new(s, VMB_ERROR_TARGET, "target %s stayed full for %u min; free some room and write it again",
                            sink_name(s->sink), minutes);
}

void standalone_on_tick(uv_timer_t *timer)
{
    struct standalone *s = timer->data;
    uint64_t now = uv_now(s->loop);

    if (s->is_ending) {
        if (!s->n_open_handles || now - s->ending_since_ms > STUCK_MS)
            report_over(s);
        return;
    }
    if (s->is_failing && (!s->conns->len || now >= s->linger_until_ms)) {
        end(s);
        return;
    }
    check_full(s);
    credit_on_tick(s);
    for (unsigned i = 0; i < s->drives->len && !s->is_failing; i++)
        drive_export_on_tick(s->drives->pdata[i]);
}

/* --- life --------------------------------------------------------------------------------------- */

struct standalone *standalone_new(uv_loop_t *loop, const struct standalone_options *options,
                                  standalone_listener listener, void *user)
{
    struct standalone *s = g_new0(struct standalone, 1);

    s->loop = loop;
    s->options = options;
    s->listener = listener;
    s->user = user;
    s->pool = pool_new(POOL_BUFFERS, NULL);
    s->exports = nbd_exports_new();
    s->conns = g_ptr_array_new();
    s->drives = g_ptr_array_new_with_free_func((GDestroyNotify)drive_export_free);
    for (unsigned i = 0; i < sizeof s->uuid; i += sizeof(guint32)) {
        guint32 random = g_random_int();
        memcpy(s->uuid + i, &random, sizeof random);
    }
    for (unsigned i = 0; i < options->drives->len; i++) {
        const struct standalone_drive *d = &g_array_index(options->drives, struct standalone_drive, i);
        g_ptr_array_add(s->drives, drive_export_new(s, d->name, d->size));
    }
    uv_timer_init(loop, &s->tick);
    uv_idle_init(loop, &s->filling);
    s->tick.data = s->filling.data = s;
    return s;
}

bool standalone_commit(struct standalone *s, const char *name, GError **error)
{
    for (unsigned i = 0; i < s->drives->len && !s->is_failing && !s->is_ending; i++) {
        struct drive_export *e = s->drives->pdata[i];
        if (strcmp(e->name, name) == 0)
            return drive_export_commit(e, error);
    }
    return vmb_fail(error, VMB_ERROR_USAGE, "commit: there is no drive %s", name);
}

int standalone_status(const struct standalone *s)
{
    if (s->is_saved)
        return 0;
    if (s->cancel_status)
        return s->cancel_status;
    return s->outcome ? vmb_error_exit_status(s->outcome) : VMB_ERROR_FAILED;
}

const char *standalone_archive(const struct standalone *s)
{
    return s->archive_name;
}

uint64_t standalone_archive_bytes(const struct standalone *s)
{
    return s->archive_bytes;
}

void standalone_free(struct standalone *s)
{
    g_ptr_array_unref(s->drives);
    g_ptr_array_unref(s->conns);
    nbd_exports_free(s->exports);
    g_clear_pointer(&s->header, vma_header_free);
    g_clear_error(&s->outcome);
    g_free(s->archive_name);
    pool_free(s->pool);
    g_free(s);
}
