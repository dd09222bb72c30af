// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Takes away what a dead run left in a QEMU: its jobs, nodes, settings; resumes a guest it had stopped.
 *
 *     struct cleanup_wish wish = {.timeout_s = 30};
 *     struct cleanup *c = cleanup_new(loop, "/tmp/monitor.sock", &wish, on_line, on_done, user);
 *
 * Works from the dead run's journal, and without one from our names in QEMU (vmb-…). A live run's guest is
 * refused (VMB_ERROR_HELD). It frees itself after on_done.
 *
 * Before a run begins it looks in the same way, by the connection it has:
 *
 *     b->look = cleanup_look(b->qmp, monitor, on_looked, b);
 */
#include <stdbool.h>
#include <glib.h>
#include <uv.h>

struct cleanup;
struct qmp;
struct cleanup_wish {
    bool is_dry_run;    /* nothing is done */
    bool is_untrack;    /* dirty bitmaps of ours go, too, also those that backups count on */
    unsigned timeout_s; /* for each answer of the monitor */
};
/* on_line: what was done, or of a dry run what would be, a line each. */
struct cleanup *cleanup_new(uv_loop_t *loop, const char *monitor, const struct cleanup_wish *wish,
                            void (*on_line)(void *user, const char *line),
                            void (*on_done)(void *user, unsigned n_actions, const GError *error), void *user);

/* what: "2 jobs, 5 nodes, the guest stopped", n actions of a cleanup; n = 0: nothing is left. error: VMB_ERROR_HELD
 * says who is at work on this guest; QMP_ERROR of the monitor. */
typedef void (*cleanup_looked)(void *user, const char *what, unsigned n, const GError *error);
/* may_tidy: where a dead run has left nothing but its record and perhaps a descriptor, these are removed. It frees
 * itself after `looked`; cleanup_look_end() before that, when the connection is closed. */
struct cleanup *cleanup_look(struct qmp *q, const char *monitor, bool may_tidy, cleanup_looked looked, void *user);
void cleanup_look_end(struct cleanup *c);
