// SPDX-License-Identifier: GPL-2.0-or-later
#include <json-c/json.h>
#include <string.h>

#include "model/json.h"
#include "unit/model_fixture.h"

struct fixture {
    struct model m;
    struct json_stream *s;
    json_object *line; /* the last one, parsed */
};

static void fixture_up(struct fixture *f, gconstpointer data)
{
    make_model(&f->m);
    f->s = json_stream_new("vmabackup", "b7c1");
}

static void fixture_down(struct fixture *f, gconstpointer data)
{
    json_object_put(f->line);
    json_stream_free(f->s);
    model_clear(&f->m);
}

/* Takes one event through; what comes must be one line and one object. */
static json_object *event(struct fixture *f, struct model_event e)
{
    g_autofree char *text = json_stream_event(f->s, &f->m, &e, NOW_S * G_USEC_PER_SEC + 101999);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_cmpuint(strcspn(text, "\n"), ==, strlen(text) - 1);
    json_object_put(f->line);
    f->line = json_tokener_parse(text);
    g_assert_true(json_object_is_type(f->line, json_type_object));
    return f->line;
}

static json_object *get(json_object *o, const char *name)
{
    json_object *value;
    if (!json_object_object_get_ex(o, name, &value))
        g_error("no \"%s\" in %s", name, json_object_to_json_string(o));
    return value;
}

static void assert_text(json_object *o, const char *name, const char *want)
{
    g_assert_cmpstr(json_object_get_string(get(o, name)), ==, want);
}

static void assert_number(json_object *o, const char *name, uint64_t want)
{
    g_assert_true(json_object_is_type(get(o, name), json_type_int));
    g_assert_cmpuint(json_object_get_uint64(get(o, name)), ==, want);
}

static json_object *device(json_object *o, unsigned i)
{
    return json_object_array_get_idx(get(o, "devices"), i);
}

/* Byte for byte: this is what other people's programs read. */
static void test_golden(struct fixture *f, gconstpointer data)
{
    struct model_event hello = {.type = MODEL_EV_HELLO, .drive = -1};
    struct model_event guest = {.type = MODEL_EV_GUEST, .drive = -1};
    struct model_event limit = {
        .type = MODEL_EV_LIMIT, .drive = SCSI0, .old_value = 209715200, .new_value = 125829120, .text = "operator"};
    g_autofree char *one = json_stream_event(f->s, &f->m, &hello, NOW_S * G_USEC_PER_SEC + 101000);
    g_autofree char *two = json_stream_event(f->s, &f->m, &guest, NOW_S * G_USEC_PER_SEC);
    g_autofree char *three = json_stream_event(f->s, &f->m, &limit, NOW_S * G_USEC_PER_SEC + 999999);
    g_assert_cmpstr(one, ==,
                    "{\"v\":1,\"seq\":1,\"ts\":\"2026-11-22T11:29:26.101Z\",\"ev\":\"hello\",\"program\":\"vmabackup\","
                    "\"version\":\"" VMB_VERSION "\",\"job\":\"b7c1\"}\n");
    g_assert_cmpstr(two, ==,
                    "{\"v\":1,\"seq\":2,\"ts\":\"2026-11-22T11:29:26.000Z\",\"ev\":\"guest\",\"name\":\"web-01\","
                    "\"state\":\"running\",\"qemu\":\"8.2.2\",\"socket\":\"/tmp/monitor.sock\",\"lost\":false}\n");
    g_assert_cmpstr(three, ==,
                    "{\"v\":1,\"seq\":3,\"ts\":\"2026-11-22T11:29:26.999Z\",\"ev\":\"limit\",\"id\":\"scsi0\","
                    "\"old\":209715200,\"new\":125829120,\"by\":\"operator\"}\n");
}

static void test_plan(struct fixture *f, gconstpointer data)
{
    json_object *o = event(f, (struct model_event){.type = MODEL_EV_PLAN, .drive = -1});
    assert_text(o, "ev", "plan");
    assert_text(o, "sink", "/mnt/bk/web-01.vma.zst");
    assert_number(o, "total", 96 * GIB);
    g_assert_null(get(o, "free")); /* unknown */
    g_assert_cmpuint(json_object_array_length(get(o, "devices")), ==, 4);
    assert_text(device(o, VMSTATE), "kind", "vmstate");
    assert_text(device(o, SCSI0), "kind", "drive");
    assert_number(device(o, SCSI0), "size", 64 * GIB);
    assert_number(device(o, SCSI0), "limit", 120 * MIB);
    g_assert_true(json_object_get_boolean(get(device(o, SCSI0), "included")));
    g_assert_false(json_object_get_boolean(get(device(o, CDROM), "included")));
    g_assert_false(json_object_object_get_ex(o, "engine", NULL)); /* there is no choice */
    model_set(f->m.engine.word, "pull");
    model_set(f->m.drives[SCSI0].engine, "pull");
    o = event(f, (struct model_event){.type = MODEL_EV_PLAN, .drive = -1});
    assert_text(o, "engine", "pull");
    assert_text(device(o, SCSI0), "engine", "pull");
    g_assert_false(json_object_object_get_ex(device(o, VMSTATE), "engine", NULL));
}

