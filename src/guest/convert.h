// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The argument of one option -> what of it is harmless. For guest/line.c. */
#include "guest/line.h"

/* entry->kv is changed in place, or entry->value. False: leave the whole option out; line->left knows by
 * then. */
bool convert_entry(struct guest_line *line, struct guest_entry *entry);
/* Once all entries are there: -blockdev nodes that nothing uses go, those that are used hold nothing but
 * firmware. */
void convert_nodes(struct guest_line *line);
