// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One error domain for the whole program; its codes are the exit status of both programs.
 *
 *     return vmb_fail(error, VMB_ERROR_TARGET, "target %s: no space left; free some", path);
 *
 * Messages are lower case, subject first, remedy last, and fit one line. Callers prefix on the way
 * up (g_prefix_error). A message never contains bytes from outside unless base/text.h made them safe.
 */
#include <stdbool.h>
#include <glib.h>

#define VMB_ERROR vmb_error_quark()
GQuark vmb_error_quark(void);

/* The numbers are the exit status (documented in README and man page): never renumber. */
enum vmb_error {
    VMB_ERROR_FAILED = 1,     /* failed, nothing usable */
    VMB_ERROR_USAGE = 2,      /* the command line was wrong */
    VMB_ERROR_INCOMPLETE = 3, /* finished, but something that was asked for is missing */
    VMB_ERROR_CANCELLED = 4,  /* cancelled by key or command */
    VMB_ERROR_MONITOR = 5,    /* monitor cannot be reached, or the guest went away */
    VMB_ERROR_TARGET = 6,     /* target cannot be written, or stayed full */
    VMB_ERROR_HELD = 7,       /* another backup holds this guest */
    VMB_ERROR_DAMAGED = 8,    /* verification found damage */
};

/* The exit status for an error: its code when it is ours, VMB_ERROR_FAILED for foreign domains, 0 for NULL. */
int vmb_error_exit_status(const GError *error);
/* vmb_fail(error, code, format, …): sets it, and is false, as the compiler has to see; vmb_null(…) is NULL. */
#define vmb_fail(...) (vmb_error_set(__VA_ARGS__), false)
#define vmb_null(...) (vmb_error_set(__VA_ARGS__), NULL)
/* For a read that failed: DAMAGED where a sector is gone, or is not what the file system has written; else FAILED. */
enum vmb_error vmb_error_of_read(int error_number);
void vmb_error_set(GError **error, enum vmb_error code, const char *format, ...) G_GNUC_PRINTF(3, 4);
