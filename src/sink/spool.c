// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "base/transfer.h"

enum record_state { RECORD_QUEUED, RECORD_STORED };

struct record {
    enum record_state state;
    uint64_t at; /* where it begins, counted on for ever: modulo max it is the place in the file */
    size_t len;
    struct iovec *iov; /* the caller's bytes, until they are stored */
    unsigned n;
    spool_pushed pushed; /* NULL once called */
    void *push_user;
    spool_popped popped; /* NULL while nobody has asked for it */
    void *pop_user;
};

enum job { JOB_NONE, JOB_STORE, JOB_READ, JOB_COPY };

struct spool {
    uv_loop_t *loop;
    char *dir;
    int fd;
    uint64_t max;
    uint64_t end;   /* where the next record begins */
    GQueue records; /* oldest first: taken ones (popped) stand before all others */
    unsigned n_taken;
    enum job job; /* the one in the pool */
    uv_work_t request;
    struct record *record; /* that it is about */
    uint8_t *bytes;        /* read */
    int failed;            /* errno */
    bool is_calling;       /* a callback is running: closing waits */
    bool is_closed;
};

/* ---- in the pool ---- */

/* The record's place, cut where the ring ends: one or two pieces. */
struct piece {
    off_t at;
    size_t skip, len;
};

static unsigned pieces_of(const struct spool *q, const struct record *r, struct piece pieces[2])
{
    uint64_t at = r->at % q->max;
    size_t first = (size_t)MIN(r->len, q->max - at);
    pieces[0] = (struct piece){.at = (off_t)at, .skip = 0, .len = first};
    pieces[1] = (struct piece){.at = 0, .skip = first, .len = r->len - first};
    return r->len > first ? 2 : 1;
}

/* Gathered first: one write to each piece, and an error in the middle needs no bookkeeping. */
static uint8_t *gather(const struct record *r)
{
    uint8_t *bytes = g_malloc(r->len ? r->len : 1);
    size_t at = 0;
    for (unsigned i = 0; i < r->n; i++) {
        if (r->iov[i].iov_len)
            memcpy(bytes + at, r->iov[i].iov_base, r->iov[i].iov_len);
        at += r->iov[i].iov_len;
    }
    return bytes;
}

static int transfer_record(struct spool *q, bool is_write, uint8_t *bytes)
{
    struct piece pieces[2];
    unsigned n = pieces_of(q, q->record, pieces);
    int failed = 0;
    for (unsigned i = 0; i < n && !failed; i++) {
        uint64_t at = (uint64_t)pieces[i].at;
        failed = is_write ? transfer_write(q->fd, bytes + pieces[i].skip, pieces[i].len, at)
                          : transfer_read(q->fd, bytes + pieces[i].skip, pieces[i].len, at);
    }
    return failed;
}

/* What was read is of no more use: as a hole it goes neither to the disk nor stays in the page cache. */
static void punch(struct spool *q)
{
    struct piece pieces[2];
    unsigned n = pieces_of(q, q->record, pieces);
    for (unsigned i = 0; i < n && pieces[i].len; i++)
        if (fallocate(q->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pieces[i].at, (off_t)pieces[i].len) < 0)
            return;
}

static void work_in_pool(uv_work_t *request)
{
    struct spool *q = request->data;
    if (q->job == JOB_STORE) {
        g_autofree uint8_t *bytes = gather(q->record);
        q->failed = transfer_record(q, true, bytes);
    } else if (q->job == JOB_COPY) {
        q->bytes = gather(q->record);
    } else {
        q->bytes = g_malloc(q->record->len ? q->record->len : 1);
        q->failed = transfer_record(q, false, q->bytes);
        punch(q);
    }
}

static void close_in_pool(uv_work_t *request)
{
    struct spool *q = request->data;
    close(q->fd); /* it has no name: this frees its blocks, which may take a while */
}

/* ---- on the loop ---- */

static void queue(struct spool *q, uv_work_cb work, uv_after_work_cb after)
{
    q->request.data = q;
    int failed = uv_queue_work(q->loop, &q->request, work, after);
    g_assert(failed == 0);
}

static void on_closed(uv_work_t *request, int status)
{
    struct spool *q = request->data;
    g_free(q->dir);
    g_free(q);
}

static void record_free(struct record *r)
{
    g_free(r->iov);
    g_free(r);
}

/* Each callback may push, pop or close. */
static void call_pushed(struct spool *q, struct record *r, const GError *error)
{
    spool_pushed pushed = r->pushed;
    r->pushed = NULL;
    g_clear_pointer(&r->iov, g_free);
    if (pushed)
        pushed(r->push_user, error);
}

/* The record is not in the queue any more, and free()d. */
static void end_record(struct spool *q, struct record *r, uint8_t *bytes, const GError *error)
{
    call_pushed(q, r, error);
    if (r->popped)
        r->popped(r->pop_user, bytes, bytes ? r->len : 0, error);
    else
        g_free(bytes);
    record_free(r);
}

static void take_out(struct spool *q, struct record *r)
{
    if (r == g_queue_peek_tail(&q->records))
        q->end = r->at;
    g_queue_remove(&q->records, r);
    q->n_taken -= r->popped != NULL;
    if (g_queue_is_empty(&q->records))
        q->end = 0; /* begin anew at the front: the file stays as short as it can */
}

static void cancel_all(struct spool *q)
{
    g_autoptr(GError) error = g_error_new(VMB_ERROR, VMB_ERROR_CANCELLED, "spool: closed");
    struct record *r;
    while ((r = g_queue_pop_head(&q->records)))
        end_record(q, r, NULL, error);
    queue(q, close_in_pool, on_closed);
}

