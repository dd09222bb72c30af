// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The RAM state of an archive, fed to a QEMU that reads it from a descriptor (-incoming fd:N), as fast as that reads.
 *
 *     struct ramfeed *f = ramfeed_new(loop, archive, dev_id);
 *     stdio[3] = ramfeed_stdio(f);       // for uv_spawn
 *     ramfeed_start(f);
 *     ramfeed_stop(f);                   // at the latest when QEMU has ended; then let the loop run
 *     ramfeed_free(f);
 */
#include <uv.h>
#include "cli/indexed.h"

struct ramfeed;
struct ramfeed *ramfeed_new(uv_loop_t *loop, struct cli_indexed *archive, int dev_id);
uv_stdio_container_t ramfeed_stdio(struct ramfeed *f);
void ramfeed_start(struct ramfeed *f);
void ramfeed_stop(struct ramfeed *f);
void ramfeed_free(struct ramfeed *f);
