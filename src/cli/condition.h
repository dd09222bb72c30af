// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What can be had of each device of an archive that was walked through: for verify and salvage. */
#include "vma/walk.h"

struct json_object;

/* "whole", "nothing of it is there", "11M of 100M missing, 4.0M damaged"; g_free() it. */
char *condition_text(const struct vma_walk *w, int dev_id);
/* {"name", "is_whole", "missing_bytes", "damaged_bytes"} */
struct json_object *condition_json(const struct vma_walk *w, int dev_id);
