// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/field.h"

struct json_object *field_at(struct json_object *of, const char *key)
{
    struct json_object *member;

    if (!json_object_is_type(of, json_type_object) || !json_object_object_get_ex(of, key, &member))
        return NULL;
    return member;
}

static struct json_object *field_of_type(struct json_object *of, const char *key, enum json_type type)
{
    struct json_object *member = field_at(of, key);

    return member && json_object_is_type(member, type) ? member : NULL;
}

const char *field_text(struct json_object *of, const char *key)
{
    struct json_object *member = field_of_type(of, key, json_type_string);

    return member ? json_object_get_string(member) : NULL;
}

bool field_is_true(struct json_object *of, const char *key)
{
    struct json_object *member = field_of_type(of, key, json_type_boolean);

    return member && json_object_get_boolean(member);
}

int64_t field_int(struct json_object *of, const char *key, int64_t otherwise)
{
    struct json_object *member = field_of_type(of, key, json_type_int);

    return member ? json_object_get_int64(member) : otherwise;
}

uint64_t field_size(struct json_object *of, const char *key, uint64_t otherwise)
{
    struct json_object *member = field_of_type(of, key, json_type_int);

    /* A value above INT64_MAX is kept as unsigned by json-c, and its signed reading saturates: never < 0. */
    if (!member || json_object_get_int64(member) < 0)
        return otherwise;
    return json_object_get_uint64(member);
}
