// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Each pointer of a GPtrArray, which must not grow meanwhile; break and continue do as in any loop:
 *
 *     for_each_in (const struct found_drive, f, b->facts.drives)
 *         puts(f->device);
 */
#include <stdbool.h>
#include <glib.h>

#define for_each_in(type, p, array)                                                                                    \
    for (type **p##_at = (type **)(array)->pdata, *p;                                                                  \
         p##_at < (type **)(array)->pdata + (array)->len && ((p = *p##_at), true); p##_at++)
