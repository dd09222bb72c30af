// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Building the arguments of a command:
 *
 *     struct json_object *args = args_new();
 *     args_text(args, "driver", "nbd");
 *     args_object(args, "server", server);          // server belongs to args now
 */
#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

struct json_object *args_new(void);
/* The commonest: one text. */
struct json_object *args_new_text(const char *key, const char *text);
/* Nothing is added when text is NULL: that is how optional arguments are left out. */
void args_text(struct json_object *args, const char *key, const char *text);
void args_int(struct json_object *args, const char *key, int64_t number);
void args_size(struct json_object *args, const char *key, uint64_t bytes);
void args_flag(struct json_object *args, const char *key, bool is_on);
/* An object or array; args takes the reference. */
void args_object(struct json_object *args, const char *key, struct json_object *object);
