// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/agent_uv.h"
#include <string.h>
#include <sys/un.h>
#include "qmp/address.h"
#include "qmp/agent.h"

/* A connection has a life of its own: the link may be at its next one while this one closes. */
struct way {
    uv_pipe_t pipe;
    uv_connect_t connect;
    struct agent_link *link;
    bool is_connected, is_closing;
    char inbox[4096];
};

struct agent_link {
    uv_loop_t *loop;
    struct qmp_address address;
    GError *bad_address;
    struct way *way; /* NULL: none yet, or lost */
    struct qmp_agent *agent;
    uv_timer_t deadline;
    struct agent_question question;
    agent_done done; /* NULL: nothing is under way */
    void *user;
    bool is_closing;
    unsigned n_open; /* handles */
};

struct outgoing {
    uv_write_t request;
    char *bytes;
};

/* --- life --------------------------------------------------------------------------------------- */

static void release(struct agent_link *l)
{
    if (--l->n_open)
        return;
    qmp_agent_free(l->agent);
    qmp_address_clear(&l->address);
    g_clear_error(&l->bad_address);
    g_free(l);
}

static void on_way_closed(uv_handle_t *handle)
{
    struct way *way = handle->data;
    struct agent_link *l = way->link;

    g_free(way);
    release(l);
}

static void leave_way(struct agent_link *l)
{
    struct way *way = g_steal_pointer(&l->way);

    if (!way)
        return;
    way->is_closing = true;
    uv_close((uv_handle_t *)&way->pipe, on_way_closed);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    release(handle->data);
}

struct agent_link *agent_link_new(uv_loop_t *loop, const char *path)
{
    struct agent_link *l = g_new0(struct agent_link, 1);

    l->loop = loop;
    l->agent = qmp_agent_new();
    if (qmp_address_parse(&l->address, path, &l->bad_address) && !l->address.is_unix)
        g_set_error(&l->bad_address, QMP_ERROR, QMP_ERROR_NOT_SOCKET,
                    "%s: is no path; give the one of the agent's UNIX socket", l->address.text);
    uv_timer_init(loop, &l->deadline);
    l->deadline.data = l;
    l->n_open = 1;
    return l;
}

void agent_link_close(struct agent_link *l)
{
    if (!l || l->is_closing)
        return;
    l->is_closing = true;
    l->done = NULL;
    leave_way(l);
    uv_close((uv_handle_t *)&l->deadline, on_deadline_closed);
}

/* --- answering ---------------------------------------------------------------------------------- */

static void answer(struct agent_link *l, const GError *error)
{
    agent_done done = l->done;

    l->done = NULL;
    uv_timer_stop(&l->deadline);
    if (done)
        done(l->user, error ? -1 : qmp_agent_number(l->agent), error ? "" : qmp_agent_text(l->agent), error);
}

static void fail(struct agent_link *l, enum qmp_error code, const char *what)
{
    g_autoptr(GError) error = g_error_new(QMP_ERROR, code, "%s: %s", l->address.text, what);

    answer(l, error);
}

/* The connection is of no more use; the next question makes another. */
static void lose_way(struct agent_link *l, int status)
{
    bool was_connected = l->way->is_connected;

    leave_way(l);
    if (was_connected)
        fail(l, QMP_ERROR_GONE, "the connection to the agent was lost");
    else if (status == UV_ENOENT)
        fail(l, QMP_ERROR_NOT_THERE, "no such socket; give the PATH of QEMU's -chardev socket of the agent");
    else if (status == UV_EACCES || status == UV_EPERM)
        fail(l, QMP_ERROR_PERMISSION, "this user may not open it; try as the user that QEMU runs as");
    else if (status == UV_EAGAIN)
        fail(l, QMP_ERROR_BUSY, "others wait for this socket already; end the program that holds it");
    else
        fail(l, QMP_ERROR_REFUSED, "nothing listens there; give the PATH of QEMU's -chardev socket of the agent");
}

