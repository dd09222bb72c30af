// SPDX-License-Identifier: GPL-2.0-or-later
/* What the journal says of a run, for whoever cleans up after we have died. */
#include "backup/run.h"
#include "rescue/journal.h"

/* An absolute path: cleanup may run in another folder. */
static char *agent_path(const char *agent)
{
    return g_str_has_prefix(agent, "unix:") ? g_strdup(agent) : g_canonicalize_filename(agent, NULL);
}

bool run_journal_write(const struct backup *b, GError **error)
{
    g_autofree char *agent = b->agent.is_frozen ? agent_path(b->options.agent) : NULL;
    struct journal_record r = {
        .monitor = b->options.monitor,
        .run_id = (char *)b->run_id,
        .process = b->link.qemu_process,
        .sockets = b->link.sockets,
        .did_we_stop = b->guest.did_we_stop && !b->guest.is_stop_of_ram,
        .does_migrate = (b->ram.method == RAM_PLAIN || b->guest.is_ours_by_migration) && b->guest.was_running &&
                        !b->guest.has_resumed,
        .has_nbd_server = b->ram.did_start_nbd_server,
        .agent = agent,
        /* RAM that was left out has changed them, too. */
        .has_capabilities = b->ram.method != RAM_NONE || b->ram.is_lost,
        .capabilities = b->ram.capabilities,
        .has_params = b->ram.have_old_params && (b->ram.method == RAM_PLAIN || b->ram.is_lost),
        .max_bandwidth = b->ram.old_params.max_bandwidth,
        .downtime_limit_ms = b->ram.old_params.downtime_limit_ms,
    };

    return journal_write(b->journal, &r, error);
}
