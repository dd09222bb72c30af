// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Targets that are written by the thread pool, because they block: files, devices, and what else cannot be polled. */
#include "sink/backend.h"

/* A new file: PATH.partial until it is finished. */
struct sink *file_open(uv_loop_t *loop, const char *path, bool force, GError **error);
/* A character device: /dev/null, a tape. */
struct sink *file_open_device(uv_loop_t *loop, const char *path, GError **error);
/* A block device, in place, with force only: refused while it is mounted or part of something. */
struct sink *file_open_block(uv_loop_t *loop, const char *path, bool force, GError **error);
/* Something that is open already (it is dup()ed), written from where it stands. When that blocks for ever, so
 * does the request: the sink leaks then. */
struct sink *file_open_stream(uv_loop_t *loop, int fd, const char *name, GError **error);
