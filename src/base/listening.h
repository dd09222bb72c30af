// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A UNIX socket that listens at a path: private, in the place of a stale one, gone at the end.
 *
 *     struct listening *l = listening_open("/run/x.sock", &error);
 *     ... accept4(listening_fd(l), …) ...
 *     listening_close(l);
 */
#include <glib.h>

struct listening;
/* Mode 0600 from its first moment on; non-blocking, close-on-exec. A stale socket, on which nobody answers, is
 * replaced; whatever else stands at `path` is an error (FAILED; USAGE for a path that is too long). */
struct listening *listening_open(const char *path, GError **error);
int listening_fd(const struct listening *l);
const char *listening_path(const struct listening *l); /* NULL when it was removed */
/* From now on the descriptor is the caller's to close, not listening_close()'s. */
int listening_take_fd(struct listening *l);
/*
 * The socket's file itself (O_PATH), for another process: it connects to /proc/self/fd/NUMBER, also when the path has been
 * removed and nobody else can come in. From here on any user who can reach the path may connect. -1 on failure.
 */
int listening_handle(const struct listening *l, GError **error);
/* Takes the path away if it is still ours; nobody can come in any more. Idempotent. */
void listening_remove(struct listening *l);
void listening_close(struct listening *l); /* removes, closes, frees; NULL is allowed */