static void test_progress(struct fixture *f, gconstpointer data)
{
    f->m.drives[SCSI0].paused.by_target = true;
    json_object *o = event(f, (struct model_event){.type = MODEL_EV_PROGRESS, .drive = -1});
    assert_text(o, "ev", "progress");
    assert_text(o, "phase", "copy");
    assert_text(o, "bottleneck", "source");
    assert_number(o, "done", 25 * GIB);
    assert_number(o, "eta_ms", 1080000);
    g_assert_cmpuint(json_object_array_length(get(o, "devices")), ==, 3); /* only what is included */
    assert_text(device(o, VIRTIO4), "state", "fail");
    g_assert_null(get(device(o, SCSI0), "eta_ms"));
    assert_text(device(o, SCSI0), "paused_by", "target");
    g_assert_true(json_object_get_boolean(get(device(o, SCSI0), "binding")));
}

static void test_drive(struct fixture *f, gconstpointer data)
{
    json_object *o = event(f, (struct model_event){.type = MODEL_EV_DRIVE, .drive = VIRTIO4});
    assert_text(o, "ev", "drive");
    assert_text(o, "id", "virtio4");
    assert_text(o, "state", "fail");
    assert_text(o, "note", "Input/output error");
    assert_number(o, "done", 13 * GIB);
}

static void test_phase(struct fixture *f, gconstpointer data)
{
    json_object *o = event(f, (struct model_event){.type = MODEL_EV_PHASE, .drive = -1});
    assert_text(o, "phase", "copy");
    assert_number(o, "pause_ms", 38);
    f->m.phase = MODEL_CONNECT_FAILED;
    model_set(f->m.link.failure, "no such file");
    o = event(f, (struct model_event){.type = MODEL_EV_PHASE, .drive = -1});
    assert_text(o, "text", "no such file");
}

/* Whatever a guest or QEMU says, a line stays a line and JSON. */
static void test_hostile_text(struct fixture *f, gconstpointer data)
{
    struct model_event e = {.type = MODEL_EV_LOG,
                            .drive = VIRTIO4,
                            .level = MODEL_ERROR,
                            .text = "a\"b\\c\n{\"ev\":\"result\"}\xff\033\xe2\x80\xa8/d",
                            .hint = "grün"};
    json_object *o = event(f, e);
    assert_text(o, "ev", "error");
    assert_text(o, "id", "virtio4");
    assert_text(o, "text",
                "a\"b\\c?{\"ev\":\"result\"}??"
                "?/d");
    assert_text(o, "hint", "grün");
    e = (struct model_event){.type = MODEL_EV_LOG, .drive = -1, .level = MODEL_WARNING, .text = "slow"};
    o = event(f, e);
    assert_text(o, "ev", "log");
    assert_text(o, "level", "warning");
    g_assert_null(get(o, "id"));
    g_assert_null(get(o, "hint"));
}

static void test_reply(struct fixture *f, gconstpointer data)
{
    json_object *o = event(f, (struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .id = 7, .ok = true});
    assert_number(o, "id", 7);
    g_assert_true(json_object_get_boolean(get(o, "ok")));
    o = event(f, (struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .id = -1, .text = "no"});
    g_assert_null(get(o, "id"));
    g_assert_false(json_object_get_boolean(get(o, "ok")));
    assert_text(o, "text", "no");
    o = event(f, (struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .id = -1, .text = "a\n\033b\n"});
    assert_text(o, "text", "a\n?b\n");
}

/* As people write them. */
static void test_milliseconds(struct fixture *f, gconstpointer data)
{
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {{793, "\"write_ms\":0.793,"},
                 {7000, "\"write_ms\":7,"},
                 {0, "\"write_ms\":0,"},
                 {MODEL_UNKNOWN, "\"write_ms\":null,"},
                 {12345678900, "\"write_ms\":12345678.9,"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct model_event impact = {.type = MODEL_EV_IMPACT, .drive = -1};
        f->m.impact.write_us = cases[i].us;
        g_autofree char *line = json_stream_event(f->s, &f->m, &impact, 0);
        g_assert_nonnull(strstr(line, cases[i].text));
    }
}

static void test_result(struct fixture *f, gconstpointer data)
{
    static const struct {
        int exit_status;
        const char *word;
    } results[] = {{0, "ok"},     {1, "failed"},  {3, "incomplete"}, {4, "cancelled"},
                   {6, "failed"}, {8, "damaged"}, {130, "cancelled"}};
    f->m.phase = MODEL_DONE;
    f->m.end.archive_bytes = 141 * GIB;
    for (unsigned i = 0; i < G_N_ELEMENTS(results); i++) {
        f->m.end.exit_status = results[i].exit_status;
        json_object *o = event(f, (struct model_event){.type = MODEL_EV_RESULT, .drive = -1});
        assert_text(o, "status", results[i].word);
        assert_number(o, "exit", (uint64_t)results[i].exit_status);
        assert_number(o, "bytes", 141 * GIB);
        assert_number(o, "seq", i + 1);
        assert_text(o, "missing", "[ \"scsi0\", \"virtio4\" ]");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/json/" name, struct fixture, NULL, fixture_up, function, fixture_down)
    ADD("golden", test_golden);
    ADD("milliseconds", test_milliseconds);
    ADD("plan", test_plan);
    ADD("progress", test_progress);
    ADD("drive", test_drive);
    ADD("phase", test_phase);
    ADD("hostile-text", test_hostile_text);
    ADD("reply", test_reply);
    ADD("result", test_result);
    return g_test_run();
}
