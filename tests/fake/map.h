// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* NBD exports of the fake QEMU: who has connected, to a socket that was passed, is told what of the node is zero. */
#include "fake/books.h"

/* NULL: nobody has. */
struct fake_map *fake_map_new(struct fake_qemu *q, const char *node);
void fake_map_free(struct fake_map *map); /* NULL: nothing */
