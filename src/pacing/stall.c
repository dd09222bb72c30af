// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/stall.h"

#include <glib.h>

static bool is_suffering(uint64_t write_us, uint64_t base_us)
{
    if (write_us == UINT64_MAX)
        return false;
    if (write_us > STALL_MOST_US)
        return true;
    return write_us > STALL_LEAST_US && (base_us == UINT64_MAX || write_us / STALL_TIMES > base_us);
}

static enum stall_change begin(struct stall *s, uint64_t rate)
{
    s->before = rate;
    s->ceiling = MAX(rate / 2, STALL_FLOOR);
    s->n_at_floor = 0;
    return STALL_BEGINS;
}

/* How many good looks it takes to go faster. */
static unsigned wanted(const struct stall *s)
{
    return s->n_wanted ? s->n_wanted : STALL_GOOD_LOOKS;
}

static enum stall_change slow_down(struct stall *s)
{
    if (s->ceiling > STALL_FLOOR) {
        s->ceiling = MAX(s->ceiling / 2, STALL_FLOOR);
        return STALL_SLOWER;
    }
    if (++s->n_at_floor < STALL_PATIENCE)
        return STALL_SAME;
    s->ceiling = 0;
    s->is_in_vain = true;
    return STALL_IN_VAIN;
}

static enum stall_change speed_up(struct stall *s)
{
    s->n_good = s->n_at_floor = 0;
    s->has_gone_faster = true;
    s->ceiling *= 2;
    if (s->ceiling <= s->before)
        return STALL_FASTER;
    s->ceiling = 0;
    return STALL_OVER;
}

enum stall_change stall_look(struct stall *s, uint64_t write_us, uint64_t base_us, uint64_t rate)
{
    bool is_bad = is_suffering(write_us, base_us);

    s->bad_looks = (s->bad_looks << 1 | is_bad) & ((1u << STALL_MEMORY) - 1);
    s->n_good = is_bad ? 0 : s->n_good + 1;
    if (s->is_in_vain && is_bad)
        return STALL_SAME;
    if (s->is_in_vain)
        s->bad_looks = s->is_in_vain = 0;
    bool is_lasting = s->bad_looks & (s->bad_looks - 1); /* more than one */
    if (is_bad && (is_lasting || write_us > STALL_MOST_US)) {
        if (s->has_gone_faster) /* that was too early */
            s->n_wanted = MIN(wanted(s) * 2, STALL_MOST_LOOKS);
        s->has_gone_faster = false;
        return s->ceiling ? slow_down(s) : begin(s, rate);
    }
    if (s->ceiling && s->n_good >= wanted(s))
        return speed_up(s);
    if (!s->ceiling && s->n_good > STALL_MOST_LOOKS) /* long ago */
        s->n_wanted = s->has_gone_faster = 0;
    return STALL_SAME;
}
