// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/engine.h"

#ifndef ENGINE_IS_BUILT
#define ENGINE_IS_BUILT false
#endif

const bool engine_is_built = ENGINE_IS_BUILT;
