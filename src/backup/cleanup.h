// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Takes away what a dead run left in a QEMU: its jobs, nodes, settings; resumes a guest it had stopped.
 *
 *     struct cleanup *c = cleanup_new(loop, "/tmp/monitor.sock", false, on_line, on_done, user);
 *
 * Works from the dead run's journal, and without one from our names in QEMU (vmb-…). A live run's guest is
 * refused (VMB_ERROR_HELD). It frees itself after on_done.
 */
#include <stdbool.h>
#include <glib.h>
#include <uv.h>

struct cleanup;
/* on_line: what was done, or with dry_run what would be, a line each. */
struct cleanup *cleanup_new(uv_loop_t *loop, const char *monitor, bool dry_run, unsigned timeout_s,
                            void (*on_line)(void *user, const char *line),
                            void (*on_done)(void *user, unsigned n_actions, const GError *error), void *user);
