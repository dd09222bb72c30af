// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/replay.h"

#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/json_fields.h"

#define MAX_DEPTH 8

struct replay {
    struct model m;
    char job[MODEL_NAME_LEN];
    char text[MODEL_TEXT_LEN * 2], hint[MODEL_TEXT_LEN]; /* of the event */
    char *answer;                                        /* of a reply: the list of commands is long */
    int64_t when_us;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

struct replay *replay_new(void)
{
    struct replay *r = g_new0(struct replay, 1);
    model_init(&r->m);
    return r;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    model_clear(&r->m);
    g_free(r->answer);
    g_free(r);
}

const struct model *replay_model(const struct replay *r)
{
    return &r->m;
}

int64_t replay_when_us(const struct replay *r)
{
    return r->when_us;
}

const char *replay_job(const struct replay *r)
{
    return r->job;
}

/* ---- values: what is of another type than it should be counts as unknown ---- */

static json_object *member(json_object *o, const char *name)
{
    json_object *value = NULL;
    return json_object_object_get_ex(o, name, &value) ? value : NULL;
}

static const char *text_in(json_object *o, const char *name)
{
    json_object *value = member(o, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static uint64_t number_of(json_object *value, uint64_t unknown)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
        return unknown;
    return json_object_get_uint64(value);
}

static uint64_t ms_of(json_object *value)
{
    double ms = json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int)
                    ? json_object_get_double(value)
                    : -1;
    return ms >= 0 && ms < 1e15 ? (uint64_t)llround(ms * 1000) : MODEL_UNKNOWN;
}

/* Which of the n words it is; `now` when it is none of them. */
static unsigned word_of(json_object *value, const char *(*words)(unsigned), unsigned n, unsigned now)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    for (unsigned i = 0; i < n; i++)
        if (g_ascii_strcasecmp(text, words(i)) == 0)
            return i;
    return now;
}

static void take_map(json_object *value, uint8_t *cells, size_t len)
{
    const char *digits = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    size_t n = strlen(digits) == JSON_MAP_DIGITS ? JSON_MAP_DIGITS : 0;
    memset(cells, 0, len);
    for (size_t i = 0; n && i < len; i++)
        cells[i] = (uint8_t)(MAX(g_ascii_xdigit_value(digits[i * n / len]), 0) * 17);
}

static void take(const struct json_field *f, json_object *value, char *at)
{
    switch (f->kind) {
    case JSON_TEXT:
        text_copy(at, f->len, json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "");
        break;
    case JSON_SIZE:
        *(uint64_t *)at = number_of(value, MODEL_UNKNOWN);
        break;
    case JSON_MS:
        *(uint64_t *)at = ms_of(value);
        break;
    case JSON_COUNT:
        *(unsigned *)at = (unsigned)MIN(number_of(value, 0), G_MAXUINT);
        break;
    case JSON_STATUS:
        *(int *)at = (int)MIN(number_of(value, 1), 255);
        break;
    case JSON_CLOCK:
        *(int64_t *)at = (int64_t)MIN(number_of(value, 0), G_MAXINT64);
        break;
    case JSON_FLAG:
        *(bool *)at = json_object_get_boolean(value);
        break;
    case JSON_STATE:
        *(enum model_state *)at = word_of(value, model_state_word, MODEL_STATES, *(enum model_state *)at);
        break;
    case JSON_PHASE:
        *(enum model_phase *)at = word_of(value, model_phase_word, MODEL_PHASES, *(enum model_phase *)at);
        break;
    case JSON_BOTTLENECK:
        *(enum model_bottleneck *)at =
            word_of(value, model_bottleneck_word, MODEL_BOTTLENECKS, *(enum model_bottleneck *)at);
        break;
    case JSON_MAP:
        take_map(value, (uint8_t *)at, f->len);
        break;
    }
}

