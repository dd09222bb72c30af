// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What is remembered of a guest's last backup, so that the plan of the next can say how long it will take and how much
 * it will write: a small key file for each guest, $XDG_STATE_HOME/vmabackup/GUEST.last (else ~/.local/state/vmabackup).
 *
 *     struct last_run last;
 *     if (last_run_load("web-01", &last)) … last.written / last.plain …
 */
#include <stdbool.h>
#include <stdint.h>

struct last_run {
    uint64_t read;    /* bytes of the drives and the RAM, holes too */
    uint64_t plain;   /* bytes that went into the archive, before they were packed */
    uint64_t written; /* bytes of the archive */
    uint64_t elapsed_ms;
    bool is_packed;
};

/* False where nothing (of use) is remembered. */
bool last_run_load(const char *guest, struct last_run *last);
/* Without a word where it cannot be kept: a backup is none the worse for it. */
void last_run_save(const char *guest, const struct last_run *last);
