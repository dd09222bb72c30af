// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * SIGINT, SIGTERM and SIGHUP for the commands that read in a loop: noted, so that nothing half-done is left
 * behind.
 *
 *     signals_catch();
 *     while (!signals_caught()) …
 *     return signals_leave(status);
 */

/* A system call that waits ends, too; the second signal kills. */
void signals_catch(void);
/* The number of the signal that came, or 0. */
int signals_caught(void);
/* After everything was tidied up: dies of the signal that came, or returns status. */
int signals_leave(int status);
