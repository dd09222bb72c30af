// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The drives of an archive as read-only NBD exports on a UNIX socket.
 *
 *     struct exports *e = exports_open(loop, archive, drives, socket_path, &error);
 *     for (i = 0; (name = exports_name(e, i)); i++) printf("%s\n", exports_uri(e, i));
 *     exports_close(e);           // then let the loop run until nothing of it is left
 *     exports_free(e);
 */
#include <uv.h>
#include "cli/indexed.h"

struct exports;
/* drives: the names to serve (NULL-terminated), or NULL = all that are whole. Errors: no such drive or one
 * that is not whole (FAILED), the socket. The archive is borrowed. */
struct exports *exports_open(uv_loop_t *loop, struct cli_indexed *archive, char **drives, const char *socket_path,
                             GError **error);
/* No more clients; those there are lose their connection. */
void exports_close(struct exports *e);
void exports_free(struct exports *e);
unsigned exports_count(const struct exports *e);
int exports_dev_id(const struct exports *e, unsigned i);
/* "nbd+unix:///NAME?socket=PATH", escaped. */
const char *exports_uri(const struct exports *e, unsigned i);
