// SPDX-License-Identifier: GPL-2.0-or-later
/* What all targets have in common: one operation at a time, references, the question for free space. */
#include "sink/sink.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "sink/backend.h"
#include "sink/child.h"
#include "sink/file.h"
#include "sink/pipe.h"

#define SPACE_EVERY_MS 1000

G_DEFINE_QUARK(vmb - sink - error - quark, sink_error)

/* ---- for backends ---- */

void sink_init(struct sink *s, const struct sink_ops *ops, uv_loop_t *loop, const char *name)
{
    s->ops = ops;
    s->loop = loop;
    s->name = text_make_safe(name);
    s->path = *name == '/' ? g_strdup(name) : NULL;
    s->space.fd = -1;
    s->space.bytes = UINT64_MAX;
    s->refs = 1; /* the owner's, given back by sink_free() */
}

void sink_ref(struct sink *s)
{
    s->refs++;
}

void sink_unref(struct sink *s)
{
    g_assert(s->refs > 0);
    if (--s->refs)
        return;
    g_free(s->name);
    g_free(s->path);
    s->ops->destroy(s);
}

void sink_complete(struct sink *s, const GError *error)
{
    sink_done done = s->done;
    s->done = NULL;
    s->doing = NULL;
    if (done)
        done(s->user, error);
}

void sink_cancel(struct sink *s)
{
    g_autoptr(GError) error = g_error_new(VMB_ERROR, VMB_ERROR_CANCELLED, "target %s: cancelled", s->name);
    sink_complete(s, error);
}

GError *sink_error_new(const struct sink *s, const char *what, int error_number)
{
    return g_error_new(VMB_ERROR, VMB_ERROR_TARGET, "target %s: %s: %s", s->name, what, g_strerror(error_number));
}

size_t sink_iov_bytes(const struct iovec *iov, unsigned n)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

struct iovec *sink_iov_advance(struct iovec *iov, unsigned *n, size_t bytes)
{
    while (*n && bytes >= iov->iov_len) {
        bytes -= iov->iov_len;
        iov++;
        --*n;
    }
    if (*n) {
        iov->iov_base = (char *)iov->iov_base + bytes;
        iov->iov_len -= bytes;
    }
    return iov;
}

/* ---- opening ---- */

static struct sink *open_path(uv_loop_t *loop, const char *target, bool force, GError **error)
{
    struct stat st;
    if (stat(target, &st) == 0 && S_ISFIFO(st.st_mode))
        return pipe_open_fifo(loop, target, error);
    if (stat(target, &st) == 0 && S_ISCHR(st.st_mode))
        return file_open_device(loop, target, error);
    if (stat(target, &st) == 0 && S_ISBLK(st.st_mode))
        return file_open_block(loop, target, force, error);
    return file_open(loop, target, force, error);
}

/* Standard output may be shared with a shell or a peer: its flags are left as they are. */
static struct sink *open_stdout(uv_loop_t *loop, GError **error)
{
    struct stat st;
    const char *why = NULL;
    if (fstat(STDOUT_FILENO, &st) < 0)
        why = "standard output is closed";
    else if (isatty(STDOUT_FILENO))
        why = "standard output is a terminal; redirect it into a file or a command";
    if (why) {
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_TARGET, why);
        return NULL;
    }
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
        return pipe_open_fd(loop, STDOUT_FILENO, "standard output", error);
    return file_open_stream(loop, STDOUT_FILENO, "standard output", error);
}

static bool has_room(struct sink *s, uint64_t expected, GError **error)
{
    uint64_t free_bytes = sink_free_bytes(s);
    if (expected == UINT64_MAX || expected <= free_bytes)
        return true;
    char need[UNITS_LEN], have[UNITS_LEN];
    return vmb_fail(error, VMB_ERROR_TARGET, "target %s: %s will come, but only %s are free; make room", s->name,
                    units_format_size(expected, need), units_format_size(free_bytes, have));
}

/* bytes is UINT64_MAX where a file system has no figures (all zero). */
static void ask_now(struct sink_space *space)
{
    struct statvfs st;
    space->answer = UINT64_MAX;
    if (fstatvfs(space->fd, &st) == 0 && st.f_blocks)
        space->answer = (uint64_t)st.f_bavail * st.f_frsize;
}

