// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Signals as events of a loop, which they do not keep going.
 *
 *     static const int numbers[] = {SIGINT, SIGTERM};
 *     signals_uv_catch(&loop, a->signals, numbers, G_N_ELEMENTS(numbers), on_signal, a);    // handle->data is a
 *     signals_uv_close(a->signals, G_N_ELEMENTS(a->signals));
 */
#include <uv.h>

void signals_uv_catch(uv_loop_t *loop, uv_signal_t *handles, const int *numbers, unsigned n, uv_signal_cb on_signal,
                      void *user);
/* Those that are closing already stay as they are. */
void signals_uv_close(uv_signal_t *handles, unsigned n);
