// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/json.h"

#include <json-c/json.h>

#include "base/error.h"
#include "base/text.h"

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

/* ---- members ---- */

/* NULL is null. json-c escapes what JSON wants escaped, but takes any bytes: those are made UTF-8 here. */
static void put_text(json_object *o, const char *name, const char *text)
{
    g_autofree char *safe = text_make_safe(text);
    json_object_object_add(o, name, safe ? json_object_new_string(safe) : NULL);
}

/* The same for a field of the model, where empty means unknown. */
static void put_field(json_object *o, const char *name, const char *field)
{
    put_text(o, name, *field ? field : NULL);
}

static void put_number(json_object *o, const char *name, uint64_t value)
{
    json_object_object_add(o, name, value == MODEL_UNKNOWN ? NULL : json_object_new_uint64(value));
}

static void put_bool(json_object *o, const char *name, bool value)
{
    json_object_object_add(o, name, json_object_new_boolean(value));
}

static void put_state(json_object *o, enum model_state state)
{
    g_autofree char *lower = g_ascii_strdown(model_state_word(state), -1);
    put_text(o, "state", lower); /* "fail": capitals are for eyes */
}

static void put_id(json_object *o, const struct model *m, int drive)
{
    put_text(o, "id", drive >= 0 ? m->drives[drive].name : NULL);
}

/* ---- events: each adds what is its own ---- */

static void add_hello(json_object *o, const struct json_stream *s)
{
    put_text(o, "program", s->program);
    put_text(o, "version", VMB_VERSION);
    put_text(o, "job", s->job);
}

static void add_guest(json_object *o, const struct model *m)
{
    put_field(o, "name", m->guest);
    put_field(o, "state", m->guest_state);
    put_field(o, "qemu", m->qemu);
    put_field(o, "socket", m->monitor);
    put_bool(o, "lost", m->is_monitor_lost);
}

static json_object *planned_device(const struct model_drive *d)
{
    json_object *o = json_object_new_object();
    put_text(o, "id", d->name);
    put_text(o, "kind", d->is_vmstate ? "vmstate" : "drive");
    put_field(o, "node", d->node);
    put_field(o, "format", d->format);
    put_number(o, "size", d->size);
    put_number(o, "used", d->used);
    put_bool(o, "included", d->is_included);
    put_bool(o, "guarded", d->is_guarded);
    put_number(o, "limit", d->limit);
    put_field(o, "note", d->note);
    return o;
}

static void add_plan(json_object *o, const struct model *m)
{
    json_object *devices = json_object_new_array();
    put_field(o, "sink", m->target);
    put_field(o, "recipe", m->recipe);
    put_number(o, "total", m->total);
    put_number(o, "free", m->free_bytes);
    put_field(o, "same_as", m->same_as);
    for (unsigned i = 0; i < m->n_drives; i++)
        json_object_array_add(devices, planned_device(&m->drives[i]));
    json_object_object_add(o, "devices", devices);
}

static void add_phase(json_object *o, const struct model *m)
{
    put_text(o, "phase", model_phase_word(m->phase));
    put_number(o, "pause_ms", m->pause_ms);
    if (m->phase != MODEL_CONNECT_FAILED)
        return;
    put_field(o, "text", m->failure);
    put_field(o, "hint", m->advice);
    put_number(o, "attempt", m->attempt);
    put_number(o, "retry_in_ms", m->retry_in_ms);
}

/* What moves of a row; the same in "drive" and in "progress". */
static void add_row(json_object *o, const struct model_drive *d)
{
    put_text(o, "id", d->name);
    put_state(o, d->state);
    put_number(o, "size", d->size);
    put_number(o, "done", d->done);
    put_number(o, "zero", d->zero);
    put_number(o, "rate", d->rate);
    put_number(o, "limit", d->limit);
    put_bool(o, "binding", d->is_limit_binding);
    put_text(o, "paused_by",
             d->is_paused_by_operator ? "operator"
             : d->is_paused_by_target ? "target"
                                      : NULL);
    put_number(o, "eta_ms", d->eta_ms);
    put_number(o, "stalled_ms", d->stalled_ms);
    put_number(o, "retries", d->retries);
}

static void add_drive(json_object *o, const struct model *m, int drive)
{
    if (drive < 0)
        return;
    const struct model_drive *d = &m->drives[drive];
    add_row(o, d);
    put_number(o, "average", d->average);
    put_number(o, "peak", d->peak);
    put_number(o, "elapsed_ms", d->elapsed_ms);
    put_field(o, "note", d->note);
}

static void add_progress(json_object *o, const struct model *m)
{
    json_object *devices = json_object_new_array();
    put_text(o, "phase", model_phase_word(m->phase));
    put_number(o, "done", m->done);
    put_number(o, "total", m->total);
    put_number(o, "zero", m->zero);
    put_number(o, "in_rate", m->in_rate);
    put_number(o, "out_rate", m->out_rate);
    put_number(o, "written", m->written);
    put_number(o, "free", m->free_bytes);
    put_number(o, "need", m->need_bytes);
    put_bool(o, "target_full", m->is_target_full);
    put_number(o, "spool_used", m->spool_used);
    put_number(o, "spool_size", m->spool_size);
    put_number(o, "elapsed_ms", m->elapsed_ms);
    put_number(o, "eta_ms", m->eta_ms);
    put_number(o, "data_age_ms", m->data_age_ms);
    put_text(o, "bottleneck", model_bottleneck_word(m->bottleneck));
    for (unsigned i = 0; i < m->n_drives; i++) {
        if (!m->drives[i].is_included)
            continue;
        json_object *device = json_object_new_object();
        add_row(device, &m->drives[i]);
        json_object_array_add(devices, device);
    }
    json_object_object_add(o, "devices", devices);
}

