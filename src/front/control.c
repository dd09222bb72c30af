// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/command_answer.h"
#include "front/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lines.h"
#include "model/json.h"
#include "rescue/journal.h"
#include "rescue/places.h"

#define MAX_CLIENTS 16
#define MAX_COMMAND 4096
#define MAX_WAITING (4u << 20) /* of one client: he does not keep up */

struct control {
    struct backup *b;
    uv_pipe_t listener;
    char *path;
    GPtrArray *clients; /* struct client *, those that are open */
    unsigned n_handles; /* the last one to close frees */
};

struct client {
    struct control *control;
    uv_pipe_t pipe;
    struct json_stream *json;
    struct lines *lines;
    char buffer[1024]; /* small: many commands at once must not hold up the loop */
};

struct sending {
    uv_write_t write;
    char *text;
};

/* --- places ------------------------------------------------------------------------------------- */

/* Where a run of that id listens: owned; NULL without a folder. */
static char *path_of(const char *run_id)
{
    g_autofree char *folder = journal_folder(NULL);
    return folder ? g_strdup_printf("%s/%s.sock", folder, run_id) : NULL;
}

static bool is_dead(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool fits = g_strlcpy(address.sun_path, path, sizeof address.sun_path) < sizeof address.sun_path;
    bool is_refused =
        fd >= 0 && fits && connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return is_refused;
}

static void purge_in(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ".sock") && is_dead(path))
            unlink(path);
    }
}

/* A socket gets its name only when somebody listens on it, so one that refuses is of a run that died. */
void control_purge(void)
{
    g_auto(GStrv) folders = places_of_runs(false);
    for (unsigned i = 0; folders[i]; i++)
        purge_in(folders[i]);
}

/* --- a client ----------------------------------------------------------------------------------- */

static void on_handle_closed(struct control *c)
{
    if (--c->n_handles)
        return;
    g_ptr_array_unref(c->clients);
    g_free(c->path);
    g_free(c);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct control *c = client->control;
    json_stream_free(client->json);
    lines_free(client->lines);
    g_free(client);
    on_handle_closed(c);
}

static void client_close(struct client *client)
{
    if (uv_is_closing((uv_handle_t *)&client->pipe))
        return;
    g_ptr_array_remove_fast(client->control->clients, client);
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

static void on_sent(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    struct client *client = write->handle->data;
    if (status < 0)
        client_close(client);
    g_free(s->text);
    g_free(s);
}

/* Takes the text. */
static void client_send(struct client *client, char *text)
{
    uv_stream_t *stream = (uv_stream_t *)&client->pipe;
    struct sending *s = g_new0(struct sending, 1);
    uv_buf_t buf = uv_buf_init(text, (unsigned)strlen(text));
    bool is_slow = uv_stream_get_write_queue_size(stream) + buf.len > MAX_WAITING;
    s->text = text;
    s->write.data = s;
    if (!is_slow && !uv_is_closing((uv_handle_t *)stream) && uv_write(&s->write, stream, &buf, 1, on_sent) == 0)
        return;
    g_free(s->text);
    g_free(s);
    client_close(client);
}

static void client_tell(struct client *client, const struct model_event *e)
{
    client_send(client, json_stream_event(client->json, backup_model(client->control->b), e, g_get_real_time()));
}

static void on_command(void *user, const char *line, size_t len)
{
    struct client *client = user;
    struct command command;
    struct model_event reply;
    if (!client->control->b) /* closing */
        return;
    g_autofree char *text = command_answer(client->control->b, line, &command, &reply);
    if (reply.type == MODEL_EV_REPLY && client->control->b)
        client_tell(client, &reply);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    *buf = uv_buf_init(client->buffer, sizeof client->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (n < 0)
        client_close(client);
    else
        lines_feed(client->lines, buf->base, (size_t)n);
}

/* --- the listener ------------------------------------------------------------------------------- */

static bool is_one_of_us(uv_pipe_t *pipe)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uv_os_fd_t fd;
    return uv_fileno((uv_handle_t *)pipe, &fd) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *c = listener->data;
    if (status < 0)
        return;
    struct client *client = g_new0(struct client, 1);
    client->control = c;
    client->pipe.data = client;
    client->json = json_stream_new("vmabackup", backup_run_id(c->b));
    client->lines = lines_new(MAX_COMMAND, on_command, client);
    uv_pipe_init(c->listener.loop, &client->pipe, 0);
    c->n_handles++;
    g_ptr_array_add(c->clients, client);
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 || !is_one_of_us(&client->pipe) ||
        c->clients->len > MAX_CLIENTS || uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) < 0) {
        client_close(client);
        return;
    }
    client_send(client, json_stream_state(client->json, backup_model(c->b), g_get_real_time()));
}

static void on_listener_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static bool listen_at(struct control *c, const char *fresh, GError **error)
{
    int status = strlen(c->path) + 5 < sizeof((struct sockaddr_un *)NULL)->sun_path ? 0 : UV_ENAMETOOLONG;
    unlink(fresh);
    if (status == 0)
        status = uv_pipe_bind(&c->listener, fresh);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&c->listener, 8, on_connection);
    if (status == 0 && (chmod(fresh, 0600) < 0 || rename(fresh, c->path) < 0))
        status = -errno;
    if (status < 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "control socket %s: %s", c->path, uv_strerror(status));
    return status == 0;
}

struct control *control_open(uv_loop_t *loop, struct backup *b, GError **error)
{
    g_autofree char *folder = journal_folder(error);
    if (!folder)
        return NULL;
    g_autofree char *fresh = g_strdup_printf("%s/%s.new", folder, backup_run_id(b));
    struct control *c = g_new0(struct control, 1);
    control_purge();
    c->b = b;
    c->path = path_of(backup_run_id(b));
    c->clients = g_ptr_array_new();
    c->listener.data = c;
    c->n_handles = 1;
    uv_pipe_init(loop, &c->listener, 0);
    if (listen_at(c, fresh, error)) {
        uv_unref((uv_handle_t *)&c->listener);
        return c;
    }
    control_close(c);
    return NULL;
}

void control_event(struct control *c, const struct model_event *e)
{
    for (unsigned i = c->clients->len; i-- > 0;) /* one that is dropped leaves the array */
        client_tell(g_ptr_array_index(c->clients, i), e);
}

void control_close(struct control *c)
{
    if (!c)
        return;
    unlink(c->path);
    c->b = NULL;
    while (c->clients->len)
        client_close(g_ptr_array_index(c->clients, c->clients->len - 1));
    uv_close((uv_handle_t *)&c->listener, on_listener_closed);
}
