// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Zeros behind what a file holds: `dd conv=sync`, tapes and devices fill up what they copy.
 *
 *     uint64_t end = padding_start(fd, size);      // nothing but zeros from here on
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of these bytes, from the first one on, are zeros. */
size_t padding_run(const uint8_t *bytes, size_t len);
/* Where the zeros at the end of a file begin; size where there are none, or where it cannot be read. Holes
 * cost nothing. */
uint64_t padding_start(int fd, uint64_t size);