/* A field that is missing stays as it is, but for the quiet ones: those are missing because they are zero. */
static void take_fields(json_object *o, const struct json_field *fields, void *of)
{
    for (const struct json_field *f = fields; f->name; f++) {
        json_object *value = NULL;
        if (json_object_object_get_ex(o, f->name, &value))
            take(f, value, (char *)of + f->offset);
        else if (f->is_quiet)
            memset((char *)of + f->offset, 0, f->len);
    }
}

/* ---- rows ---- */

static struct model_drive *row_of(struct replay *r, json_object *o, bool may_add)
{
    const char *id = text_in(o, "id");
    char name[MODEL_NAME_LEN];
    if (!id)
        return NULL;
    text_copy(name, sizeof name, id);
    struct model_drive *row = model_find_drive(&r->m, name);
    return row || !may_add || r->m.n_drives >= REPLAY_MAX_ROWS ? row : model_add_drive(&r->m, name);
}

static json_object *device_at(json_object *o, size_t i)
{
    json_object *devices = member(o, "devices");
    if (!json_object_is_type(devices, json_type_array) || i >= json_object_array_length(devices))
        return NULL;
    return json_object_array_get_idx(devices, i);
}

static void take_planned(struct replay *r, json_object *o)
{
    json_object *device;
    for (size_t i = 0; (device = device_at(o, i)); i++) {
        struct model_drive *row = row_of(r, device, true);
        if (!row)
            continue;
        row->is_vmstate = g_strcmp0(text_in(device, "kind"), "vmstate") == 0;
        take_fields(device, json_planned_fields, row);
        if (!row->is_included)
            row->state = MODEL_SKIPPED;
        else if (row->state == MODEL_SKIPPED)
            row->state = MODEL_WAIT;
    }
}

static void take_rows(struct replay *r, json_object *o)
{
    json_object *device;
    for (size_t i = 0; (device = device_at(o, i)); i++) {
        struct model_drive *row = row_of(r, device, false);
        if (row)
            take_fields(device, json_row_fields, row);
    }
}

/* ---- events ---- */

static void on_hello(struct replay *r, json_object *o, struct model_event *e)
{
    const char *job = text_in(o, "job");
    model_clear(&r->m);
    text_copy(r->job, sizeof r->job, job ? job : "");
}

static void on_guest(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_guest_fields, &r->m);
}

static void on_plan(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_plan_fields, &r->m);
    take_planned(r, o);
}

static void take_checks(struct replay *r, json_object *checks)
{
    size_t n = json_object_is_type(checks, json_type_array) ? json_object_array_length(checks) : 0;
    r->m.link.n_checks = (unsigned)MIN(n, MODEL_MAX_CHECKS);
    for (unsigned i = 0; i < r->m.link.n_checks; i++) {
        json_object *check = json_object_array_get_idx(checks, i);
        const char *text = text_in(check, "text");
        r->m.link.checks[i].state = word_of(member(check, "state"), model_state_word, MODEL_STATES, MODEL_WAIT);
        text_copy(r->m.link.checks[i].text, sizeof r->m.link.checks[i].text, text ? text : "");
    }
}

static void on_phase(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_phase_fields, &r->m);
    if (r->m.phase == MODEL_CONNECT_FAILED)
        take_fields(o, json_failure_fields, &r->m);
    if (r->m.phase <= MODEL_CONNECT_FAILED)
        take_checks(r, member(o, "checks"));
}

static void on_drive(struct replay *r, json_object *o, struct model_event *e)
{
    struct model_drive *row = row_of(r, o, false);
    if (!row)
        return;
    take_fields(o, json_row_fields, row);
    e->drive = (int)(row - r->m.drives);
}

static void on_progress(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_progress_fields, &r->m);
    take_rows(r, o);
}

static void on_impact(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_impact_fields, &r->m);
}

static void on_limit(struct replay *r, json_object *o, struct model_event *e)
{
    const struct model_drive *row = row_of(r, o, false);
    const char *by = text_in(o, "by");
    e->drive = row ? (int)(row - r->m.drives) : -1;
    e->old_value = number_of(member(o, "old"), 0);
    e->new_value = number_of(member(o, "new"), 0);
    text_copy(r->text, sizeof r->text, by ? by : "");
    e->text = r->text;
}

