// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * By which way the drives' data comes: pushed by QEMU's own jobs over NBD, or pulled by us through shared memory (a
 * vhost-user-blk export of the frozen image). Pure.
 *
 *     const char *why;
 *     if (!engine_can_pull(&facts, &why))
 *         …("drive scsi0 is copied by engine push: %s", why);
 */
#include <stdbool.h>
#include <stdint.h>

enum engine { ENGINE_PUSH, ENGINE_PULL, ENGINES };
const char *engine_word(enum engine engine);                  /* push pull */
bool engine_from_word(const char *word, enum engine *engine); /* false: no such word */

struct engine_facts {
    /* of the run */
    bool knows_export;       /* QEMU has block-export-add of type vhost-user-blk */
    bool passes_descriptors; /* the monitor */
    bool has_memfd;          /* this system */
    /* of a drive */
    bool is_of_drive; /* else the others do not count: can any drive be pulled? */
    bool is_guarded, is_read_only;
    bool is_in_iothread; /* or may be */
    uint64_t size;
};
/* False: *why is what stands behind "because", a constant. */
bool engine_can_pull(const struct engine_facts *facts, const char **why);