struct sink *sink_open(uv_loop_t *loop, const char *target, const struct sink_options *options, GError **error)
{
    static const struct sink_options none;
    struct sink *s;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (!options)
        options = &none;
    if (g_str_equal(target, "-"))
        s = open_stdout(loop, error);
    else if (*target == '|')
        s = child_open(loop, target + 1, error);
    else
        s = open_path(loop, target, options->force, error);
    if (!s)
        return NULL;
    if (s->space.fd >= 0) {
        ask_now(&s->space);
        s->space.bytes = s->space.answer;
        s->space.asked_ms = uv_now(loop);
    }
    if (has_room(s, options->expected, error))
        return s;
    sink_abort(s, false);
    sink_free(s);
    return NULL;
}

/* ---- questions ---- */

const char *sink_path(const struct sink *s)
{
    return sink_can_rewrite(s) ? s->path : NULL;
}

const char *sink_name(const struct sink *s)
{
    return s->name;
}

bool sink_is_device(const struct sink *s)
{
    return s->device_bytes > 0;
}

bool sink_can_rewrite(const struct sink *s)
{
    return s->can_rewrite;
}

bool sink_can_cut(const struct sink *s)
{
    return s->can_cut;
}

uint64_t sink_written(const struct sink *s)
{
    return s->written;
}

uint64_t sink_stuck_ms(const struct sink *s)
{
    uint64_t passed_ms = s->doing ? uv_now(s->loop) - s->began_ms : 0;

    return passed_ms > SINK_STUCK_MS ? passed_ms : 0;
}

const char *sink_doing(const struct sink *s)
{
    return s->doing;
}

static void ask_in_pool(uv_work_t *request)
{
    struct sink *s = request->data;
    ask_now(&s->space);
}

static void on_space(uv_work_t *request, int status)
{
    struct sink *s = request->data;
    s->space.is_asked = false;
    s->space.bytes = s->space.answer;
    sink_unref(s);
}

uint64_t sink_free_bytes(struct sink *s)
{
    struct sink_space *space = &s->space;
    if (s->device_bytes)
        return s->device_bytes - MIN(s->written, s->device_bytes);
    bool is_due = space->fd >= 0 && !space->is_asked && !s->is_finished && !s->is_aborted &&
                  uv_now(s->loop) - space->asked_ms >= SPACE_EVERY_MS;
    if (is_due) {
        space->is_asked = true;
        space->asked_ms = uv_now(s->loop);
        space->request.data = s;
        sink_ref(s);
        int failed = uv_queue_work(s->loop, &space->request, ask_in_pool, on_space);
        g_assert(failed == 0);
    }
    return space->bytes;
}

/* ---- operations ---- */

static void begin(struct sink *s, const char *doing, sink_done done, void *user)
{
    g_assert(done && !s->done && !s->is_finished && !s->is_aborted);
    s->done = done;
    s->doing = doing;
    s->user = user;
    s->began_ms = uv_now(s->loop);
}

void sink_write(struct sink *s, const struct iovec *iov, unsigned n, sink_done done, void *user)
{
    begin(s, "a write to", done, user);
    s->ops->write(s, iov, n);
}

void sink_rewrite(struct sink *s, uint64_t offset, const struct iovec *iov, unsigned n, sink_done done, void *user)
{
    g_assert(s->can_rewrite && offset + sink_iov_bytes(iov, n) <= s->written);
    begin(s, "a write to", done, user);
    s->ops->rewrite(s, offset, iov, n);
}

void sink_read(struct sink *s, uint64_t offset, void *bytes, size_t len, sink_done done, void *user)
{
    g_assert(s->can_cut && offset + len <= s->written);
    begin(s, "a read of", done, user);
    s->ops->read(s, offset, bytes, len);
}

void sink_punch(struct sink *s, uint64_t offset, uint64_t len, sink_done done, void *user)
{
    g_assert(s->can_cut && offset + len <= s->written);
    begin(s, "a hole in", done, user);
    s->ops->punch(s, offset, len);
}

void sink_cut(struct sink *s, uint64_t length, sink_done done, void *user)
{
    g_assert(s->can_cut && length <= s->written);
    begin(s, "the cut of", done, user);
    s->ops->cut(s, length);
}

void sink_finish(struct sink *s, sink_done done, void *user)
{
    begin(s, "the fsync of", done, user);
    s->ops->finish(s);
}

void sink_abort(struct sink *s, bool keep_partial)
{
    if (s->is_aborted || s->is_finished)
        return;
    s->is_aborted = true;
    s->ops->abort(s, keep_partial);
}

void sink_free(struct sink *s)
{
    if (!s)
        return;
    g_assert(!s->is_freed);
    sink_abort(s, false);
    s->is_freed = true;
    sink_unref(s);
}
