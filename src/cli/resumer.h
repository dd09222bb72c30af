// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Lets a guest go on once QEMU has loaded its RAM: it was saved standing still, and stays so by itself. By a monitor
 * over an inherited descriptor; the guest's own monitors are the operator's.
 *
 *     struct resumer *r = resumer_new(loop);
 *     stdio[n] = resumer_stdio(r);       // -chardev socket,id=…,fd=n  -mon chardev=…,mode=control
 *     resumer_start(r);
 *     resumer_stop(r);                   // at the latest when QEMU has ended; then let the loop run
 *     resumer_free(r);
 */
#include <uv.h>

struct resumer;
struct resumer *resumer_new(uv_loop_t *loop);
uv_stdio_container_t resumer_stdio(struct resumer *r);
void resumer_start(struct resumer *r);
void resumer_stop(struct resumer *r);
void resumer_free(struct resumer *r);
