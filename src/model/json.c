// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/json.h"

#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "model/json_fields.h"

#define FORMAT_VERSION 1

struct json_stream {
    char *program, *job;
    uint64_t seq;
};

struct json_stream *json_stream_new(const char *program, const char *job)
{
    struct json_stream *s = g_new0(struct json_stream, 1);
    s->program = text_make_safe(program);
    s->job = text_make_safe(job);
    return s;
}

void json_stream_free(struct json_stream *s)
{
    g_free(s->program);
    g_free(s->job);
    g_free(s);
}

struct json_object *json_line_parse(const char *line, size_t len, int max_depth)
{
    json_tokener *tokener = json_tokener_new_ex(max_depth);
    json_object *object = json_tokener_parse_ex(tokener, line, (int)MIN(len, G_MAXINT));
    /* Without the NUL behind it a bare number would be incomplete, but an object is whole at its '}'. */
    bool is_whole = json_tokener_get_error(tokener) == json_tokener_success;
    for (size_t i = json_tokener_get_parse_end(tokener); i < len; i++)
        is_whole &= strchr(" \t\r\n", line[i]) && line[i];
    json_tokener_free(tokener);
    if (is_whole && json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

/* ---- members ---- */

/* NULL is null. json-c escapes what JSON wants escaped, but takes any bytes: those are made UTF-8 here. */
static void put_text(json_object *o, const char *name, const char *text)
{
    g_autofree char *safe = text_make_safe(text);
    json_object_object_add(o, name, safe ? json_object_new_string(safe) : NULL);
}

static void put_number(json_object *o, const char *name, uint64_t value)
{
    json_object_object_add(o, name, value == MODEL_UNKNOWN ? NULL : json_object_new_uint64(value));
}

static void put_bool(json_object *o, const char *name, bool value)
{
    json_object_object_add(o, name, json_object_new_boolean(value));
}

static void put_id(json_object *o, const struct model *m, int drive)
{
    put_text(o, "id", drive >= 0 ? m->drives[drive].name : NULL);
}

static json_object *word(const char *text)
{
    g_autofree char *lower = g_ascii_strdown(text, -1); /* "fail": capitals are for eyes */
    return json_object_new_string(lower);
}

/* A digit of a map is the mean of its cells, 0 … f. */
static json_object *map_digits(const uint8_t *cells, size_t len)
{
    char digits[JSON_MAP_DIGITS + 1] = {0};
    size_t each = len / JSON_MAP_DIGITS;
    for (size_t i = 0; i < JSON_MAP_DIGITS; i++) {
        unsigned sum = 0;
        for (size_t k = 0; k < each; k++)
            sum += cells[i * each + k];
        digits[i] = "0123456789abcdef"[sum / each / 16];
    }
    return json_object_new_string(digits);
}

/* Microseconds as 1.25: a double would be printed as 1.2499999999999999. */
static json_object *ms_of(uint64_t us)
{
    char text[32];
    size_t len = (size_t)g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT ".%03u", us / 1000, (unsigned)(us % 1000));
    while (text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[len - 1] = '\0';
    return json_object_new_double_s((double)us / 1000, text);
}

static json_object *value_of(const struct json_field *f, const char *at)
{
    uint64_t size = f->kind == JSON_SIZE || f->kind == JSON_MS ? *(const uint64_t *)at : 0;
    g_autofree char *text = f->kind == JSON_TEXT && *at ? text_make_safe(at) : NULL;
    switch (f->kind) {
    case JSON_TEXT:
        return text ? json_object_new_string(text) : NULL;
    case JSON_SIZE:
        return size == MODEL_UNKNOWN ? NULL : json_object_new_uint64(size);
    case JSON_MS:
        return size == MODEL_UNKNOWN ? NULL : ms_of(size);
    case JSON_COUNT:
        return json_object_new_int64(*(const unsigned *)at);
    case JSON_STATUS:
        return json_object_new_int(*(const int *)at);
    case JSON_CLOCK:
        return json_object_new_int64(*(const int64_t *)at);
    case JSON_FLAG:
        return json_object_new_boolean(*(const bool *)at);
    case JSON_STATE:
        return word(model_state_word(*(const enum model_state *)at));
    case JSON_PHASE:
        return word(model_phase_word(*(const enum model_phase *)at));
    case JSON_BOTTLENECK:
        return word(model_bottleneck_word(*(const enum model_bottleneck *)at));
    case JSON_MAP:
        return map_digits((const uint8_t *)at, f->len);
    }
    return NULL;
}

static bool is_zero(const struct json_field *f, const char *at)
{
    for (size_t i = 0; i < (f->kind == JSON_TEXT ? 1 : f->len); i++)
        if (at[i])
            return false;
    return true;
}

static void put_fields(json_object *o, const struct json_field *fields, const void *of)
{
    for (const struct json_field *f = fields; f->name; f++)
        if (!f->is_quiet || !is_zero(f, (const char *)of + f->offset))
            json_object_object_add(o, f->name, value_of(f, (const char *)of + f->offset));
}

/* ---- events: each adds what is its own ---- */

static void add_hello(json_object *o, const struct json_stream *s)
{
    put_text(o, "program", s->program);
    put_text(o, "version", VMB_VERSION);
    put_text(o, "job", s->job);
}

static void add_plan(json_object *o, const struct model *m)
{
    json_object *devices = json_object_new_array();
    put_fields(o, json_plan_fields, m);
    for (unsigned i = 0; i < m->n_drives; i++) {
        json_object *device = json_object_new_object();
        put_text(device, "id", m->drives[i].name);
        put_text(device, "kind", m->drives[i].is_vmstate ? "vmstate" : "drive");
        put_fields(device, json_planned_fields, &m->drives[i]);
        json_object_array_add(devices, device);
    }
    json_object_object_add(o, "devices", devices);
}

static void add_checks(json_object *o, const struct model *m)
{
    json_object *checks = json_object_new_array();
    for (unsigned i = 0; i < m->link.n_checks; i++) {
        json_object *check = json_object_new_object();
        json_object_object_add(check, "state", word(model_state_word(m->link.checks[i].state)));
        put_text(check, "text", m->link.checks[i].text);
        json_object_array_add(checks, check);
    }
    json_object_object_add(o, "checks", checks);
}

static void add_phase(json_object *o, const struct model *m)
{
    put_fields(o, json_phase_fields, m);
    if (m->phase == MODEL_CONNECT_FAILED)
        put_fields(o, json_failure_fields, m);
    if (m->phase <= MODEL_CONNECT_FAILED)
        add_checks(o, m);
}

/* What moves of a row; the same in "drive", "progress" and "result". */
static void add_row(json_object *o, const struct model_drive *d)
{
    put_text(o, "id", d->name);
    put_fields(o, json_row_fields, d);
    put_text(o, "paused_by", d->paused.by_operator ? "operator" : d->paused.by_target ? "target" : NULL);
}

static void add_rows(json_object *o, const struct model *m)
{
    json_object *devices = json_object_new_array();
    for (unsigned i = 0; i < m->n_drives; i++) {
        if (!m->drives[i].is_included)
            continue;
        json_object *device = json_object_new_object();
        add_row(device, &m->drives[i]);
        json_object_array_add(devices, device);
    }
    json_object_object_add(o, "devices", devices);
}

static void add_limit(json_object *o, const struct model *m, const struct model_event *e)
{
    put_id(o, m, e->drive); /* null = all */
    put_number(o, "old", e->old_value);
    put_number(o, "new", e->new_value);
    put_text(o, "by", e->text);
}

static void add_log(json_object *o, const struct model *m, const struct model_event *e)
{
    put_id(o, m, e->drive);
    put_text(o, "level", model_level_word(e->level));
    put_text(o, "text", e->text);
    put_text(o, "hint", e->hint);
}

static void add_reply(json_object *o, const struct model_event *e)
{
    json_object_object_add(o, "id", e->id >= 0 ? json_object_new_int64(e->id) : NULL);
    put_bool(o, "ok", e->ok);
    g_autofree char *lines = text_make_lines_safe(e->text);
    json_object_object_add(o, "text", lines ? json_object_new_string(lines) : NULL);
}

static void add_result(json_object *o, const struct model *m)
{
    json_object *missing = json_object_new_array();
    json_object_object_add(o, "status", word(model_result_word(m->end.exit_status)));
    put_fields(o, json_result_fields, m);
    put_fields(o, json_progress_fields, m); /* the last figures */
    add_rows(o, m);
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (d->is_refused || (d->is_included && !model_is_saved(d->state)))
            json_object_array_add(missing, json_object_new_string(d->name));
    }
    json_object_object_add(o, "missing", missing);
}

/* ---- the line ---- */

static const char *event_word(const struct model_event *e)
{
    static const char *const words[] = {
        [MODEL_EV_HELLO] = "hello",   [MODEL_EV_GUEST] = "guest", [MODEL_EV_PLAN] = "plan",
        [MODEL_EV_PHASE] = "phase",   [MODEL_EV_DRIVE] = "drive", [MODEL_EV_PROGRESS] = "progress",
        [MODEL_EV_LIMIT] = "limit",   [MODEL_EV_LOG] = "log",     [MODEL_EV_REPLY] = "reply",
        [MODEL_EV_IMPACT] = "impact", [MODEL_EV_NOTE] = "note",   [MODEL_EV_RESULT] = "result",
    };
    return e->type == MODEL_EV_LOG && e->level == MODEL_ERROR ? "error" : words[e->type];
}

static void put_time(json_object *o, int64_t now_us)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);
    g_autofree char *seconds = when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : NULL;
    g_autofree char *text = seconds ? g_strdup_printf("%s.%03dZ", seconds, (int)(now_us / 1000 % 1000)) : NULL;
    put_text(o, "ts", text);
}

