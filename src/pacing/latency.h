// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How long the guest's writes take, from a histogram of QEMU's. Pure.
 *
 *     uint64_t us = latency_p99_us(&when_it_began, &now);
 *
 * Only one that somebody else has set (block-latency-histogram-set) is read: QEMU up to 10.0 frees and allocates the
 * bins of a device without the lock under which an I/O thread counts in them, so that setting one of ours could harm
 * the guest.
 */
#include <stdint.h>
#include "qmp/calls.h"

/* What 99 of 100 writes since `before` took at most: the end of their bin, of the last one, which has none, its begin.
 * UINT64_MAX where nothing was counted, or otherwise than before. */
uint64_t latency_p99_us(const struct qmp_histogram *before, const struct qmp_histogram *now);
