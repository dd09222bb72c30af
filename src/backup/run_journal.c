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
        .process = b->qemu_process,
        .sockets = b->sockets,
        .did_we_stop = b->did_we_stop && !b->guest.is_stop_of_ram,
        .does_migrate = (b->ram == RAM_PLAIN || b->guest.is_ours_by_migration) && b->was_running && !b->has_resumed,
        .has_nbd_server = b->did_start_nbd_server,
        .agent = agent,
        /* RAM that was left out has changed them, too. */
        .has_capabilities = b->ram != RAM_NONE || b->is_ram_lost,
        .capabilities = b->capabilities,
        .has_params = b->have_old_params && (b->ram == RAM_PLAIN || b->is_ram_lost),
        .max_bandwidth = b->old_params.max_bandwidth,
        .downtime_limit_ms = b->old_params.downtime_limit_ms,
    };

    return journal_write(b->journal, &r, error);
}