static void add_own(json_object *o, const struct json_stream *s, const struct model *m, const struct model_event *e)
{
    switch (e->type) {
    case MODEL_EV_HELLO:
        add_hello(o, s);
        break;
    case MODEL_EV_GUEST:
        put_fields(o, json_guest_fields, m);
        break;
    case MODEL_EV_PLAN:
        add_plan(o, m);
        break;
    case MODEL_EV_PHASE:
        add_phase(o, m);
        break;
    case MODEL_EV_DRIVE:
        if (e->drive >= 0)
            add_row(o, &m->drives[e->drive]);
        break;
    case MODEL_EV_PROGRESS:
        put_fields(o, json_progress_fields, m);
        add_rows(o, m);
        break;
    case MODEL_EV_IMPACT:
        put_fields(o, json_impact_fields, m);
        break;
    case MODEL_EV_LIMIT:
        add_limit(o, m, e);
        break;
    case MODEL_EV_LOG:
    case MODEL_EV_NOTE:
        add_log(o, m, e);
        break;
    case MODEL_EV_REPLY:
        add_reply(o, e);
        break;
    case MODEL_EV_RESULT:
        add_result(o, m);
        break;
    }
}

char *json_stream_event(struct json_stream *s, const struct model *m, const struct model_event *e, int64_t now_us)
{
    json_object *o = json_object_new_object();
    g_assert(e->drive < (int)m->n_drives);
    put_number(o, "v", FORMAT_VERSION);
    put_number(o, "seq", ++s->seq);
    put_time(o, now_us);
    put_text(o, "ev", event_word(e));
    add_own(o, s, m, e);
    char *line = g_strconcat(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                             "\n", NULL);
    json_object_put(o);
    return line;
}

