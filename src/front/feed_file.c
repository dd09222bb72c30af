// SPDX-License-Identifier: GPL-2.0-or-later
/* A recording: its lines are told when their time has come. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "front/feed_inside.h"
#include "model/replay.h"

#define LONGEST_WAIT_MS 3600000

struct recording {
    struct feed feed;
    uv_timer_t clock;
    char *path;
    FILE *file;
    double speed;
    struct replay *replay;
    char *line; /* the next one, "" = none was read yet */
    size_t line_len;
    unsigned number;
    int64_t told_us; /* of the recording, and when it was told */
    uint64_t told_at_ms;
    bool is_closed;
};

static struct recording *recording_of(struct feed *f)
{
    return (struct recording *)f;
}

static void on_clock(uv_timer_t *clock);

static void end(struct recording *r, GError *error)
{
    if (!r->is_closed)
        uv_close((uv_handle_t *)&r->clock, NULL);
    r->is_closed = true;
    feed_done(&r->feed, error);
}

static void tell(struct recording *r)
{
    g_autoptr(GError) error = NULL;
    struct model_event e;
    bool is_cut = r->line[r->line_len - 1] != '\n' && feof(r->file);
    enum replay_result got = replay_line(r->replay, r->line, r->line_len, &e, &error);
    r->told_us = replay_when_us(r->replay);
    r->told_at_ms = uv_now(r->clock.loop);
    if (got == REPLAY_EVENT && e.type != MODEL_EV_REPLY)
        r->feed.listener.on_event(r->feed.user, &e);
    else if (got == REPLAY_BROKEN && !is_cut)
        end(r, g_error_new(VMB_ERROR, VMB_ERROR_DAMAGED, "%s:%u: %s", r->path, r->number, error->message));
}

/* When the next line is due, in ms from now. */
static uint64_t due_in(struct recording *r, int64_t when_us)
{
    if (r->speed <= 0 || !r->told_us || when_us <= r->told_us)
        return 0;
    double ms = MIN((double)(when_us - r->told_us) / 1000 / r->speed, LONGEST_WAIT_MS);
    uint64_t passed = uv_now(r->clock.loop) - r->told_at_ms;
    return ms > (double)passed ? (uint64_t)ms - passed : 0;
}

static bool read_line(struct recording *r)
{
    bool is_there = fgets(r->line, REPLAY_MAX_LINE, r->file) != NULL;
    r->line_len = is_there ? strlen(r->line) : 0;
    r->number++;
    return r->line_len > 0;
}

/* Tells what is due, then sleeps until the next line is. */
static void on_clock(uv_timer_t *clock)
{
    struct recording *r = clock->data;
    for (unsigned n = 0; !r->is_closed; n++) {
        if (r->line_len)
            tell(r);
        if (r->is_closed)
            return;
        if (!read_line(r)) {
            end(r, NULL); /* of a run that died it may come early */
            return;
        }
        uint64_t wait_ms = due_in(r, r->speed > 0 ? replay_time_of(r->line, r->line_len) : 0);
        if (wait_ms || n >= 1000) { /* the screen wants its turn, too */
            uv_timer_start(&r->clock, on_clock, wait_ms, 0);
            return;
        }
    }
}

static void file_start(struct feed *f)
{
    uv_timer_start(&recording_of(f)->clock, on_clock, 0, 0);
}

static const struct model *file_model(struct feed *f)
{
    return replay_model(recording_of(f)->replay);
}

static bool file_command(struct feed *f, const struct command *c, GError **error)
{
    return vmb_fail(error, VMB_ERROR_USAGE, "a recording takes no commands");
}

static void file_line(struct feed *f, const char *line)
{
    feed_reply(f, false, "a recording takes no commands");
}

static void file_cancel(struct feed *f, int exit_status, const char *by_whom)
{
    end(recording_of(f), NULL);
}

static const char *file_run_id(struct feed *f)
{
    return replay_job(recording_of(f)->replay);
}

static void file_free(struct feed *f)
{
    struct recording *r = recording_of(f);
    replay_free(r->replay);
    fclose(r->file);
    g_free(r->line);
    g_free(r->path);
    g_free(r);
}

struct feed *feed_of_file(uv_loop_t *loop, const char *path, double speed, const struct feed_listener *listener,
                          void *user, GError **error)
{
    static const struct feed_kind kind = {
        .start = file_start,
        .model = file_model,
        .command = file_command,
        .line = file_line,
        .cancel = file_cancel,
        .run_id = file_run_id,
        .free = file_free,
        .is_recorded = true,
    };
    FILE *file = fopen(path, "re");
    if (!file)
        return vmb_null(error, VMB_ERROR_USAGE, "recording %s: %s", path, g_strerror(errno));
    struct recording *r = g_new0(struct recording, 1);
    feed_init(&r->feed, &kind, listener, user);
    r->file = file;
    r->path = text_make_safe(path);
    r->line = g_malloc0(REPLAY_MAX_LINE);
    r->speed = speed;
    r->replay = replay_new();
    r->clock.data = r;
    uv_timer_init(loop, &r->clock);
    return &r->feed;
}
