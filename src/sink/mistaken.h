// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What is handed over by mistake for an archive, told by its first bytes, and what to do with it. Pure.
 *
 *     g_autofree char *what = mistaken_for(bytes, len);     // "it is a qcow2 image, …"
 */
#include <stddef.h>
#include <stdint.h>

#define MISTAKEN_BYTES 512 /* as many are looked at */

/* One sentence; NULL: not one of those known here. */
char *mistaken_for(const uint8_t *bytes, size_t len);
