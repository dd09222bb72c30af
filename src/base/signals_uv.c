// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/signals_uv.h"

void signals_uv_catch(uv_loop_t *loop, uv_signal_t *handles, const int *numbers, unsigned n, uv_signal_cb on_signal,
                      void *user)
{
    for (unsigned i = 0; i < n; i++) {
        uv_signal_init(loop, &handles[i]);
        handles[i].data = user;
        uv_signal_start(&handles[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&handles[i]);
    }
}

void signals_uv_close(uv_signal_t *handles, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!uv_is_closing((uv_handle_t *)&handles[i]))
            uv_close((uv_handle_t *)&handles[i], NULL);
}
