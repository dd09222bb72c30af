// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Which guest a monitor belongs to. A key stands for a socket whatever name it is reached by: device, inode and time of
 * birth, since an inode is soon used again when its QEMU has ended; a TCP monitor by its address.
 *
 *     char *key = identity_of_monitor("unix:/run/vm.qmp,server=on");
 *
 * A guest has several sockets, and each of its monitors tells of all of them (query-chardev): who came by one is
 * found by the others.
 */
#include <glib.h>

/* monitor: as qmp_open() takes it. */
char *identity_of_monitor(const char *monitor);
/* The keys of the UNIX sockets among what query-chardev calls "filename". qemu_pid: whose folder relative paths are
 * looked up from, 0 = unknown. Owned; free function set. */
GPtrArray *identity_of_chardevs(const char *const *filenames, unsigned n, int qemu_pid);
/* Do they have a key in common? NULL has none. */
gboolean identity_is_shared(const GPtrArray *a, const GPtrArray *b);

/* QEMU's process, told apart from a later one of the same number: number, time of birth, and whose numbers they are.
 * NULL where that is not known, or the process is no QEMU but one that made the socket for it. */
char *identity_of_process(int pid);
/* That process has ended, for certain. `process` may be anything. */
gboolean identity_is_gone(const char *process);
