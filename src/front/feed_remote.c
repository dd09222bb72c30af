// SPDX-License-Identifier: GPL-2.0-or-later
/* A run of another process: the lines of its control socket make the model, commands go back as lines. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lines.h"
#include "front/feed_inside.h"
#include "front/runs.h"
#include "model/replay.h"

struct remote {
    struct feed feed;
    uv_pipe_t pipe;
    struct replay *replay;
    struct lines *lines;
    char buffer[65536];
    bool is_closed;
};

struct sending {
    uv_write_t write;
    char *text;
};

static struct remote *remote_of(struct feed *f)
{
    return (struct remote *)f;
}

static void remote_close(struct remote *r)
{
    if (!r->is_closed)
        uv_close((uv_handle_t *)&r->pipe, NULL);
    r->is_closed = true;
}

/* --- what it tells ------------------------------------------------------------------------------ */

/* After the result nothing more comes; before it, the process is gone. */
static void out_of_sight(struct remote *r)
{
    const struct model *m = replay_model(r->replay);
    remote_close(r);
    feed_done(&r->feed, m->phase == MODEL_DONE
                            ? NULL
                            : g_error_new(VMB_ERROR, VMB_ERROR_MONITOR,
                                          "run %s: its process is out of sight; see its log", replay_job(r->replay)));
}

static void on_line(void *user, const char *line, size_t len)
{
    struct remote *r = user;
    struct model_event e;
    if (line && !r->is_closed && replay_line(r->replay, line, len, &e, NULL) == REPLAY_EVENT)
        r->feed.listener.on_event(r->feed.user, &e);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct remote *r = handle->data;
    *buf = uv_buf_init(r->buffer, sizeof r->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct remote *r = stream->data;
    if (n > 0)
        lines_feed(r->lines, buf->base, (size_t)n);
    if (n < 0 && !r->is_closed)
        out_of_sight(r);
}

/* --- what it is told ---------------------------------------------------------------------------- */

static void on_sent(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    g_free(s->text);
    g_free(s);
}

static void send_line(struct remote *r, const char *line)
{
    struct sending *s = g_new0(struct sending, 1);
    s->text = g_strconcat(line, "\n", NULL);
    s->write.data = s;
    uv_buf_t buf = uv_buf_init(s->text, (unsigned)strlen(s->text));
    if (!r->is_closed && uv_write(&s->write, (uv_stream_t *)&r->pipe, &buf, 1, on_sent) == 0)
        return;
    g_free(s->text);
    g_free(s);
}

static bool remote_command(struct feed *f, const struct command *c, GError **error)
{
    g_autofree char *line = command_to_json(c);
    send_line(remote_of(f), line);
    return true;
}

static void remote_line(struct feed *f, const char *line)
{
    g_autofree char *stripped = line ? g_strstrip(g_strdup(line)) : NULL;
    if (!stripped)
        feed_reply(f, false, "command: the line is too long");
    else if (g_str_equal(stripped, "detach"))
        f->listener.on_detach(f->user);
    else if (*stripped)
        send_line(remote_of(f), stripped);
}

/* --- its life ----------------------------------------------------------------------------------- */

static void remote_start(struct feed *f)
{
    uv_read_start((uv_stream_t *)&remote_of(f)->pipe, on_alloc, on_read);
}

static const struct model *remote_model(struct feed *f)
{
    return replay_model(remote_of(f)->replay);
}

static void remote_cancel(struct feed *f, int exit_status, const char *by_whom)
{
    remote_close(remote_of(f));
    feed_done(f, NULL);
}

static const char *remote_run_id(struct feed *f)
{
    return replay_job(remote_of(f)->replay);
}

static void remote_free(struct feed *f)
{
    struct remote *r = remote_of(f);
    replay_free(r->replay);
    lines_free(r->lines);
    g_free(r);
}

struct feed *feed_of_remote(uv_loop_t *loop, const char *path, const struct feed_listener *listener, void *user,
                            GError **error)
{
    static const struct feed_kind kind = {
        .start = remote_start,
        .model = remote_model,
        .command = remote_command,
        .line = remote_line,
        .cancel = remote_cancel,
        .run_id = remote_run_id,
        .free = remote_free,
    };
    int fd = runs_connect(path, error);
    if (fd < 0)
        return NULL;
    struct remote *r = g_new0(struct remote, 1);
    feed_init(&r->feed, &kind, listener, user);
    r->replay = replay_new();
    r->lines = lines_new(REPLAY_MAX_LINE, on_line, r);
    r->pipe.data = r;
    uv_pipe_init(loop, &r->pipe, 0);
    uv_pipe_open(&r->pipe, fd);
    return &r->feed;
}