static void put_ms(json_object *o, const char *name, uint64_t us)
{
    json_object_object_add(o, name, us == MODEL_UNKNOWN ? NULL : json_object_new_double((double)us / 1000));
}

static void add_impact(json_object *o, const struct model *m)
{
    put_ms(o, "write_ms", m->impact.write_us);
    put_ms(o, "base_ms", m->impact.base_us);
    put_ms(o, "p99_ms", m->impact.p99_us);
    put_number(o, "stalls", m->impact.stalls);
    put_bool(o, "slowing", m->impact.is_slowing);
}

static void add_limit(json_object *o, const struct model *m, const struct model_event *e)
{
    put_id(o, m, e->drive); /* null = all */
    put_number(o, "old", e->old_value);
    put_number(o, "new", e->new_value);
    put_text(o, "by", e->text);
}

static const char *level_word(enum model_level level)
{
    static const char *const words[] = {
        [MODEL_INFO] = "info", [MODEL_WARNING] = "warning", [MODEL_ERROR] = "error", [MODEL_HINT] = "hint"};
    return words[level];
}

static void add_log(json_object *o, const struct model *m, const struct model_event *e)
{
    put_id(o, m, e->drive);
    put_text(o, "level", level_word(e->level));
    put_text(o, "text", e->text);
    put_text(o, "hint", e->hint);
}

static void add_reply(json_object *o, const struct model_event *e)
{
    json_object_object_add(o, "id", e->id >= 0 ? json_object_new_int64(e->id) : NULL);
    put_bool(o, "ok", e->ok);
    put_text(o, "text", e->text);
}

static const char *result_word(int exit_status)
{
    switch (exit_status) {
    case 0:
        return "ok";
    case VMB_ERROR_INCOMPLETE:
        return "incomplete";
    case VMB_ERROR_CANCELLED:
        return "cancelled";
    case VMB_ERROR_DAMAGED:
        return "damaged";
    default:
        return exit_status > 128 ? "cancelled" : "failed";
    }
}

static void add_result(json_object *o, const struct model *m)
{
    json_object *missing = json_object_new_array();
    put_text(o, "status", result_word(m->exit_status));
    json_object_object_add(o, "exit", json_object_new_int(m->exit_status));
    put_field(o, "text", m->outcome);
    put_field(o, "hint", m->next);
    put_field(o, "sink", m->target);
    put_number(o, "bytes", m->archive_bytes);
    put_number(o, "elapsed_ms", m->elapsed_ms);
    put_number(o, "pause_ms", m->pause_ms);
    put_bool(o, "verified", m->is_verified);
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (d->is_included && d->state != MODEL_OK && d->state != MODEL_WARN)
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
        [MODEL_EV_IMPACT] = "impact",
        [MODEL_EV_RESULT] = "result",
    };
    return e->type == MODEL_EV_LOG && e->level == MODEL_ERROR ? "error" : words[e->type];
}

static void put_time(json_object *o, int64_t now_us)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);
    g_autofree char *seconds = when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : NULL;
    g_autofree char *text =
        seconds ? g_strdup_printf("%s.%03dZ", seconds, (int)(now_us / 1000 % 1000)) : NULL;
    put_text(o, "ts", text);
}

static void add_own(json_object *o, const struct json_stream *s, const struct model *m,
                    const struct model_event *e)
{
    switch (e->type) {
    case MODEL_EV_HELLO:
        add_hello(o, s);
        break;
    case MODEL_EV_GUEST:
        add_guest(o, m);
        break;
    case MODEL_EV_PLAN:
        add_plan(o, m);
        break;
    case MODEL_EV_PHASE:
        add_phase(o, m);
        break;
    case MODEL_EV_DRIVE:
        add_drive(o, m, e->drive);
        break;
    case MODEL_EV_PROGRESS:
        add_progress(o, m);
        break;
    case MODEL_EV_IMPACT:
        add_impact(o, m);
        break;
    case MODEL_EV_LIMIT:
        add_limit(o, m, e);
        break;
    case MODEL_EV_LOG:
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

char *json_stream_event(struct json_stream *s, const struct model *m, const struct model_event *e,
                        int64_t now_us)
{
    json_object *o = json_object_new_object();
    g_assert(e->drive < (int)m->n_drives);
    put_number(o, "v", FORMAT_VERSION);
    put_number(o, "seq", ++s->seq);
    put_time(o, now_us);
    put_text(o, "ev", event_word(e));
    add_own(o, s, m, e);
    char *line = g_strconcat(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), "\n",
        NULL);
    json_object_put(o);
    return line;
}