static void on_log(struct replay *r, json_object *o, struct model_event *e)
{
    const char *text = text_in(o, "text"), *hint = text_in(o, "hint");
    const struct model_drive *row = row_of(r, o, false);
    int64_t when_s = r->when_us / G_USEC_PER_SEC;
    e->level = word_of(member(o, "level"), model_level_word, MODEL_HINT + 1, MODEL_INFO);
    e->drive = row ? (int)(row - r->m.drives) : -1;
    text_copy(r->text, sizeof r->text, text ? text : "");
    text_copy(r->hint, sizeof r->hint, hint ? hint : "");
    e->text = r->text;
    e->hint = *r->hint ? r->hint : NULL;
    model_log(&r->m, e->level, when_s, "%s", r->text);
    if (e->hint)
        model_log(&r->m, MODEL_HINT, when_s, "%s", r->hint);
}

static void on_reply(struct replay *r, json_object *o, struct model_event *e)
{
    const char *text = text_in(o, "text");
    e->id = (int64_t)MIN(number_of(member(o, "id"), G_MAXINT64), G_MAXINT64);
    e->id = e->id == G_MAXINT64 ? -1 : e->id;
    e->ok = json_object_get_boolean(member(o, "ok"));
    g_free(r->answer);
    e->text = r->answer = text_make_lines_safe(text);
}

static void on_result(struct replay *r, json_object *o, struct model_event *e)
{
    take_fields(o, json_progress_fields, &r->m);
    take_fields(o, json_result_fields, &r->m);
    take_rows(r, o);
    r->m.phase = MODEL_DONE;
}

static const struct {
    const char *word;
    enum model_event_type type;
    void (*take)(struct replay *r, json_object *o, struct model_event *e);
} kinds[] = {
    {"progress", MODEL_EV_PROGRESS, on_progress},
    {"drive", MODEL_EV_DRIVE, on_drive},
    {"log", MODEL_EV_LOG, on_log},
    {"error", MODEL_EV_LOG, on_log},
    {"note", MODEL_EV_NOTE, on_log},
    {"phase", MODEL_EV_PHASE, on_phase},
    {"impact", MODEL_EV_IMPACT, on_impact},
    {"limit", MODEL_EV_LIMIT, on_limit},
    {"guest", MODEL_EV_GUEST, on_guest},
    {"plan", MODEL_EV_PLAN, on_plan},
    {"hello", MODEL_EV_HELLO, on_hello},
    {"reply", MODEL_EV_REPLY, on_reply},
    {"result", MODEL_EV_RESULT, on_result},
};

/* ---- the line ---- */

static int64_t time_of(json_object *o)
{
    const char *text = text_in(o, "ts");
    g_autoptr(GDateTime) when = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;
    return when ? g_date_time_to_unix(when) * G_USEC_PER_SEC + g_date_time_get_microsecond(when) : 0;
}

int64_t replay_time_of(const char *line, size_t len)
{
    g_autoptr(json_object) o = len <= REPLAY_MAX_LINE ? json_line_parse(line, len, MAX_DEPTH) : NULL;
    return o ? time_of(o) : 0;
}

enum replay_result replay_line(struct replay *r, const char *line, size_t len, struct model_event *e, GError **error)
{
    g_autoptr(json_object) o = len <= REPLAY_MAX_LINE ? json_line_parse(line, len, MAX_DEPTH) : NULL;
    const char *word = o ? text_in(o, "ev") : NULL;
    if (!word) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "event stream: %s",
                    !o ? "a line is no JSON object" : "a line has no \"ev\"");
        return REPLAY_BROKEN;
    }
    r->when_us = time_of(o);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_equal(kinds[i].word, word))
            continue;
        *e = (struct model_event){.type = kinds[i].type, .drive = -1, .id = -1};
        kinds[i].take(r, o, e);
        return REPLAY_EVENT;
    }
    return REPLAY_IGNORED;
}
