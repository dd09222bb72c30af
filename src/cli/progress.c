// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>
#include <glib.h>

#include "base/units.h"

#define INTERVAL_MS 500

void progress_start(struct progress *p, const char *doing)
{
    *p = (struct progress){.doing = doing, .is_shown = isatty(STDERR_FILENO)};
}

static void draw(struct progress *p, uint64_t done, uint64_t total, uint64_t now_ms)
{
    char bytes[UNITS_LEN], all[UNITS_LEN], rate[UNITS_LEN], left[UNITS_LEN];
    uint64_t eta_ms = rate_eta_ms(&p->rate, total ? total : UINT64_MAX, now_ms);
    fprintf(stderr, "\r%s: %s", p->doing, units_format_size(done, bytes));
    if (total)
        fprintf(stderr, " of %s, %u %%", units_format_size(total, all), (unsigned)(done * 100.0 / (double)total));
    fprintf(stderr, ", %s", units_format_rate(rate_per_s(&p->rate, now_ms), rate));
    if (eta_ms != RATE_UNKNOWN)
        fprintf(stderr, ", %s left", units_format_ms(eta_ms, left));
    fputs("\033[K", stderr);
    fflush(stderr);
    p->is_drawn = true;
}

void progress_tell(struct progress *p, uint64_t done, uint64_t total)
{
    if (!p->is_shown)
        return;
    uint64_t now_ms = (uint64_t)g_get_monotonic_time() / 1000;
    rate_add(&p->rate, done, now_ms);
    if (now_ms < p->next_ms)
        return;
    draw(p, done, total, now_ms);
    p->next_ms = now_ms + INTERVAL_MS;
}

void progress_clear(struct progress *p)
{
    if (p->is_drawn)
        fputs("\r\033[K", stderr);
    p->is_drawn = false;
}
