// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Kinds of guests to sweep over, and where in a backup of each something can go wrong: at every command of a run
 * that went well.
 */
#include "fake/trial.h"

struct sweep {
    const char *name;
    struct fake_kind kind;
    bool with_ram;
};
extern const struct sweep sweeps[];
extern const unsigned n_sweeps;

/* How many commands lie between two that are disturbed: one, if there is time (-m slow). */
unsigned sweep_stride(void);
/* The commands of an undisturbed run, without a kind yet (struct fake_fault); each as often as it came, but polls only
 * twice. It makes that run, and judges it. */
GArray *sweep_faults(const struct sweep *s);
