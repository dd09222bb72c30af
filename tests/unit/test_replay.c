// SPDX-License-Identifier: GPL-2.0-or-later
/* What json.c writes, replay.c reads: the model at the end is the one at the beginning, whatever comes
 * between. */
#include <string.h>

#include "base/error.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/replay.h"
#include "unit/model_fixture.h"

/* ---- a model with a value of its own in every member ---- */

static void fill_row(struct model_drive *d, unsigned salt)
{
    model_set(d->node, "node%u", salt);
    model_set(d->format, "qcow2");
    model_set(d->note, "note %u", salt);
    d->is_included = d->is_guarded = true;
    d->state = MODEL_RETRY;
    d->size = 64 * GIB + salt;
    d->used = 40 * GIB + salt;
    d->done = 30 * GIB + salt;
    d->zero = 10 * GIB + salt;
    d->rate = 118 * MIB + salt;
    d->data_rate = 117 * MIB + salt;
    d->average = 101 * MIB + salt;
    d->peak = 203 * MIB + salt;
    d->limit = 120 * MIB + salt;
    d->limit_wanted = 130 * MIB + salt;
    d->is_limit_shared = d->is_limit_binding = d->is_slowed = true;
    d->paused.by_operator = d->paused.by_target = true;
    d->eta_ms = 214000 + salt;
    d->elapsed_ms = 399000 + salt;
    d->stalled_ms = 14000 + salt;
    d->retries = 2 + salt;
    d->retry_in_ms = 24000 + salt;
    d->instant_us = NOW_S * G_USEC_PER_SEC + salt;
    d->is_instant_own = d->keeps_instant = d->may_retry = true;
    d->filter.bytes = 7 * MIB + salt;
    d->filter.rate = MIB + salt;
    model_set(d->error, "read error %u", salt);
    model_set(d->hint, "r retries %u", salt);
    for (unsigned i = 0; i < MODEL_MAP_CELLS; i++) { /* as coarse as a line is */
        d->map.held[i] = (uint8_t)(i / 4 % 16 * 17);
        d->map.zero[i] = (uint8_t)((i / 4 + salt) % 16 * 17);
    }
}

static void fill_figures(struct model *m)
{
    m->sink.free_bytes = 1239 * GIB;
    m->sink.need_bytes = 111 * GIB;
    m->sink.will_fit = false;
    m->sink.is_full = m->sink.is_pipe = m->link.is_lost = m->end.is_verified = true;
    m->sink.written = 39 * GIB;
    m->sink.packed = 70 * GIB;
    m->sink.spool_used = 150 * MIB;
    m->sink.spool_size = 5 * GIB;
    m->sink.buffers_used = 700;
    m->sink.buffers_total = 768;
    m->sink.no_buffers_ms = 1200;
    m->sink.stuck_ms = 1300;
    m->global_limit = 450 * MIB;
    m->started_s = NOW_S - 700;
    m->elapsed_ms = 761000;
    m->out_rate = 123 * MIB;
    m->zero = 37 * GIB;
    m->link.data_age_ms = 400;
    m->link.retry_in_ms = 3000;
    m->slowest.by = MODEL_BY_CPU;
    for (unsigned i = 0; i < MODEL_BOTTLENECKS; i++)
        m->slowest.ms[i] = 1000 + i;
    m->level = 7;
    m->retries = 4;
    m->is_strict = m->wants_vmstate = true;
    m->impact = (struct model_impact){.write_us = 1800,
                                      .base_us = 900,
                                      .p99_us = 7250,
                                      .stalls = 3,
                                      .is_slowing = true,
                                      .ceiling = 80 * MIB,
                                      .held_back_ms = 4000};
    m->left.n = 2;
    m->end.archive_bytes = 141 * GIB;
    m->end.exit_status = 3;
}

static void make_full_model(struct model *m)
{
    make_model(m);
    for (unsigned i = 0; i < m->n_drives; i++)
        fill_row(&m->drives[i], i + 1);
    fill_figures(m);
    model_set(m->same_as, "vmabackup backup -o x /tmp/monitor.sock");
    model_set(m->compression, "zstd:3");
    model_set(m->left.what, "1 node, the guest stopped");
    model_set(m->agent, "frozen 38ms");
    model_set(m->end.outcome, "3 of 4 saved");
    model_set(m->end.next, "look at the host's disk");
    model_log(m, MODEL_INFO, NOW_S - 10, "connected");
    model_log(m, MODEL_ERROR, NOW_S - 5, "virtio4 read error");
    model_log(m, MODEL_HINT, NOW_S - 5, "r retries it");
    model_log(m, MODEL_WARNING, NOW_S, "slow target");
    m->phase = MODEL_DONE;
}

