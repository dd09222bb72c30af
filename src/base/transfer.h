// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * All of a range of a file, however many calls it takes. Blocking.
 *
 *     int failed = transfer_read(fd, bytes, len, at);      // 0 or an errno
 */
#include <stddef.h>
#include <stdint.h>

/* ENODATA: the file ends before that. */
int transfer_read(int fd, void *to, size_t len, uint64_t at);
int transfer_write(int fd, const void *from, size_t len, uint64_t at);
