// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A program that can give its terminal back and go on: what the shell waits for is only a stand-in, the work is done by
 * its child.
 *
 *     supervise();                 // first of all in main(), before there are threads: returns in the child
 *     ...
 *     supervise_release();         // the stand-in ends with status 0, the shell's prompt comes back; we go on
 *
 * Until then the stand-in passes signals on, stops when the child stops, and ends as the child ends.
 */

/* Returns in a child whose parent does nothing but wait; or in this very process where none can be made. */
void supervise(void);
/* From now on we have no terminal: the three standard streams are /dev/null. Nothing without supervise(). */
void supervise_release(void);
