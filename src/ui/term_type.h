// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Which terminfo entries do for a terminal: over ssh, sudo or in a container its own is often not installed.
 * Pure.
 *
 *     g_auto(GStrv) types = term_types("xterm-kitty");      // xterm-kitty, xterm-256color, xterm
 */
#include <glib.h>

/* The type itself first, then its nearest kin; none for an empty one. */
char **term_types(const char *type);
