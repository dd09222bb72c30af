// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Looking into what QEMU sent, without trust: whatever is missing, or is of another type than asked for,
 * reads as absent. `of` may be NULL or no object at all, so that paths can be walked without a check:
 *
 *     uint64_t size = field_size(field_at(field_at(drive, "inserted"), "image"), "virtual-size", 0);
 */
#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

/* The member itself, borrowed, or NULL. A JSON null reads as absent too. */
struct json_object *field_at(struct json_object *of, const char *key);
/* Borrowed text, or NULL unless it is a string. */
const char *field_text(struct json_object *of, const char *key);
bool field_is_true(struct json_object *of, const char *key);
int64_t field_int(struct json_object *of, const char *key, int64_t otherwise);
/* A number that cannot be negative; a negative one reads as absent. */
uint64_t field_size(struct json_object *of, const char *key, uint64_t otherwise);
