// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Monitors that do answer, near one that does not: every socket in its folder and in those where QEMU's usually are is
 * asked for its guest's name. It takes a moment, and changes nothing in any guest.
 *
 *     struct nearby *n = nearby_new(loop, model);
 *     nearby_look(n, "/run/qemu/web-01.qmp");     // model.nearby is filled as they answer
 *     nearby_close(n);                            // frees itself
 */
#include <uv.h>
#include "model/model.h"

struct nearby;
struct nearby *nearby_new(uv_loop_t *loop, struct model *m);
/* Does nothing while an earlier look goes on, or was only just made. monitor: the one not to be asked. */
void nearby_look(struct nearby *n, const char *monitor);
/* NULL is fine. Frees itself when the last folder has been read; the model is not touched any more. */
void nearby_close(struct nearby *n);
