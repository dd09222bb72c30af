// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Is an archive sound, and does it hold what the drives of a fake QEMU were at their instants?
 *
 *     g_autofree char *wrong = fake_archive_wrong(path, q, 1u << 0 | 1u << 2, false);       // NULL: as it should be
 */
#include "fake/books.h"

/* What is wrong: faults of its structure, a line each, or the first difference of the content. The drives of the set (a
 * bit each) must be there and exact, others be absent. has_lost: on a pipe they may be there in parts, as the end mark
 * says. */
char *fake_archive_wrong(const char *path, struct fake_qemu *q, unsigned set, bool has_lost);
/* The same of the only snapshot in a store, in which nothing but snapshots and chunks may be. */
char *fake_snapshot_wrong(const char *dir, struct fake_qemu *q, unsigned set);
bool fake_has_snapshot(const char *dir);
