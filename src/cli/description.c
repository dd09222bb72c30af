// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/description.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "guest/mask.h"

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
    if (!description || !json_object_object_get_ex(description, key, &o) || !json_object_is_type(o, json_type_string))
        return NULL;
    return *json_object_get_string(o) ? json_object_get_string(o) : NULL;
}

struct json_object *description_drive(struct json_object *description, const char *name)
{
    struct json_object *list = NULL;
    if (description)
        json_object_object_get_ex(description, "drives", &list);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *text = json_object_is_type(o, json_type_object) ? description_text(o, "name") : NULL;
        g_autofree char *safe = text ? vma_name_make_safe(text) : NULL;
        if (safe && !strcmp(safe, name))
            return o;
    }
    return NULL;
}

char **description_texts(struct json_object *description, const char *key)
{
    struct json_object *list = NULL;
    if (!description || !json_object_object_get_ex(description, key, &list) ||
        !json_object_is_type(list, json_type_array))
        return NULL;
    GPtrArray *texts = g_ptr_array_new();
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        bool is_text = json_object_is_type(o, json_type_string);
        g_ptr_array_add(texts, g_strdup(is_text ? json_object_get_string(o) : ""));
    }
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

bool description_mask(struct json_object *description)
{
    g_auto(GStrv) argv = description_texts(description, "command_line");
    g_auto(GStrv) masked = argv && *argv ? mask_arguments(argv + 1) : NULL;
    if (!masked || g_strv_equal((const char *const *)masked, (const char *const *)argv + 1))
        return false;
    struct json_object *list = json_object_new_array();
    json_object_array_add(list, json_object_new_string(*argv));
    for (char **text = masked; *text; text++)
        json_object_array_add(list, json_object_new_string(*text));
    json_object_object_add(description, "command_line", list);
    return true;
}
