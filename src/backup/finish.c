// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a good run: QEMU is free; the archive gets its end mark, becomes durable, is read back if asked. */
#include "backup/run.h"
#include "backup/vmstate.h"
#include "sink/source.h"
#include "vma/extent.h"
#include "vma/verify.h"

/* --- reading it back ---------------------------------------------------------------------------- */

struct readback {
    struct backup *b;
    uv_work_t work;
    char *path;
    struct vma_verify_result result;
    char *first_fault;
    GError *error;
    struct source *source;
    gint is_unwanted; /* read by the worker too: atomic */
};

static ssize_t read_source(void *user, void *buffer, size_t len, GError **error)
{
    struct readback *r = user;

    if (g_atomic_int_get(&r->is_unwanted)) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_CANCELLED, "cancelled");
        return -1;
    }
    return source_read(r->source, buffer, len, error);
}

static void take_fault(void *user, uint64_t offset, const char *text)
{
    struct readback *r = user;

    if (!r->first_fault)
        r->first_fault = g_strdup_printf("at byte %" G_GUINT64_FORMAT ": %s", offset, text);
}

static void verify_in_worker(uv_work_t *work)
{
    struct readback *r = work->data;

    r->source = source_open(r->path, &r->error);
    if (r->source)
        vma_verify(read_source, r, take_fault, r, &r->result, &r->error);
    source_free(r->source);
}

static void on_verified(uv_work_t *work, int status)
{
    struct readback *r = work->data;
    struct backup *b = r->b;

    (void)status;
    b->n_open_handles--;
    b->readback = NULL;
    if (r->error || r->result.faults)
        backup_fail_new(b, VMB_ERROR_DAMAGED, "archive %s is damaged (%s); the target's disk may be failing",
                        b->model.target, r->error ? r->error->message : r->first_fault);
    else
        b->model.is_verified = true;
    backup_end(b);
    g_free(r->path);
    g_free(r->first_fault);
    g_clear_error(&r->error);
    g_free(r);
}

static void verify(struct backup *b)
{
    struct readback *r = g_new0(struct readback, 1);

    backup_set_phase(b, MODEL_VERIFY);
    b->readback = r;
    r->b = b;
    r->path = g_strdup(sink_path(b->sink));
    r->work.data = r;
    b->n_open_handles++;
    uv_queue_work(b->loop, &r->work, verify_in_worker, on_verified);
}

void finish_interrupt(struct backup *b)
{
    if (b->readback)
        g_atomic_int_set(&b->readback->is_unwanted, 1);
}

/* --- making it durable -------------------------------------------------------------------------- */

static void on_durable(void *user, const GError *error)
{
    struct backup *b = user;

    b->n_open_handles--;
    if (b->is_ending)
        return;
    if (error) {
        backup_fail(b, error);
        return;
    }
    b->is_saved = true;
    b->model.archive_bytes = sink_written(b->sink);
    if (b->options.verify && sink_path(b->sink))
        verify(b);
    else
        backup_end(b);
}

static void on_written(void *user)
{
    struct backup *b = user;

    b->n_open_handles++;
    sink_finish(b->sink, on_durable, b);
}

/* What a pipe has swallowed of a drive that was lost stays there: the mark says so. */
static uint8_t end_flags(const struct backup *b)
{
    bool has_lost = b->is_ram_lost && b->vmstate_lane;

    for (unsigned i = 0; i < b->drives->len; i++)
        has_lost |= ((struct drive *)g_ptr_array_index(b->drives, i))->is_out;
    return VMA_END_COMPLETE | (has_lost && !fate_may_drop(b) ? VMA_END_DEVICE_LOST : 0);
}

void finish_archive(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) header = target_final_header(b, &error);
    uint64_t ram_bytes = b->vmstate ? vmstate_bytes(b->vmstate) : 0;

    if (!header)
        backup_fail(b, error);
    else
        writer_finish(b->writer, end_flags(b), ram_bytes, header, on_written, b);
}
