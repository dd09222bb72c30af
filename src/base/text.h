// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Text from outside (names of drives, messages of QEMU, lines of a socket) made fit for a terminal, a log and
 * JSON.
 *
 *     g_autofree char *name = text_make_safe(from_qemu);      // "scsi0\033[2J" -> "scsi0?[2J"
 *     char field[64]; text_copy(field, sizeof field, name);   // cut at a character, never inside one
 *
 * Safe means: valid UTF-8, and nothing in it that moves the cursor, ends a line or turns the writing
 * direction. Each such character, and each byte that is no UTF-8, becomes one '?'.
 */
#include <stdbool.h>
#include <stddef.h>

/* A safe copy, g_free() it; NULL stays NULL. */
char *text_make_safe(const char *text);
/* The same for bytes that need not end in NUL: a NUL among them becomes '?' too. */
char *text_make_safe_len(const char *bytes, size_t len);
/* The same for several lines: their ends stay. */
char *text_make_lines_safe(const char *text);
/* In place: the result is never longer. */
void text_make_safe_inplace(char *text);
/* Bytes of the longest prefix of whole UTF-8 characters that fits into max bytes (text must be valid). */
size_t text_cut(const char *text, size_t max);
/* A safe copy of text in field[size], NUL included, cut between characters. True when all of it fitted. */
bool text_copy(char *field, size_t size, const char *text);
