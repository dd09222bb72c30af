// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The control socket of a run: RUN.sock in journal_folder(), so that it can be watched and steered from another
 * terminal. Out go the lines of model/json.h, first those that tell how it stands; in come commands, plain or JSON,
 * answered to whoever sent them. Only for the same user and root.
 *
 *     struct control *c = control_open(loop, b, &error);     // listening
 *     control_event(c, &event);                        // to everybody who watches
 *     control_close(c);                                // the socket is gone at once
 *
 * A reader who does not keep up is dropped: nothing here ever waits. The other end: runs.h, remote.h.
 */
#include "backup/backup.h"

struct control;
struct control *control_open(uv_loop_t *loop, struct backup *b, GError **error);
void control_event(struct control *c, const struct model_event *e);
/* Closes its handles; the last one frees. NULL is allowed. */
void control_close(struct control *c);

/* Removes the sockets of runs that died: nobody listens on them. */
void control_purge(void);
