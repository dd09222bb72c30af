// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a run came to, in two files beside its archive: to be read, and as the lines that --replay shows.
 *
 *     report_write(loop, text, json, base, on_written, user);    // BASE.report.txt, BASE.report.json
 *
 * A worker writes them: a folder that does not answer must not hold up the screen.
 */
#include <glib.h>
#include <uv.h>

#include "model/model.h"

/* said: where they are; NULL with the error. */
typedef void (*report_written)(void *user, const char *said, const GError *error);
/* Takes both texts. */
void report_write(uv_loop_t *loop, char *text, char *json, const char *base, report_written written, void *user);
/* Beside the archive where there is one that is a file, else GUEST-YYYYmmddTHHMM in this folder. g_free() it. */
char *report_base(const struct model *m);
