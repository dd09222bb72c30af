// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/runstate.h"

#include <string.h>
#include <glib.h>

static const struct runstate table[] = {
    {"running", RUNSTATE_HERE, true, 1, ""},
    {"paused", RUNSTATE_HERE, true, 0, ""},
    {"prelaunch", RUNSTATE_HERE, false, 0, "has not been started yet"},
    {"suspended", RUNSTATE_HERE, false, 9, "sleeps"},
    {"io-error", RUNSTATE_HERE, false, 0, "was stopped by an error of a drive"},
    {"guest-panicked", RUNSTATE_HERE, false, 0, "has panicked"},
    {"watchdog", RUNSTATE_HERE, false, 0, "was stopped by its watchdog"},
    {"shutdown", RUNSTATE_HERE, false, 0, "has shut down"},
    {"internal-error", RUNSTATE_HERE, false, 0, "was stopped by an internal error of QEMU"},
    {"debug", RUNSTATE_HERE, false, 0, "was stopped by a debugger"},
    {"postmigrate", RUNSTATE_LEFT, false, 0, "was migrated"},
    {"inmigrate", RUNSTATE_ARRIVING, false, 0, "is arriving by a migration"},
    {"finish-migrate", RUNSTATE_LEAVING, false, 0, "is being migrated away"},
    {"colo", RUNSTATE_LEAVING, false, 0, "is replicated by COLO"},
    {"save-vm", RUNSTATE_BUSY, false, 0, "is being saved by a snapshot inside QEMU"},
    {"restore-vm", RUNSTATE_BUSY, false, 0, "is being restored from a snapshot inside QEMU"},
};

/* Drives can be saved in any state; of what is known only by name nothing more is tried. */
static const struct runstate unknown = {"", RUNSTATE_HERE, false, 0, "is in a state that is not known here"};

const struct runstate *runstate_of(const char *status)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_strcmp0(table[i].name, status) == 0)
            return &table[i];
    return &unknown;
}

bool runstate_can_be_stopped(const struct runstate *s, int major)
{
    return s->stops_since && major >= s->stops_since;
}

bool runstate_is_ours(const char *status, bool did_we_stop, bool did_we_migrate)
{
    return (did_we_stop && (g_strcmp0(status, "paused") == 0 || g_strcmp0(status, "prelaunch") == 0)) ||
           (did_we_migrate && g_strcmp0(status, "postmigrate") == 0);
}

bool runstate_is_migrating(const char *migration)
{
    static const char *const over[] = {"none", "completed", "failed", "cancelled"};

    for (unsigned i = 0; i < G_N_ELEMENTS(over); i++)
        if (g_strcmp0(over[i], migration) == 0)
            return false;
    return migration != NULL;
}
