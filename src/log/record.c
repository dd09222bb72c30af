// SPDX-License-Identifier: GPL-2.0-or-later
#include "log/record.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "log/textout.h"
#include "model/json.h"

struct record {
    struct textout *out;
    struct json_stream *json;
};

struct record *record_open(uv_loop_t *loop, const char *path, const char *run_id, GError **error)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return vmb_null(error, VMB_ERROR_USAGE, "recording %s: %s", path, g_strerror(errno));
    struct record *r = g_new0(struct record, 1);
    r->out = textout_new(loop, fd, true);
    r->json = json_stream_new("vmabackup", run_id);
    return r;
}

void record_event(struct record *r, const struct model *m, const struct model_event *e)
{
    g_autofree char *line = json_stream_event(r->json, m, e, g_get_real_time());
    textout_write(r->out, line);
}

void record_close(struct record *r)
{
    if (!r)
        return;
    textout_close(r->out, false);
    json_stream_free(r->json);
    g_free(r);
}
