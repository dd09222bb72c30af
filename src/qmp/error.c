// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/error.h"

G_DEFINE_QUARK(qmp-error-quark, qmp_error)
