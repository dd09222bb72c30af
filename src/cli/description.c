// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/description.h"

#include <json-c/json.h>
#include <string.h>

static struct json_object *parse(const struct vma_config *c)
{
    g_autofree char *text = g_strndup((const char *)c->data, c->len);
    struct json_object *o = g_utf8_validate(text, -1, NULL) ? json_tokener_parse(text) : NULL;
    if (json_object_is_type(o, json_type_object))
        return o;
    json_object_put(o);
    return NULL;
}

struct json_object *description_of(const struct vma_header *h)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        if (!g_strcmp0(h->configs[i].name, VMA_DESCRIPTION_NAME))
            return parse(&h->configs[i]);
    return NULL;
}

const char *description_text(struct json_object *description, const char *key)
{
    struct json_object *o = NULL;
    if (!description || !json_object_object_get_ex(description, key, &o) ||
        !json_object_is_type(o, json_type_string))
        return NULL;
    return *json_object_get_string(o) ? json_object_get_string(o) : NULL;
}
