// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The QEMU of this host that starts a guest: found by its name in $PATH, never by a path of an archive.
 * Versions are numbers: 7002 is 7.2, 0 one that is not known.
 */
#include <glib.h>

unsigned guest_program_number(const char *version);
/* Runs PROGRAM --version. */
unsigned guest_program_version(const char *program);
/* name: "qemu-system-x86_64". The first one that is not known to be older than `wanted`, else the first;
 * g_free() it. */
char *guest_program_find(const char *name, unsigned wanted, GError **error);
