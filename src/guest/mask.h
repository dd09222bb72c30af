// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Command lines and messages that others wrote, to be shown: what may be a secret becomes "***". Only for the
 * eye: what is kept of a command line goes through guest/line.h.
 */

/* Arguments without the program. g_strfreev() it. */
char **mask_arguments(char *const *argv);
/* A sentence: addresses with a password in them, and words such as "key=…". g_free() it. */
char *mask_text(const char *text);
