// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A changed snapshot.json with its digest set right, or nothing would ever get behind that. */
#include <json-c/json.h>
#include <string.h>
#include <glib.h>
#include "store/chunk_id.h"

/* NULL: it is no object. */
static inline char *snapshot_seal(const char *text)
{
    const int compact = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    json_object *root = g_utf8_validate(text, -1, NULL) ? json_tokener_parse(text) : NULL;
    char digest[CHUNK_ID_TEXT], *sealed = NULL;
    struct chunk_id id;
    if (json_object_is_type(root, json_type_object)) {
        json_object_object_del(root, "digest");
        const char *all = json_object_to_json_string_ext(root, compact);
        chunk_id_of(all, strlen(all), &id);
        chunk_id_text(&id, digest);
        json_object_object_add(root, "digest", json_object_new_string(digest));
        sealed = g_strdup(json_object_to_json_string_ext(root, compact));
    }
    json_object_put(root);
    return sealed;
}