/* ---- comparing ---- */

/* Says where they part: a member that no line carries. */
static void assert_bytes(const void *is, const void *want, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const char *)is)[i] != ((const char *)want)[i])
            g_error("byte %zu of %zu is another", i, len);
}

/* What stands behind the end of a text is nobody's business. */
static void wipe_tails(const struct json_field *fields, void *of)
{
    for (const struct json_field *f = fields; f->name; f++)
        if (f->kind == JSON_TEXT) {
            char *text = (char *)of + f->offset;
            size_t used = strlen(text);
            memset(text + used, 0, f->len - used);
        }
}

static void wipe_row(struct model_drive *d)
{
    wipe_tails(json_planned_fields, d);
    wipe_tails(json_row_fields, d);
}

static void assert_same(const struct model *is, const struct model *want)
{
    struct model a = *is, b = *want;
    g_assert_cmpuint(is->n_drives, ==, want->n_drives);
    for (unsigned i = 0; i < is->n_drives; i++) {
        g_assert_cmpstr(is->drives[i].name, ==, want->drives[i].name);
        struct model_drive row = is->drives[i], wanted = want->drives[i];
        wipe_row(&row);
        wipe_row(&wanted);
        assert_bytes(&row, &wanted, sizeof row);
    }
    g_assert_cmpuint(is->n_log, ==, want->n_log);
    for (unsigned i = 0; i < is->n_log; i++) {
        g_assert_cmpstr(is->log[i].text, ==, want->log[i].text);
        g_assert_cmpint(is->log[i].level, ==, want->log[i].level);
        g_assert_cmpint(is->log[i].when_s, ==, want->log[i].when_s);
    }
    a.drives = b.drives = NULL;
    a.log = b.log = NULL;
    wipe_tails(json_result_fields, &a);
    wipe_tails(json_result_fields, &b);
    assert_bytes(&a, &b, sizeof a);
}

static enum replay_result feed(struct replay *r, const char *lines, struct model_event *e)
{
    g_auto(GStrv) all = g_strsplit(lines, "\n", -1);
    enum replay_result last = REPLAY_IGNORED;
    for (unsigned i = 0; all[i] && *all[i]; i++) {
        g_autoptr(GError) error = NULL;
        last = replay_line(r, all[i], strlen(all[i]), e, &error);
        g_assert_no_error(error);
    }
    return last;
}

/* Who comes late is told everything. */
static void test_state(void)
{
    struct model m;
    struct model_event e;
    make_full_model(&m);
    struct json_stream *s = json_stream_new("vmabackup", "b7c1");
    g_autofree char *lines = json_stream_state(s, &m, NOW_S * G_USEC_PER_SEC);
    struct replay *r = replay_new();
    g_assert_cmpint(feed(r, lines, &e), ==, REPLAY_EVENT);
    g_assert_cmpint(e.type, ==, MODEL_EV_RESULT);
    g_assert_cmpstr(replay_job(r), ==, "b7c1");
    assert_same(replay_model(r), &m);
    feed(r, lines, &e); /* a second hello: nothing is there twice */
    assert_same(replay_model(r), &m);
    replay_free(r);
    json_stream_free(s);
    model_clear(&m);
}

#define SPAN(type, member)                                                                                             \
    {                                                                                                                  \
        offsetof(struct type, member), sizeof(((struct type *)0)->member)                                              \
    }
struct span {
    size_t offset, len;
};

static void cover(bool *is_told, const struct json_field *fields)
{
    for (const struct json_field *f = fields; f->name; f++)
        memset(is_told + f->offset, true, f->len);
}

/* Eight bytes in a row that no line tells are no padding. */
static void assert_covered(const char *type, const bool *is_told, size_t len)
{
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        run = is_told[i] ? 0 : run + 1;
        if (run == 8)
            g_error("struct %s: what stands at offset %zu is in no line: add it to json_fields.c", type, i - 7);
    }
}

