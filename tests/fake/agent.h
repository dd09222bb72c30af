// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The agent in the fake guest: it answers how its file systems are frozen, as long as the guest runs: its QEMU
 * waits for the descriptor only then. See fake/books.h; the real one is qemu-ga.
 */
#include <glib.h>
#include <stdbool.h>

struct fake_agent {
    int listener, conn;
    GString *input;
    bool is_frozen;
};
/* It takes one connection at a time from the listener, which it closes in the end. */
struct fake_agent *fake_agent_new(int listener);
void fake_agent_free(struct fake_agent *a); /* NULL: nothing */
/* What to poll for reading now, and what to do then. */
int fake_agent_fd(const struct fake_agent *a);
void fake_agent_serve(struct fake_agent *a);
void fake_agent_hang_up(struct fake_agent *a);
