// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A QEMU that is none: a thread that speaks QMP, takes descriptors, writes drives over NBD and RAM into a
 * socket, keeps the books on nodes, jobs and descriptors, and does one thing wrong when it is told to.
 *
 *     struct fake_qemu *q = fake_new("/tmp/x.sock", &(struct fake_kind){.major = 10, .n_drives = 2});
 *     q->fault = (struct fake_fault){"blockdev-add", 3, FAULT_HANGUP_BEFORE};
 *     fake_start(q); … a backup …; fake_stop(q);
 *     q->violation, q->log, fake_left(q) …
 *
 * The books are read only before fake_start() and after fake_stop(), which may follow each other again. What
 * aborts a real QEMU is a violation here.
 */
#include "fake/books.h"

void fake_start(struct fake_qemu *q);
void fake_stop(struct fake_qemu *q);
