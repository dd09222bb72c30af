// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The one table of what stands where in a JSON line and in the model: json.c writes by it, replay.c reads by it, so
 * neither can know a field the other does not.
 *
 *     for (const struct json_field *f = json_row_fields; f->name; f++)
 *         … json name f->name, of kind f->kind, at ((char *)row) + f->offset
 */
#include <stddef.h>
#include "model/model.h"

enum json_kind {
    JSON_TEXT,   /* char[len]; "" is null */
    JSON_SIZE,   /* uint64_t; MODEL_UNKNOWN is null */
    JSON_COUNT,  /* unsigned */
    JSON_STATUS, /* int */
    JSON_CLOCK,  /* int64_t */
    JSON_FLAG,   /* bool */
    JSON_MS,     /* uint64_t in µs, shown as ms with a fraction; MODEL_UNKNOWN is null */
    JSON_STATE,  /* the enums, by their words in lower case */
    JSON_PHASE,
    JSON_BOTTLENECK,
    JSON_MAP, /* uint8_t[len]: a hexadecimal digit for each of JSON_MAP_DIGITS parts */
};
#define JSON_MAP_DIGITS 64

struct json_field {
    const char *name;
    enum json_kind kind;
    size_t offset, len;
    bool is_quiet; /* left out where it is 0, false or empty, and taken as that where it is missing */
};

/* The one object of a line, NULL if it is none; nothing but blanks may stand behind it. json_object_put() it. */
struct json_object *json_line_parse(const char *line, size_t len, int max_depth);

/* Each ends with a NULL name. Of struct model: */
extern const struct json_field json_guest_fields[], json_plan_fields[], json_phase_fields[], json_failure_fields[],
    json_progress_fields[], json_impact_fields[], json_result_fields[];
/* Of struct model_drive: what a plan tells of it, and what moves. */
extern const struct json_field json_planned_fields[], json_row_fields[];
