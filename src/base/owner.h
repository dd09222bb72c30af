// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Names of users and groups for messages, from /etc/passwd and /etc/group alone: getpwuid() may ask a directory
 * service, and wait for it for seconds, while QEMU waits for us.
 *
 *     g_autofree char *whose = owner_of(st.st_uid, st.st_gid);      // "root:kvm"
 *
 * Owned. Who is not in these files goes by the number.
 */
#include <sys/types.h>

char *owner_user(uid_t user);
char *owner_of(uid_t user, gid_t group);
