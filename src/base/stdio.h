// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Descriptors 0 to 2 are there before anything else is opened: a socket of ours in their place would get what is
 * printed.
 *
 *     int main(…) { stdio_fill(); …
 *
 * One that was closed gives no input and takes no output: writing to it fails, so that an archive is not lost in
 * silence.
 */
void stdio_fill(void);
