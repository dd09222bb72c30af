// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Memory that lies in a file without a name: more than one wants to have in RAM, and seldom looked at.
 *
 *     struct scratch *s = scratch_new();
 *     uint64_t *page = scratch_take(s, &error);        // 4 KiB of zeros, until scratch_free()
 *     scratch_rest(s);                                 // now and then: what was touched may leave the RAM
 *     scratch_free(s);
 *
 * The file (in TMPDIR, or /var/tmp) is made when it is first needed. Its blocks are there before they are used, so
 * that a full disk is an error here and not a signal later.
 */
#include <glib.h>

#define SCRATCH_PAGE_BYTES 4096u

struct scratch;
struct scratch *scratch_new(void);
void scratch_free(struct scratch *s);
/* NULL with error set (FAILED): there is no room for it. */
void *scratch_take(struct scratch *s, GError **error);
void scratch_rest(struct scratch *s);
