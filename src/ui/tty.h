// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The terminal device itself: our own open of it, raw mode, and putting it back whatever happens.
 *
 *     int fd = tty_open(&error);             // a file description of its own: O_NONBLOCK leaves stdout alone
 *     struct termios before;
 *     tty_raw(fd, &before);
 *     tty_guard(fd, &before, farewell);      // a crash says farewell, restores, then dies as it would have
 *     ...
 *     tty_unguard(); tty_restore(fd, &before);
 */
#include <stdbool.h>
#include <termios.h>
#include <glib.h>

/* The controlling terminal, non-blocking. -1 with an error. */
int tty_open(GError **error);
/* Keys at once and unechoed; signals stay, Ctrl-S does not freeze. False when fd is no terminal. */
bool tty_raw(int fd, struct termios *before);
void tty_restore(int fd, const struct termios *before);
/* False when the terminal does not know it. */
bool tty_size(int fd, int *width, int *height);
/* We are in the foreground: only then may the terminal be read or changed, else the kernel stops us. */
bool tty_is_ours(int fd);
/* Nobody is at the other end any more. */
bool tty_is_gone(int fd);
/* Writes all of it as far as the terminal takes it within deadline_ms; for the last words. */
void tty_write_all(int fd, const char *bytes, size_t len, int deadline_ms);

/* From now on a crash restores fd first, and what GLib prints is kept until then. farewell is copied. */
void tty_guard(int fd, const struct termios *before, const char *farewell);
/* Prints what was kept to standard error. */
void tty_unguard(void);
