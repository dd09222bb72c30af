// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include "pacing/latency.h"

static bool is_same_scale(const struct qmp_histogram *a, const struct qmp_histogram *b)
{
    return a->n_bins == b->n_bins && a->n_bins > 1 &&
           memcmp(a->boundary_ns, b->boundary_ns, (a->n_bins - 1) * sizeof *a->boundary_ns) == 0;
}

uint64_t latency_p99_us(const struct qmp_histogram *before, const struct qmp_histogram *now)
{
    uint64_t all = 0, slower = 0;

    if (!is_same_scale(before, now))
        return UINT64_MAX;
    for (unsigned i = 0; i < now->n_bins; i++) {
        if (now->bin[i] < before->bin[i]) /* set anew */
            return UINT64_MAX;
        all += now->bin[i] - before->bin[i];
    }
    if (!all)
        return UINT64_MAX;
    for (unsigned i = now->n_bins; --i > 0;) {
        slower += now->bin[i] - before->bin[i];
        if (slower > all / 100)
            return now->boundary_ns[i < now->n_bins - 1 ? i : i - 1] / 1000;
    }
    return now->boundary_ns[0] / 1000;
}
