// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Snapshots that lie in a store where nobody lists them, but whose chunks may be here.
 *
 *     if (!stray_check(s, &error)) …                                       // no chunk may be taken for unused
 */
#include "store/store.h"

/* FAILED: there is one that entries_load() does not find, or a link to a folder elsewhere; which, and what to do. */
bool stray_check(struct store *s, GError **error);
