// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/args.h"

struct json_object *args_new(void)
{
    return json_object_new_object();
}

struct json_object *args_new_text(const char *key, const char *text)
{
    struct json_object *args = args_new();

    args_text(args, key, text);
    return args;
}

void args_text(struct json_object *args, const char *key, const char *text)
{
    if (text)
        json_object_object_add(args, key, json_object_new_string(text));
}

void args_int(struct json_object *args, const char *key, int64_t number)
{
    json_object_object_add(args, key, json_object_new_int64(number));
}

void args_size(struct json_object *args, const char *key, uint64_t bytes)
{
    json_object_object_add(args, key, json_object_new_uint64(bytes));
}

void args_flag(struct json_object *args, const char *key, bool is_on)
{
    json_object_object_add(args, key, json_object_new_boolean(is_on));
}

void args_object(struct json_object *args, const char *key, struct json_object *object)
{
    json_object_object_add(args, key, object);
}
