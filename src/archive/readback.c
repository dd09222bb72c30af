// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/readback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rate.h"
#include "sink/source.h"
#include "vma/verify.h"

#define READ_SIZE (1u << 20)

struct readback {
    uv_work_t work;
    uv_loop_t *loop;
    enum readback_kind kind;
    char *path;
    readback_open open;
    readback_done done;
    void *user;
    struct rate rate;
    /* shared with the worker */
    atomic_bool is_unwanted;
    _Atomic uint64_t position, size;
    /* the worker's own until it has ended */
    struct source *source;
    struct vma_verify_result result;
    char *first_fault, *said;
    GError *error;
};

/* True when there is nobody any more who wants it. */
static bool is_stopped(struct readback *r, GError **error)
{
    if (atomic_load(&r->is_unwanted))
        g_set_error(error, VMB_ERROR, VMB_ERROR_CANCELLED, "not read to its end");
    return atomic_load(&r->is_unwanted);
}

/* --- checking ----------------------------------------------------------------------------------- */

static ssize_t read_source(void *user, void *buffer, size_t len, GError **error)
{
    struct readback *r = user;

    if (is_stopped(r, error))
        return -1;
    ssize_t n = source_read(r->source, buffer, len, error);
    atomic_store(&r->position, source_position(r->source));
    return n;
}

static void take_fault(void *user, uint64_t offset, const char *text)
{
    struct readback *r = user;

    if (!r->first_fault)
        r->first_fault = g_strdup_printf("at byte %" G_GUINT64_FORMAT ": %s", offset, text);
}

static void verify(struct readback *r)
{
    r->source = r->open(r->path, &r->error);
    if (!r->source)
        return;
    atomic_store(&r->size, source_size(r->source));
    vma_verify(read_source, r, source_is_device(r->source), take_fault, r, &r->result, &r->error);
    source_free(r->source);
    if (!r->error && r->result.faults)
        r->error = g_error_new_literal(VMB_ERROR, VMB_ERROR_DAMAGED, r->first_fault);
    r->said = g_strdup(r->result.has_digests ? "every extent's data matches its digest"
                                             : "its structure is sound; it carries no digests");
}

/* --- its SHA-256 -------------------------------------------------------------------------------- */

static int open_file(struct readback *r)
{
    struct stat st;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        g_set_error(&r->error, VMB_ERROR, VMB_ERROR_FAILED, "cannot open it: %s", g_strerror(errno));
    else if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
        g_set_error_literal(&r->error, VMB_ERROR, VMB_ERROR_FAILED, "a device: it does not end where the archive does");
    else if (fstat(fd, &st) == 0)
        atomic_store(&r->size, (uint64_t)st.st_size);
    return fd;
}

static ssize_t read_file(int fd, guchar *buffer)
{
    ssize_t n;

    do
        n = read(fd, buffer, READ_SIZE);
    while (n < 0 && errno == EINTR);
    return n;
}

static void hash(struct readback *r)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *buffer = g_malloc(READ_SIZE);
    int fd = open_file(r);
    ssize_t n = 0;

    while (fd >= 0 && !r->error && !is_stopped(r, &r->error) && (n = read_file(fd, buffer)) > 0) {
        g_checksum_update(sum, buffer, n);
        atomic_fetch_add(&r->position, (uint64_t)n);
    }
    if (n < 0)
        g_set_error(&r->error, VMB_ERROR, VMB_ERROR_FAILED, "cannot read it: %s", g_strerror(errno));
    if (fd >= 0)
        close(fd);
    r->said = g_strdup(g_checksum_get_string(sum));
}

/* --- its life ----------------------------------------------------------------------------------- */

static void on_work(uv_work_t *work)
{
    struct readback *r = work->data;

    (r->kind == READBACK_VERIFY ? verify : hash)(r);
}

static void on_worked(uv_work_t *work, int status)
{
    struct readback *r = work->data;

    (void)status;
    r->done(r->user, r->error ? NULL : r->said, r->error);
    g_free(r->path);
    g_free(r->first_fault);
    g_free(r->said);
    g_clear_error(&r->error);
    g_free(r);
}

struct readback *readback_new(uv_loop_t *loop, const char *path, readback_open open, enum readback_kind kind,
                              readback_done done, void *user)
{
    struct readback *r = g_new0(struct readback, 1);

    r->loop = loop;
    r->kind = kind;
    r->path = g_strdup(path);
    r->open = open;
    r->done = done;
    r->user = user;
    r->work.data = r;
    uv_queue_work(loop, &r->work, on_work, on_worked);
    return r;
}

enum readback_kind readback_kind(const struct readback *r)
{
    return r->kind;
}

void readback_look(struct readback *r, struct readback_progress *progress)
{
    uint64_t now = uv_now(r->loop), size = atomic_load(&r->size);

    progress->done = atomic_load(&r->position);
    progress->total = size ? size : UINT64_MAX;
    rate_add(&r->rate, progress->done, now);
    progress->rate = rate_per_s(&r->rate, now);
    progress->eta_ms = rate_eta_ms(&r->rate, progress->total, now);
}

void readback_stop(struct readback *r)
{
    atomic_store(&r->is_unwanted, true);
}
