// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Our side of a talk with the guest's agent (qemu-ga) as pure code: bytes in, a state and bytes out. No
 * socket, no clock.
 *
 *     qmp_agent_ask(a, "guest-fsfreeze-freeze", random_id, false);
 *     … write what qmp_agent_take_output() gives, after each feed too …
 *     qmp_agent_feed(a, bytes, n);
 *     if (qmp_agent_state(a) == QMP_AGENT_ANSWERED)
 *         … qmp_agent_error(a), qmp_agent_number(a), qmp_agent_text(a)
 *
 * The agent's line has no connections: what an earlier client has asked may be answered to us, and half a
 * command of his may still stand before ours. So each question begins with guest-sync-delimited: a byte 0xFF,
 * which is in no JSON and makes the agent forget what is half read, and a random number, which it sends back
 * behind a 0xFF of its own. Whatever comes before that is somebody else's. How the bytes are split makes no
 * difference.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

/* Our questions have answers of some ten bytes. */
#define QMP_AGENT_MAX_BYTES 65536

enum qmp_agent_state {
    QMP_AGENT_IDLE,
    QMP_AGENT_SYNCING,  /* our number has not come back yet */
    QMP_AGENT_ASKED,    /* it has: somebody listens, and our question is on its way */
    QMP_AGENT_ANSWERED, /* with a result or an error */
    QMP_AGENT_BROKEN,   /* behind our number came what is no answer: qmp_agent_error() */
};

typedef struct qmp_agent qmp_agent; /* g_autoptr needs one word */
struct qmp_agent *qmp_agent_new(void);
void qmp_agent_free(struct qmp_agent *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(qmp_agent, qmp_agent_free)

/* A new question; the one before is forgotten, and its answer skipped if it comes. command: a constant. id: random,
 * at least 0. is_at_once: the question goes out together with the number, so that an agent that is busy, or a guest
 * that stands still, finds it in the end; else not before somebody has shown that he listens. */
void qmp_agent_ask(struct qmp_agent *a, const char *command, int64_t id, bool is_at_once);
/* What is to be sent now, owned; NULL if nothing is. It holds a byte 0xFF: no text. */
char *qmp_agent_take_output(struct qmp_agent *a, size_t *n);
void qmp_agent_feed(struct qmp_agent *a, const void *bytes, size_t n);
enum qmp_agent_state qmp_agent_state(const struct qmp_agent *a);
/* Of an answer: NULL for a result, else QMP_ERROR with the agent's own words, safe to print. Borrowed. */
const GError *qmp_agent_error(const struct qmp_agent *a);
int64_t qmp_agent_number(const struct qmp_agent *a);   /* -1 when the result is no number */
const char *qmp_agent_text(const struct qmp_agent *a); /* "" when it is no text; not safe to print */
