// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where a monitor listens: a path, "unix:PATH", "tcp:HOST:PORT" or "HOST:PORT". What QEMU's own command line
 * may say behind it (",server=on,wait=off") is ignored, so that it can be pasted.
 *
 * QEMU must run on this machine, because the drives reach us over sockets that do not leave it. So HOST is
 * localhost or an address of this machine in numbers; no name is looked up (that could take minutes).
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <glib.h>
#include "qmp/error.h"

#define QMP_ADDRESS_MAX_TARGETS 2

typedef struct qmp_address {
    char *text; /* as given, made safe */
    bool is_unix;
    unsigned n; /* targets to try in order: localhost is 127.0.0.1, then ::1 */
    struct sockaddr_storage target[QMP_ADDRESS_MAX_TARGETS];
    socklen_t target_len[QMP_ADDRESS_MAX_TARGETS];
} qmp_address;

/* Looks at text only, never at a file. On failure is_unix and text are valid all the same, n is 0. */
bool qmp_address_parse(struct qmp_address *address, const char *text, GError **error);
void qmp_address_clear(struct qmp_address *address);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(qmp_address, qmp_address_clear)
/* The path of a UNIX address, NULL for another; g_free() it. */
char *qmp_address_path(const char *text);
/* The sentence for an errno of socket(), connect() or the first write, looking at the path for the reason. */
GError *qmp_address_explain(const struct qmp_address *address, int number);
