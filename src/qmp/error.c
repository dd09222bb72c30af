// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/error.h"

bool qmp_error_is_refusal(const GError *error)
{
    return error && error->domain == QMP_ERROR && error->code <= QMP_ERROR_NO_COMMAND;
}

// clang-format off: it takes the dashes for minus
G_DEFINE_QUARK(qmp - error - quark, qmp_error)
