// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A loop, a peer and a monitor connected to it: what every test of the monitor begins with.
 *
 *     struct world w;
 *     world_begin(&w);
 *     w.peer.on_command = …;
 *     world_open(&w, 5000);
 *     qmp_stop(w.q, world_on_done, &w);
 *     run_until(&w.loop, &w.n_done);
 *     world_end(&w, "ready\ndone\n");
 */
#include "qmp/calls.h"
#include "unit/qmp_peer.h"

struct world {
    uv_loop_t loop;
    struct peer peer;
    struct qmp *q;
    GString *seen; /* a line for each callback */
    int is_ready, is_lost, n_done;
    int lost_code;
    const char *close_at;      /* qmp_close() from within the callback whose line begins so */
    GString *sent;             /* with world_answer(): the commands without their ids, one a line */
    const char *const *answer; /* the next, "\"return\":…" or "\"error\":…"; the last one stays, then NULL */
};

static inline void world_note(struct world *w, const char *format, ...) G_GNUC_PRINTF(2, 3);
static inline void world_note(struct world *w, const char *format, ...)
{
    size_t start = w->seen->len;
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(w->seen, format, args);
    va_end(args);
    g_string_append_c(w->seen, '\n');
    if (w->close_at && g_str_has_prefix(w->seen->str + start, w->close_at)) {
        qmp_close(g_steal_pointer(&w->q));
        w->n_done = w->is_ready = w->is_lost = 1;
    }
}

static inline void world_on_ready(void *user)
{
    struct world *w = user;

    w->is_ready = 1;
    world_note(w, "ready");
}

static inline void world_on_event(void *user, const struct qmp_event *event)
{
    world_note(user, "event %s", event->name);
}

static inline void world_on_lost(void *user, const GError *error)
{
    struct world *w = user;

    w->is_lost = 1;
    w->lost_code = error->code;
    g_assert_true(error->domain == QMP_ERROR);
    world_note(w, "lost %s", error->message);
}

static inline void world_on_waiting(void *user, const GError *why)
{
    world_note(user, "waiting %s", why->message);
}

static inline void world_on_done(void *user, const GError *error)
{
    struct world *w = user;

    w->n_done++;
    if (error)
        world_note(w, "done error %d", error->code);
    else
        world_note(w, "done");
}

static inline void world_begin(struct world *w)
{
    *w = (struct world){.seen = g_string_new(NULL), .sent = g_string_new(NULL)};
    uv_loop_init(&w->loop);
    peer_listen(&w->peer, &w->loop);
    w->peer.user = w;
}

static inline void world_open_at(struct world *w, const char *address, unsigned timeout_ms)
{
    static const struct qmp_listener listener = {world_on_ready, world_on_event, world_on_lost, world_on_waiting};

    w->q = qmp_open(&w->loop, address, timeout_ms, &listener, w);
    g_assert_cmpstr(w->seen->str, ==, ""); /* nothing is told from within qmp_open() */
}

static inline void world_open(struct world *w, unsigned timeout_ms)
{
    world_open_at(w, w->peer.path, timeout_ms);
}

/* Whatever happened, the loop must come to rest and close. expected: all that was seen, NULL if not checked.
 */
static inline void world_end(struct world *w, const char *expected)
{
    if (expected)
        g_assert_cmpstr(w->seen->str, ==, expected);
    qmp_close(w->q);
    peer_close(&w->peer);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&w->loop), ==, 0);
    g_string_free(w->seen, TRUE);
    g_string_free(w->sent, TRUE);
}

/* For on_command: an event, then success, as QEMU answers a command that causes one. */
static inline void world_answer_stop(struct peer *peer, int id, const char *line, int passed_fd)
{
    g_assert_nonnull(strstr(line, "{\"execute\":\"stop\",\"id\":"));
    peer_say(peer, "{\"event\":\"STOP\"}");
    peer_reply(peer, id, "\"return\":{}");
}

/* For on_command: the prepared answers. */
static inline void world_answer(struct peer *peer, int id, const char *line, int passed_fd)
{
    struct world *w = peer->user;

    g_string_append_len(w->sent, line, g_strrstr(line, ",\"id\":") - line);
    g_string_append(w->sent, "}\n");
    if (passed_fd >= 0)
        close(passed_fd);
    peer_reply(peer, id, *w->answer);
    if (w->answer[1])
        w->answer++;
}

/* A pipe's end from which this can be read. */
static inline int world_pipe(const char *text)
{
    int ends[2];

    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_assert_cmpint(write(ends[1], text, strlen(text)), ==, (int)strlen(text));
    close(ends[1]);
    return ends[0];
}
