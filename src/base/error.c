// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(vmb - error - quark, vmb_error)

int vmb_error_exit_status(const GError *error)
{
    if (!error)
        return 0;
    return error->domain == VMB_ERROR ? error->code : VMB_ERROR_FAILED;
}

enum vmb_error vmb_error_of_read(int error_number)
{
    return error_number == EIO || error_number == ENODATA ? VMB_ERROR_DAMAGED : VMB_ERROR_FAILED;
}

void vmb_error_set(GError **error, enum vmb_error code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_propagate_error(error, g_error_new_valist(VMB_ERROR, code, format, args));
    va_end(args);
}