static void on_deadline(uv_timer_t *timer)
{
    struct agent_link *l = timer->data;
    g_autofree char *what = NULL;

    if (qmp_agent_state(l->agent) == QMP_AGENT_SYNCING && !l->question.is_at_once)
        what = g_strdup_printf(
            "nobody answers within %u s; qemu-ga must run in the guest, and no other program hold this socket",
            AGENT_SYNC_MS / 1000);
    else
        what = g_strdup_printf("no answer to %s within %u s", l->question.command, l->question.timeout_ms / 1000);
    fail(l, QMP_ERROR_TIMEOUT, what);
}

/* --- bytes -------------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct outgoing *out = request->data;

    (void)status; /* reading tells */
    g_free(out->bytes);
    g_free(out);
}

static void flush(struct agent_link *l)
{
    size_t n;
    char *bytes = qmp_agent_take_output(l->agent, &n);
    struct outgoing *out;
    uv_buf_t buf;

    if (!bytes)
        return;
    out = g_new0(struct outgoing, 1);
    out->bytes = bytes;
    out->request.data = out;
    buf = uv_buf_init(bytes, (unsigned)n);
    if (uv_write(&out->request, (uv_stream_t *)&l->way->pipe, &buf, 1, on_written) != 0)
        on_written(&out->request, UV_EPIPE);
}

static void look(struct agent_link *l, bool was_syncing)
{
    enum qmp_agent_state state = qmp_agent_state(l->agent);
    g_autoptr(GError) error = NULL;

    if (state == QMP_AGENT_ASKED && was_syncing && !l->question.is_at_once)
        uv_timer_start(&l->deadline, on_deadline, l->question.timeout_ms, 0);
    if (state != QMP_AGENT_ANSWERED && state != QMP_AGENT_BROKEN)
        return;
    if (qmp_agent_error(l->agent))
        error = g_error_copy(qmp_agent_error(l->agent));
    if (state == QMP_AGENT_BROKEN)
        g_prefix_error(&error, "%s: ", l->address.text);
    answer(l, error);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct way *way = handle->data;

    *buf = uv_buf_init(way->inbox, sizeof way->inbox);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct way *way = stream->data;
    struct agent_link *l = way->link;
    bool was_syncing = qmp_agent_state(l->agent) == QMP_AGENT_SYNCING;

    if (n < 0) {
        lose_way(l, (int)n);
        return;
    }
    qmp_agent_feed(l->agent, buf->base, (size_t)n);
    flush(l);
    if (l->done)
        look(l, was_syncing);
}

/* --- connecting --------------------------------------------------------------------------------- */

static void on_connected(uv_connect_t *request, int status)
{
    struct way *way = request->data;

    if (way->is_closing)
        return;
    if (status < 0) {
        lose_way(way->link, status);
        return;
    }
    way->is_connected = true;
    uv_read_start((uv_stream_t *)&way->pipe, on_alloc, on_read);
    flush(way->link);
}

static void connect_way(struct agent_link *l)
{
    struct way *way = g_new0(struct way, 1);
    const struct sockaddr_un *un = (const struct sockaddr_un *)&l->address.target[0];

    uv_pipe_init(l->loop, &way->pipe, 0);
    way->pipe.data = way->connect.data = way;
    way->link = l;
    l->way = way;
    l->n_open++;
    uv_pipe_connect(&way->connect, &way->pipe, un->sun_path, on_connected);
}

static void on_bad_address(uv_timer_t *timer)
{
    struct agent_link *l = timer->data;

    answer(l, l->bad_address);
}

void agent_link_ask(struct agent_link *l, const struct agent_question *question, agent_done done, void *user)
{
    uint32_t high = g_random_int() >> 1;

    l->question = *question;
    l->done = done;
    l->user = user;
    if (l->bad_address) {
        uv_timer_start(&l->deadline, on_bad_address, 0, 0);
        return;
    }
    qmp_agent_ask(l->agent, question->command, (int64_t)high << 32 | g_random_int(), question->is_at_once);
    uv_update_time(l->loop);
    uv_timer_start(&l->deadline, on_deadline, question->is_at_once ? question->timeout_ms : AGENT_SYNC_MS, 0);
    if (!l->way)
        connect_way(l);
    else if (l->way->is_connected)
        flush(l);
}