/* ---- how it stands ---- */

/* The log's lines, each with the time it had; a hint belongs to the line before it. */
static void add_notes(GString *out, struct json_stream *s, const struct model *m)
{
    for (unsigned i = 0; i < m->n_log; i++) {
        const struct model_log_line *line = &m->log[i];
        bool has_hint = i + 1 < m->n_log && m->log[i + 1].level == MODEL_HINT;
        struct model_event e = {.type = MODEL_EV_NOTE,
                                .drive = -1,
                                .level = line->level,
                                .text = line->text,
                                .hint = has_hint ? m->log[i + 1].text : NULL};
        g_autofree char *text = json_stream_event(s, m, &e, line->when_s * G_USEC_PER_SEC);
        g_string_append(out, text);
        i += has_hint;
    }
}

char *json_stream_state(struct json_stream *s, const struct model *m, int64_t now_us)
{
    static const enum model_event_type types[] = {MODEL_EV_HELLO, MODEL_EV_GUEST,    MODEL_EV_PLAN,
                                                  MODEL_EV_PHASE, MODEL_EV_PROGRESS, MODEL_EV_IMPACT};
    GString *out = g_string_new(NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        struct model_event e = {.type = types[i], .drive = -1};
        g_autofree char *line = json_stream_event(s, m, &e, now_us);
        g_string_append(out, line);
    }
    add_notes(out, s, m);
    if (m->phase == MODEL_DONE) {
        struct model_event e = {.type = MODEL_EV_RESULT, .drive = -1};
        g_autofree char *line = json_stream_event(s, m, &e, now_us);
        g_string_append(out, line);
    }
    return g_string_free(out, FALSE);
}
