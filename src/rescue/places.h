// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where runs keep their journals and control sockets. Which folder a run has taken hangs on its environment: a cron job
 * has no XDG_RUNTIME_DIR, a login has one. So whoever looks for runs looks into all of them.
 *
 *     g_auto(GStrv) folders = places_of_runs(true);
 */
#include <stdbool.h>
#include <glib.h>

/* Those that exist and are ours; for_all: to root, those of other users, too. With an XDG_RUNTIME_DIR that is not the
 * system's (/run/user/UID) there is only that one: whoever sets it wants to be by himself. */
GStrv places_of_runs(bool for_all);
