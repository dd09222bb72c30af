// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What QEMU says of an image that it cannot open, in words that tell what to do:
 *
 *     access_describe("Could not open 'd.raw': Permission denied", pid)
 *         "QEMU (user nobody) cannot open d.raw (root:root 0644) for writing: Permission denied"
 *
 * Owned; NULL where it says something else. pid: QEMU's on this host, 0 = not known.
 */
#include <sys/types.h>

char *access_describe(const char *message, pid_t pid);
