// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What QEMU calls a drive that was given no id: "ide0-hd1" for the second one of "-drive file=…". In the
 * order of the command line, since each takes the first place that is free.
 */
#include <glib.h>

struct places;
/* machine: its type, which says where drives go that do not say it themselves; may be NULL. */
struct places *places_new(const char *machine);
void places_free(struct places *places);
/* The id for these pairs of a -drive; its place is taken from now on. g_free() it. */
char *places_take(struct places *places, const GPtrArray *keyvals);
