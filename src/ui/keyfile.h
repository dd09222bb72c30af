// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Where in a key file something stands: GKeyFile does not say, and an operator wants to know. */

/* The line (from 1) of "key=" in [group]; key NULL: of the first line that is nothing a key file knows. 1 when it is
 * not there. */
unsigned keyfile_line(const char *text, const char *group, const char *key);