/* Whoever adds a member to the model is told to add it to the lines. */
static void test_coverage(void)
{
    static const struct json_field *const of_model[] = {json_guest_fields,   json_plan_fields,     json_phase_fields,
                                                        json_failure_fields, json_progress_fields, json_impact_fields,
                                                        json_result_fields};
    static const struct span by_hand[] = {
        SPAN(model, link.checks), SPAN(model, link.n_checks), SPAN(model, drives),   SPAN(model, n_drives),
        SPAN(model, log),         SPAN(model, n_log),         SPAN(model, n_errors), SPAN(model, n_warnings),
        SPAN(model, link.nearby), SPAN(model, link.n_nearby), /* only who can connect elsewhere wants to know */
    };
    bool model[sizeof(struct model)] = {false}, row[sizeof(struct model_drive)] = {false};
    for (unsigned i = 0; i < G_N_ELEMENTS(of_model); i++)
        cover(model, of_model[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(by_hand); i++)
        memset(model + by_hand[i].offset, true, by_hand[i].len);
    assert_covered("model", model, sizeof model);
    memset(row, true, MODEL_NAME_LEN);
    cover(row, json_planned_fields);
    cover(row, json_row_fields);
    assert_covered("model_drive", row, sizeof row);
}

/* A drive that ends well between two events: what it had to say of its trouble is gone again. */
static void test_course(void)
{
    struct model m;
    struct model_event e;
    make_full_model(&m);
    m.phase = MODEL_COPY;
    struct json_stream *s = json_stream_new("vmabackup", "b7c1");
    struct replay *r = replay_new();
    g_autofree char *lines = json_stream_state(s, &m, NOW_S * G_USEC_PER_SEC);
    feed(r, lines, &e);
    struct model_drive *d = &m.drives[SCSI0];
    d->state = MODEL_OK;
    d->error[0] = d->hint[0] = d->note[0] = '\0';
    d->is_slowed = d->may_retry = false;
    d->filter.rate = 0;
    memset(d->map.held, 255, sizeof d->map.held);
    struct model_event drive = {.type = MODEL_EV_DRIVE, .drive = SCSI0};
    g_autofree char *second = json_stream_event(s, &m, &drive, NOW_S * G_USEC_PER_SEC + 500000);
    feed(r, second, &e);
    g_assert_cmpint(e.type, ==, MODEL_EV_DRIVE);
    g_assert_cmpint(e.drive, ==, SCSI0);
    g_assert_cmpint(replay_when_us(r), ==, NOW_S * G_USEC_PER_SEC + 500000);
    m.end.exit_status = 0; /* only a result tells the outcome */
    m.end.outcome[0] = m.end.next[0] = '\0';
    m.end.archive_bytes = 0;
    m.end.is_verified = false;
    assert_same(replay_model(r), &m);
    replay_free(r);
    json_stream_free(s);
    model_clear(&m);
}

/* What is left out of the plan, and taken into it again. */
static void test_left_out(void)
{
    struct model m;
    struct model_event e, plan = {.type = MODEL_EV_PLAN, .drive = -1};
    make_model(&m);
    struct json_stream *s = json_stream_new("vmabackup", "b7c1");
    struct replay *r = replay_new();
    for (int is_included = 0; is_included < 2; is_included++) {
        m.drives[SCSI0].is_included = is_included;
        g_autofree char *line = json_stream_event(s, &m, &plan, 0);
        feed(r, line, &e);
        g_assert_cmpint(replay_model(r)->drives[SCSI0].state, ==, is_included ? MODEL_WAIT : MODEL_SKIPPED);
    }
    replay_free(r);
    json_stream_free(s);
    model_clear(&m);
}

/* The diagnosis of a connect, and events that are no state. */
static void test_events(void)
{
    struct model m;
    struct model_event e;
    make_model(&m);
    struct json_stream *s = json_stream_new("vmabackup", "b7c1");
    struct replay *r = replay_new();
    g_autofree char *lines = json_stream_state(s, &m, NOW_S * G_USEC_PER_SEC);
    feed(r, lines, &e);
    m.phase = MODEL_CONNECT_FAILED;
    m.link.n_checks = 2;
    m.link.checks[1].state = MODEL_FAIL;
    model_set(m.link.checks[1].text, "connect: refused");
    model_set(m.link.failure, "nothing listens there");
    struct model_event events[] = {
        {.type = MODEL_EV_PHASE, .drive = -1},
        {.type = MODEL_EV_LIMIT, .drive = VIRTIO4, .old_value = 5, .new_value = 7, .text = "operator"},
        {.type = MODEL_EV_REPLY, .drive = -1, .id = 7, .ok = true, .text = "so it is\nand so\n"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(events); i++) {
        g_autofree char *line = json_stream_event(s, &m, &events[i], 0);
        g_assert_cmpint(feed(r, line, &e), ==, REPLAY_EVENT);
        g_assert_cmpint(e.type, ==, events[i].type);
        g_assert_cmpint(e.drive, ==, events[i].drive);
        g_assert_cmpstr(e.text, ==, events[i].text);
        g_assert_cmpuint(e.new_value, ==, events[i].new_value);
    }
    g_assert_cmpint(e.id, ==, 7);
    g_assert_true(e.ok);
    g_assert_cmpint(replay_model(r)->link.checks[1].state, ==, MODEL_FAIL);
    g_assert_cmpstr(replay_model(r)->link.checks[1].text, ==, "connect: refused");
    g_assert_cmpstr(replay_model(r)->link.failure, ==, "nothing listens there");
    replay_free(r);
    json_stream_free(s);
    model_clear(&m);
}

static void test_hostile(void)
{
    static const struct {
        const char *line;
        enum replay_result result;
    } lines[] = {
        {"", REPLAY_BROKEN},
        {"{\"ev\":", REPLAY_BROKEN},
        {"[1]", REPLAY_BROKEN},
        {"{\"ev\":7}", REPLAY_BROKEN},
        {"{\"ev\":\"hello\"} {}", REPLAY_BROKEN},
        {"{\"ev\":[[[[[[[[[[]]]]]]]]]]}", REPLAY_BROKEN},
        {"{\"ev\":\"dance\"}", REPLAY_IGNORED},
        {"{\"ev\":\"progress\",\"done\":-1,\"phase\":\"nowhere\",\"bottleneck\":9,\"devices\":{}}", REPLAY_EVENT},
        {"{\"ev\":\"progress\",\"devices\":[null,7,{\"id\":\"nobody\"}]}", REPLAY_EVENT},
        {"{\"ev\":\"plan\",\"devices\":[7,{\"id\":7},{\"id\":\"a\\u001b[2J\"},{\"id\":\"a\\u001b[2J\"}]}",
         REPLAY_EVENT},
        {"{\"ev\":\"drive\",\"id\":\"a?[2J\",\"state\":\"run\",\"map_held\":\"zz\",\"note\":[1]}", REPLAY_EVENT},
        {"{\"ev\":\"drive\",\"id\":\"nobody\"}", REPLAY_EVENT},
        {"{\"ev\":\"impact\",\"write_ms\":-4,\"p99_ms\":1e300,\"stalls\":99999999999999}", REPLAY_EVENT},
        {"{\"ev\":\"phase\",\"phase\":\"unreachable\",\"checks\":[1,2,3,4,5,6,7,8]}", REPLAY_EVENT},
        {"{\"ev\":\"error\",\"ts\":\"nonsense\",\"level\":\"error\",\"text\":null}", REPLAY_EVENT},
        {"{\"ev\":\"result\",\"exit\":1e9}", REPLAY_EVENT},
    };
    struct replay *r = replay_new();
    struct model_event e;
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(GError) error = NULL;
        enum replay_result got = replay_line(r, lines[i].line, strlen(lines[i].line), &e, &error);
        if (got != lines[i].result)
            g_error("%s: %u", lines[i].line, got);
        g_assert_cmpint(got == REPLAY_BROKEN, ==, error != NULL);
    }
    const struct model *m = replay_model(r);
    g_assert_cmpuint(m->n_drives, ==, 1);
    g_assert_cmpstr(m->drives[0].name, ==, "a?[2J");
    g_assert_cmpint(m->drives[0].state, ==, MODEL_RUN);
    g_assert_cmpuint(m->done, ==, MODEL_UNKNOWN);
    g_assert_cmpuint(m->link.n_checks, ==, MODEL_MAX_CHECKS);
    g_assert_cmpint(m->phase, ==, MODEL_DONE);
    g_assert_cmpuint(m->n_errors, ==, 1);
    replay_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/replay/state", test_state);
    g_test_add_func("/replay/coverage", test_coverage);
    g_test_add_func("/replay/course", test_course);
    g_test_add_func("/replay/left-out", test_left_out);
    g_test_add_func("/replay/events", test_events);
    g_test_add_func("/replay/hostile", test_hostile);
    return g_test_run();
}
