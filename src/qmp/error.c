// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/error.h"

// clang-format off: it takes the dashes for minus
G_DEFINE_QUARK(qmp-error-quark, qmp_error)
