// SPDX-License-Identifier: GPL-2.0-or-later
#include "log/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include "base/error.h"
#include "log/textout.h"
#include "model/plain.h"

#define PROGRESS_S 60

struct logfile {
    struct textout *out;
    struct plain *plain;
};

struct logfile *logfile_open(uv_loop_t *loop, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct logfile *l;

    if (fd < 0)
        return vmb_null(error, VMB_ERROR_TARGET, "log %s: %s", path, g_strerror(errno));
    l = g_new0(struct logfile, 1);
    l->out = textout_new(loop, fd, true);
    l->plain = plain_new(PROGRESS_S);
    return l;
}

void logfile_event(struct logfile *l, const struct model *m, const struct model_event *e)
{
    g_autofree char *lines = plain_event(l->plain, m, e, g_get_real_time() / G_USEC_PER_SEC);

    if (lines)
        textout_write(l->out, lines);
}

void logfile_close(struct logfile *l)
{
    if (!l)
        return;
    textout_close(l->out, false);
    plain_free(l->plain);
    g_free(l);
}
