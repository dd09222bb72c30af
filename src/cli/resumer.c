// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/resumer.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>
#include <glib.h>

#include "cli/description.h"

#define ASK_EVERY_MS 100
#define MAX_LINE     65536

struct resumer {
    uv_pipe_t pipe; /* our end */
    uv_timer_t timer;
    uv_write_t write;
    GString *line;
    char buffer[4096];
    bool is_writing, is_resumed;
};

struct resumer *resumer_new(uv_loop_t *loop)
{
    struct resumer *r = g_new0(struct resumer, 1);
    uv_pipe_init(loop, &r->pipe, 0);
    uv_timer_init(loop, &r->timer);
    r->pipe.data = r->timer.data = r->write.data = r;
    r->line = g_string_new(NULL);
    return r;
}

uv_stdio_container_t resumer_stdio(struct resumer *r)
{
    return (uv_stdio_container_t){.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
                                  .data.stream = (uv_stream_t *)&r->pipe};
}

void resumer_stop(struct resumer *r)
{
    if (!uv_is_closing((uv_handle_t *)&r->pipe))
        uv_close((uv_handle_t *)&r->pipe, NULL);
    if (!uv_is_closing((uv_handle_t *)&r->timer))
        uv_close((uv_handle_t *)&r->timer, NULL);
}

void resumer_free(struct resumer *r)
{
    g_string_free(r->line, TRUE);
    g_free(r);
}

/* ---- what QEMU says ---- */

static void on_written(uv_write_t *write, int status)
{
    ((struct resumer *)write->data)->is_writing = false;
}

static void say(struct resumer *r, const char *text)
{
    uv_buf_t buffer = uv_buf_init((char *)text, (unsigned)strlen(text));
    if (!r->is_writing && uv_write(&r->write, (uv_stream_t *)&r->pipe, &buffer, 1, on_written) == 0)
        r->is_writing = true;
}

static void take_status(struct resumer *r, const char *status)
{
    if (!strcmp(status, "inmigrate") || r->is_resumed)
        return;
    r->is_resumed = true;
    uv_timer_stop(&r->timer);
    if (strcmp(status, "running"))
        say(r, "{\"execute\":\"cont\"}\n");
}

static void take_line(struct resumer *r)
{
    struct json_object *o = json_tokener_parse(r->line->str), *answer = NULL;
    if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, "return", &answer) &&
        json_object_is_type(answer, json_type_object) && description_text(answer, "status"))
        take_status(r, description_text(answer, "status"));
    json_object_put(o);
    g_string_truncate(r->line, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct resumer *r = handle->data;
    *buf = uv_buf_init(r->buffer, sizeof r->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct resumer *r = stream->data;
    if (n < 0)
        resumer_stop(r);
    for (ssize_t i = 0; i < n; i++) {
        if (buf->base[i] == '\n')
            take_line(r);
        else if (r->line->len < MAX_LINE)
            g_string_append_c(r->line, buf->base[i]);
    }
}

static void on_timer(uv_timer_t *timer)
{
    say(timer->data, "{\"execute\":\"query-status\"}\n");
}

void resumer_start(struct resumer *r)
{
    uv_read_start((uv_stream_t *)&r->pipe, on_alloc, on_read);
    say(r, "{\"execute\":\"qmp_capabilities\"}\n");
    uv_timer_start(&r->timer, on_timer, ASK_EVERY_MS, ASK_EVERY_MS);
}
