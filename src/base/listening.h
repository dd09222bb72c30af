// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A UNIX socket that listens at a path: private, in the place of a stale one, gone at the end.
 *
 *     struct listening *l = listening_open("/run/x.sock", &error);
 *     ... accept4(listening_fd(l), …) ...
 *     listening_close(l);
 */
#include <stdbool.h>
#include <glib.h>

struct listening;
/* Mode 0600 from its first moment on; non-blocking, close-on-exec. A stale socket, on which nobody answers, is
 * replaced; whatever else stands at `path` is an error (FAILED; USAGE for a path that is too long). */
struct listening *listening_open(const char *path, GError **error);
int listening_fd(const struct listening *l);
const char *listening_path(const struct listening *l); /* NULL when it was removed */
/* From now on the descriptor is the caller's to close, not listening_close()'s. */
int listening_take_fd(struct listening *l);
/* From now on any user who gets to the path may connect: who does is up to its folder. */
bool listening_admit_all(const struct listening *l, GError **error);
/* Takes the path away if it is still ours; nobody can come in any more. Idempotent. */
void listening_remove(struct listening *l);
void listening_close(struct listening *l); /* removes, closes, frees; NULL is allowed */
