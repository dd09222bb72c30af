// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What vmabackup wrote about an archive into it: the configuration vmabackup.json. In a hostile archive
 * anything may stand there. */
#include "vma/header.h"

struct json_object;
/* NULL: there is none, or it is no JSON object. json_object_put() it. */
struct json_object *description_of(const struct vma_header *h);
/* A text of it, or NULL; borrowed. */
const char *description_text(struct json_object *description, const char *key);
/* What it says of the drive of this name (as the header has it), or NULL; borrowed. */
struct json_object *description_drive(struct json_object *description, const char *name);
/* A list of texts, NULL where there is none; what is no text in it is "". g_strfreev() it. */
char **description_texts(struct json_object *description, const char *key);
/* For the eye: what looks like a secret in its command line becomes "***". False: nothing does. */
bool description_mask(struct json_object *description);
