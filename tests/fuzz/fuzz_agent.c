// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile bytes from a guest for the talk with its agent. The first input byte chooses how the rest is split; whole or
 * in pieces, what comes of it must be the same: state, result, what is sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "qmp/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *talk(const uint8_t *data, size_t size, size_t piece)
{
    g_autoptr(qmp_agent) a = qmp_agent_new();
    g_autofree char *output = NULL;
    const GError *error;
    size_t n;

    qmp_agent_ask(a, "guest-fsfreeze-status", 7, false);
    for (size_t at = 0; at < size; at += piece)
        qmp_agent_feed(a, data + at, MIN(piece, size - at));
    error = qmp_agent_error(a);
    if (error && !g_utf8_validate(error->message, -1, NULL))
        abort();
    output = qmp_agent_take_output(a, &n);
    return g_strdup_printf("%d %" G_GINT64_FORMAT " %s %s %zu", qmp_agent_state(a), qmp_agent_number(a),
                           qmp_agent_text(a), error ? error->message : "", n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *whole = NULL, *split = NULL;

    if (size < 1)
        return 0;
    whole = talk(data + 1, size - 1, SIZE_MAX / 2);
    split = talk(data + 1, size - 1, 1 + data[0] % 16);
    if (strcmp(whole, split) != 0)
        abort();
    return 0;
}
