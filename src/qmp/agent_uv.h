// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The guest's agent on libuv: connects when it is asked something, answers within a deadline.
 *
 *     struct agent_link *l = agent_link_new(loop, "/run/guest.agent");
 *     agent_link_ask(l, &(struct agent_question){"guest-fsfreeze-status", .timeout_ms = 3000}, on_status, user);
 *     agent_link_close(l);
 *
 * One question at a time; a new one takes the place of the one under way, whose callback is not called then. The
 * connection is kept between questions, and made again when it was lost. SIGPIPE must be ignored.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "qmp/error.h"

/* An agent that runs answers within milliseconds, but within 100 where nobody was connected before; 3 s are for
 * a guest that is short of CPU. */
#define AGENT_SYNC_MS 3000

struct agent_question {
    const char *command;
    bool is_at_once;     /* see qmp/agent.h */
    unsigned timeout_ms; /* for the answer, from when the question was sent */
};
/* number -1, text "": none of that kind; text is borrowed and not safe to print. error is NULL or QMP_ERROR: the
 * agent's own words for what it refuses (COMMAND, NO_COMMAND), else "PATH: what; remedy". */
typedef void (*agent_done)(void *user, int64_t number, const char *text, const GError *error);

struct agent_link;
/* path: of a UNIX socket; "unix:" before it and QEMU's options behind it are ignored. Nothing is connected yet. */
struct agent_link *agent_link_new(uv_loop_t *loop, const char *path);
/* done comes from the loop, never from inside this call. */
void agent_link_ask(struct agent_link *l, const struct agent_question *question, agent_done done, void *user);
/* What is still to be sent is given to the socket. A question under way is dropped. Freed from the loop. */
void agent_link_close(struct agent_link *l);