static void on_worked(uv_work_t *request, int status);

/* What the target waits for goes before what only has to be put away. */
static void start_next(struct spool *q)
{
    struct record *oldest = g_queue_peek_head(&q->records);
    if (q->job != JOB_NONE || q->is_calling || !oldest)
        return;
    if (oldest->popped) {
        q->job = oldest->state == RECORD_STORED ? JOB_READ : JOB_COPY;
        q->record = oldest;
    } else {
        GList *at = q->records.head;
        while (at && ((struct record *)at->data)->state == RECORD_STORED)
            at = at->next;
        if (!at)
            return;
        q->job = JOB_STORE;
        q->record = at->data;
    }
    queue(q, work_in_pool, on_worked);
}

static GError *disk_error(const struct spool *q, enum job job)
{
    return g_error_new(VMB_ERROR, VMB_ERROR_FAILED, "spool in %s: cannot be %s: %s", q->dir,
                       job == JOB_STORE ? "written" : "read", g_strerror(q->failed));
}

static void on_worked(uv_work_t *request, int status)
{
    struct spool *q = request->data;
    struct record *r = q->record;
    enum job job = q->job;
    uint8_t *bytes = g_steal_pointer(&q->bytes);
    g_autoptr(GError) error = q->failed ? disk_error(q, job) : NULL;
    q->job = JOB_NONE;
    q->failed = 0;
    q->is_calling = true;
    if (error)
        g_clear_pointer(&bytes, g_free);
    if (job == JOB_STORE && !error) {
        r->state = RECORD_STORED;
        call_pushed(q, r, NULL);
    } else {
        take_out(q, r);
        end_record(q, r, bytes, error);
    }
    q->is_calling = false;
    if (q->is_closed)
        cancel_all(q);
    else
        start_next(q);
}

/* ---- what callers do ---- */

bool spool_is_busy(const struct spool *q)
{
    return q->job != JOB_NONE;
}

uint64_t spool_used(const struct spool *q)
{
    const struct record *oldest = g_queue_peek_head((GQueue *)(uintptr_t)&q->records);
    return oldest ? q->end - oldest->at : 0;
}

uint64_t spool_max(const struct spool *q)
{
    return q->max;
}

unsigned spool_records(const struct spool *q)
{
    return q->records.length - q->n_taken;
}

bool spool_has_room(const struct spool *q, uint64_t bytes)
{
    return bytes <= q->max - spool_used(q);
}

void spool_push(struct spool *q, const struct iovec *iov, unsigned n, spool_pushed done, void *user)
{
    struct record *r = g_new0(struct record, 1);
    r->iov = g_memdup2(iov, n * sizeof *iov);
    r->n = n;
    for (unsigned i = 0; i < n; i++)
        r->len += iov[i].iov_len;
    g_assert(!q->is_closed && done && spool_has_room(q, r->len));
    r->at = q->end;
    r->pushed = done;
    r->push_user = user;
    q->end += r->len;
    g_queue_push_tail(&q->records, r);
    start_next(q);
}

void spool_pop(struct spool *q, spool_popped done, void *user)
{
    struct record *r = g_queue_peek_nth(&q->records, q->n_taken);
    g_assert(!q->is_closed && done && r);
    r->popped = done;
    r->pop_user = user;
    q->n_taken++;
    start_next(q);
}

void spool_close(struct spool *q)
{
    if (!q)
        return;
    g_assert(!q->is_closed);
    q->is_closed = true;
    if (q->job == JOB_NONE && !q->is_calling)
        cancel_all(q);
}

/* ---- opening ---- */

/* Its bytes would only change places in RAM, and push the guests' out. */
static bool is_in_ram(const char *dir)
{
    struct statfs st;
    return statfs(dir, &st) == 0 && (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC);
}

const char *spool_default_dir(void)
{
    const char *dir = g_getenv("TMPDIR");
    return dir && *dir && !is_in_ram(dir) ? dir : "/var/tmp";
}

int spool_open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    g_autofree char *path = g_build_filename(dir, "vmabackup-spool-XXXXXX", NULL);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int fail_file(const char *safe, const char *why, GError **error)
{
    vmb_error_set(error, VMB_ERROR_FAILED, "spool in %s: %s by --spool-dir", safe, why);
    return -1;
}

int spool_open_file(const char *dir, char **safe, GError **error)
{
    *safe = text_make_safe(dir ? dir : spool_default_dir());
    if (is_in_ram(dir ? dir : spool_default_dir()))
        return fail_file(*safe, "this directory lies in RAM; name one on a disk", error);
    int fd = spool_open_nameless(dir ? dir : spool_default_dir());
    if (fd >= 0)
        return fd;
    g_autofree char *why = g_strdup_printf("cannot create a file: %s; name another directory", g_strerror(errno));
    return fail_file(*safe, why, error);
}

struct spool *spool_open(uv_loop_t *loop, const char *dir, uint64_t max_bytes, GError **error)
{
    g_autofree char *safe = NULL;
    int fd = spool_open_file(dir, &safe, error);
    g_assert(max_bytes > 0 && max_bytes <= INT64_MAX);
    if (fd < 0)
        return NULL;
    struct spool *q = g_new0(struct spool, 1);
    q->loop = loop;
    q->dir = g_steal_pointer(&safe);
    q->fd = fd;
    q->max = max_bytes;
    return q;
}
