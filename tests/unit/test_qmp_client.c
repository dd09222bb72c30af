// SPDX-License-Identifier: GPL-2.0-or-later
/* The conversation without a socket: order, deadlines, ends, and the same items for every split. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>
#include "qmp/args.h"
#include "qmp/client.h"

#define GREETING                                                                                                       \
    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":0,\"major\":10}},\"capabilities\":[\"oob\"]}}"             \
    "\r\n"
#define CAPS_OK "{\"return\":{},\"id\":0}\r\n"
#define ADDRESS "/run/m.sock"

static void ignore(struct qmp *q, void *data, struct json_object *value, const GError *error)
{
    g_assert_not_reached(); /* the client only carries it */
}

static struct qmp_callback named(const char *name)
{
    return (struct qmp_callback){ignore, g_strdup(name), g_free};
}

static void describe(GString *seen, const struct qmp_item *item)
{
    const char *name = item->callback.data;

    if (item->type == QMP_ITEM_READY)
        g_string_append(seen, "ready\n");
    else if (item->type == QMP_ITEM_EVENT)
        g_string_append_printf(seen, "event %s %s\n", item->event.name, item->event.id ? item->event.id : "-");
    else if (item->type == QMP_ITEM_REPLY && item->error)
        g_string_append_printf(seen, "%s: error %d %s\n", name, item->error->code, item->error->message);
    else if (item->type == QMP_ITEM_REPLY)
        g_string_append_printf(seen, "%s: %s\n", name, json_object_to_json_string_ext(item->value, 0));
    else if (item->type == QMP_ITEM_WAITING)
        g_string_append_printf(seen, "waiting %s\n", item->error->message);
    else
        g_string_append_printf(seen, "lost %d %s\n", item->error->code, item->error->message);
}

static void drain(struct qmp_client *c, uint64_t now_ms, GString *seen)
{
    struct qmp_item item;

    while (qmp_client_next(c, now_ms, &item)) {
        describe(seen, &item);
        qmp_item_clear(&item);
    }
}

static void feed(struct qmp_client *c, const char *text, GString *seen)
{
    qmp_client_feed(c, text, strlen(text));
    drain(c, 0, seen);
}

/* Everything that may go out now, as one text. */
static char *take_output(struct qmp_client *c)
{
    GString *out = g_string_new(NULL);
    const char *bytes;
    size_t n;
    int fd;

    while (qmp_client_output(c, &bytes, &n, &fd)) {
        g_string_append_len(out, bytes, (gssize)n);
        qmp_client_sent(c, n);
    }
    return g_string_free(out, FALSE);
}

static void expect_output(struct qmp_client *c, const char *expected)
{
    g_autofree char *out = take_output(c);

    g_assert_cmpstr(out, ==, expected);
}

static void expect_seen(GString *seen, const char *expected)
{
    g_assert_cmpstr(seen->str, ==, expected);
    g_string_truncate(seen, 0);
}

static struct qmp_client *ready_client(unsigned timeout_ms)
{
    struct qmp_client *c = qmp_client_new(ADDRESS, timeout_ms, 0);
    GString *seen = g_string_new(NULL);

    feed(c, GREETING, seen);
    expect_output(c, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
    feed(c, CAPS_OK, seen);
    expect_seen(seen, "ready\n");
    g_string_free(seen, TRUE);
    return c;
}

/* --- order -------------------------------------------------------------------------------------- */

static void test_early_commands(void)
{
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 1000, 0);
    GString *seen = g_string_new(NULL);

    qmp_client_send(c, "stop", NULL, -1, 0, named("first"));
    expect_output(c, "");
    feed(c, GREETING, seen);
    expect_output(c, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
    g_assert_false(qmp_client_is_ready(c));
    feed(c, CAPS_OK, seen);
    g_assert_true(qmp_client_is_ready(c));
    expect_output(c, "{\"execute\":\"stop\",\"id\":1}\n");
    feed(c, "{\"return\":{},\"id\":1}", seen);
    expect_seen(seen, "ready\nfirst: {}\n");
    g_string_free(seen, TRUE);
}

/* Events come before the answer of the command that caused them, answers in any order. */
static const char transcript[] =
    GREETING CAPS_OK "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}\r\n"
                     "{\"return\":{\"n\":2},\"id\":2}\r\n"
                     "{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"status\":\"created\",\"id\":\"bk0\"}}\r\n"
                     "{\"id\":1,\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"no \\u001b[2J job\"}}"
                     "{\"return\":{},\"id\":77}"
                     "{\"error\":{\"class\":\"GenericError\",\"desc\":\"JSON parse error\"}}"
                     "{\"return\":[],\"id\":4}"
                     "{\"event\":\"NEW_THING\",\"data\":[]} nonsense {\"return\":{},\"id\":5}";
static const char transcript_seen[] =
    "ready\nevent STOP -\ntwo: {\"n\":2}\nevent JOB_STATUS_CHANGE bk0\none: error 1 no ?[2J job\n"
    "three: error 0 JSON parse error\nfour: []\nevent NEW_THING -\nfive: error 4 " ADDRESS
    ": sent what is no QMP (no JSON object); is it QEMU that listens there?\nlost 11 " ADDRESS
    ": sent what is no QMP (no JSON object); is it QEMU that listens there?\n";

static void play(size_t first, size_t rest)
{
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 1000, 0);
    GString *seen = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        qmp_client_send(c, "x", NULL, -1, 0, named(names[i]));
    for (size_t at = 0, len = first; at < strlen(transcript); at += len, len = rest) {
        len = MIN(len, strlen(transcript) - at);
        qmp_client_feed(c, transcript + at, len);
        drain(c, 0, seen);
    }
    expect_seen(seen, transcript_seen);
    g_string_free(seen, TRUE);
}

static void test_splits(void)
{
    for (size_t first = 1; first <= strlen(transcript); first++)
        play(first, strlen(transcript));
    for (size_t size = 1; size <= 7; size++)
        play(size, size);
}

static void test_all_before_the_loss(void)
{
    static const char last_words[] = "{\"event\":\"SHUTDOWN\"}{\"return\":{},\"id\":1}{\"ev";
    struct qmp_client *c = ready_client(1000);
    GString *seen = g_string_new(NULL);

    qmp_client_send(c, "a", NULL, -1, 0, named("a"));
    qmp_client_send(c, "b", NULL, -1, 0, named("b"));
    qmp_client_feed(c, last_words, strlen(last_words));
    qmp_client_end(c, g_error_new_literal(QMP_ERROR, QMP_ERROR_GONE, "closed"));
    qmp_client_end(c, g_error_new_literal(QMP_ERROR, QMP_ERROR_NOT_QMP, "later ends do not count"));
    g_assert_cmpuint(qmp_client_deadline(c), ==, 0);
    drain(c, 0, seen);
    expect_seen(seen, "event SHUTDOWN -\na: {}\nb: error 4 closed\nlost 4 closed\n");
    g_assert_cmpuint(qmp_client_deadline(c), ==, UINT64_MAX);

    qmp_client_send(c, "c", NULL, -1, 0, named("c"));
    expect_output(c, "");
    g_assert_cmpuint(qmp_client_deadline(c), ==, 0);
    drain(c, 0, seen);
    expect_seen(seen, "c: error 4 closed\n");
    g_string_free(seen, TRUE);
    qmp_client_free(c);
}

/* --- deadlines ---------------------------------------------------------------------------------- */

static void test_deadlines(void)
{
    struct qmp_client *c = ready_client(1500);
    GString *seen = g_string_new(NULL);

    g_assert_cmpuint(qmp_client_deadline(c), ==, UINT64_MAX);
    qmp_client_send(c, "stop", NULL, -1, 100, named("stop"));
    qmp_client_send(c, "cont", NULL, -1, 200, named("cont"));
    g_assert_cmpuint(qmp_client_deadline(c), ==, 1600);
    drain(c, 1599, seen);
    expect_seen(seen, "");
    drain(c, 1600, seen);
    expect_seen(seen, "stop: error 3 stop: no answer from QEMU within 1.5 s\n");
    g_assert_cmpuint(qmp_client_deadline(c), ==, 1700);
    feed(c, "{\"return\":{},\"id\":1}{\"return\":{},\"id\":2}", seen); /* the first is too late, and ignored */
    expect_seen(seen, "cont: {}\n");
    g_string_free(seen, TRUE);
    qmp_client_free(c);
}

static void test_no_timeout(void)
{
    struct qmp_client *c = ready_client(0);
    GString *seen = g_string_new(NULL);

    qmp_client_send(c, "stop", NULL, -1, 100, named("stop"));
    g_assert_cmpuint(qmp_client_deadline(c), ==, UINT64_MAX);
    drain(c, UINT64_MAX - 1, seen);
    expect_seen(seen, "");
    g_string_free(seen, TRUE);
    qmp_client_free(c);
}

/* What came in time counts, even if we look at it too late. */
static void test_late_reader(void)
{
    struct qmp_client *c = ready_client(1000);
    GString *seen = g_string_new(NULL);

    qmp_client_send(c, "stop", NULL, -1, 0, named("stop"));
    qmp_client_feed(c, "{\"return\":{},\"id\":1}", 20);
    drain(c, 999999, seen);
    expect_seen(seen, "stop: {}\n");
    g_string_free(seen, TRUE);
    qmp_client_free(c);
}

static void test_busy(void)
{
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 100000, 50);
    GString *seen = g_string_new(NULL);

    qmp_client_send(c, "stop", NULL, -1, 50, named("stop"));
    g_assert_cmpuint(qmp_client_deadline(c), ==, 2050);
    drain(c, 2049, seen);
    expect_seen(seen, "");
    drain(c, 2050, seen);
    expect_seen(seen,
                "waiting " ADDRESS ": waiting for the monitor's greeting, up to 100 s: another program may hold it\n");
    g_assert_cmpuint(qmp_client_deadline(c), ==, 100050);
    drain(c, 100049, seen);
    expect_seen(seen, "");
    drain(c, 100050, seen);
    g_assert_true(g_str_has_prefix(seen->str, "stop: error 4 " ADDRESS ": connected, but no greeting for 100 s: "));
    g_assert_nonnull(strstr(seen->str, "\nlost 9 " ADDRESS));
    g_string_free(seen, TRUE);
}

/* Who held it has gone: all is well. */
static void test_busy_for_a_while(void)
{
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 0, 0);
    GString *seen = g_string_new(NULL);

    drain(c, 2000, seen);
    expect_seen(seen, "waiting " ADDRESS ": waiting for the monitor's greeting: another program may hold it\n");
    g_assert_cmpuint(qmp_client_deadline(c), ==, UINT64_MAX); /* 0: for ever */
    drain(c, 999999999, seen);
    expect_seen(seen, "");
    feed(c, GREETING CAPS_OK, seen);
    expect_seen(seen, "ready\n");
    g_string_free(seen, TRUE);
}

/* No word where there is no time left for waiting. */
static void test_busy_at_once(void)
{
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 2000, 0);
    GString *seen = g_string_new(NULL);

    drain(c, 2000, seen);
    g_assert_true(g_str_has_prefix(seen->str, "lost 9 " ADDRESS ": connected, but no greeting for 2 s: "));
    g_string_free(seen, TRUE);
}

static void test_capabilities_time_out(void)
{
    g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 500, 0);
    GString *seen = g_string_new(NULL);

    feed(c, GREETING, seen);
    drain(c, 500, seen);
    expect_seen(seen, "lost 3 " ADDRESS
                      ": greeted, but went no further: qmp_capabilities: no answer from QEMU within 0.5 s\n");
    g_string_free(seen, TRUE);
}

/* --- who is it ---------------------------------------------------------------------------------- */

static void expect_lost(const char *bytes, enum qmp_error code)
{
    for (size_t first = 1; first <= strlen(bytes); first++) {
        g_autoptr(qmp_client) c = qmp_client_new(ADDRESS, 1000, 0);
        GString *seen = g_string_new(NULL);
        g_autofree char *expected = g_strdup_printf("lost %d " ADDRESS ": ", code);
        qmp_client_feed(c, bytes, first);
        drain(c, 0, seen);
        qmp_client_feed(c, bytes + first, strlen(bytes) - first);
        drain(c, 0, seen);
        g_assert_true(g_str_has_prefix(seen->str, expected));
        expect_output(c, "");
        g_string_free(seen, TRUE);
    }
}

static void test_others(void)
{
    expect_lost("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", QMP_ERROR_HMP);
    expect_lost("SSH-2.0-OpenSSH\r\n", QMP_ERROR_NOT_QMP);
    expect_lost("{\"hello\":1}\r\n", QMP_ERROR_NOT_QMP);
    expect_lost("{\"QMP\":7}\r\n", QMP_ERROR_NOT_QMP);
    expect_lost("{broken}\r\n", QMP_ERROR_NOT_QMP);
    expect_lost(GREETING "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no\"},\"id\":0}", QMP_ERROR_NOT_QMP);
}

static void test_strange_messages(void)
{
    static const char *const fine[] = {
        "{\"return\":null,\"id\":9}",      "{\"return\":{},\"id\":\"1\"}",
        "{\"return\":{},\"id\":-1}",       "{\"return\":{},\"id\":{\"a\":1}}",
        "{\"event\":\"X\",\"data\":null}", "{\"event\":\"MIGRATION\",\"data\":{\"status\":1}}",
    };
    static const char *const fatal[] = {"{}", "{\"event\":1}", "{\"id\":1}", "{\"error\":null}",
                                        "{\"QMP\":{\"version\":{}}}"};

    for (unsigned i = 0; i < G_N_ELEMENTS(fine) + G_N_ELEMENTS(fatal); i++) {
        bool is_fatal = i >= G_N_ELEMENTS(fine);
        struct qmp_client *c = ready_client(1000);
        GString *seen = g_string_new(NULL);
        feed(c, is_fatal ? fatal[i - G_N_ELEMENTS(fine)] : fine[i], seen);
        g_assert_true(g_str_has_prefix(seen->str, "lost 11") == is_fatal);
        g_string_free(seen, TRUE);
        qmp_client_free(c);
    }
}

/* QEMU's wordings for "not there", which have no class of their own. */
static void test_error_codes(void)
{
    static const struct {
        const char *class, *desc;
        enum qmp_error code;
    } cases[] = {
        {"GenericError", "Job ID 'j1' already in use", QMP_ERROR_COMMAND},
        {"GenericError", "Job not found", QMP_ERROR_NO_DEVICE},
        {"DeviceNotActive", "Block job 'bk0' not found", QMP_ERROR_NO_DEVICE},
        {"DeviceNotFound", "Device 'x' not found", QMP_ERROR_NO_DEVICE},
        {"CommandNotFound", "The command foo has not been found", QMP_ERROR_NO_COMMAND},
        {"GenericError", "Failed to find node with node-name='x'", QMP_ERROR_NO_DEVICE},
        {"GenericError", "Node 'x' is busy", QMP_ERROR_COMMAND},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct qmp_client *c = ready_client(1000);
        GString *seen = g_string_new(NULL);
        g_autofree char *reply =
            g_strdup_printf("{\"error\":{\"class\":\"%s\",\"desc\":\"%s\"},\"id\":1}", cases[i].class, cases[i].desc);
        g_autofree char *expected = g_strdup_printf("x: error %d %s\n", cases[i].code, cases[i].desc);
        qmp_client_send(c, "x", NULL, -1, 0, named("x"));
        feed(c, reply, seen);
        expect_seen(seen, expected);
        g_string_free(seen, TRUE);
        qmp_client_free(c);
    }
}

/* --- out ---------------------------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_descriptors(void)
{
    struct qmp_client *c = ready_client(1000);
    int first = dup(0), second = dup(0), fd;
    const char *bytes;
    size_t n;

    qmp_client_send(c, "stop", NULL, -1, 0, named("stop"));
    qmp_client_send(c, "getfd", args_new_text("fdname", "a"), first, 0, named("a"));
    qmp_client_send(c, "getfd", args_new_text("fdname", "b"), second, 0, named("b"));

    g_assert_true(qmp_client_output(c, &bytes, &n, &fd) && fd == -1);
    g_assert_true(n == strlen("{\"execute\":\"stop\",\"id\":1}\n")); /* never two commands at once */
    qmp_client_sent(c, n - 1);
    g_assert_true(qmp_client_output(c, &bytes, &n, &fd) && fd == -1 && n == 1 && *bytes == '\n');
    qmp_client_sent(c, 1);
    g_assert_true(qmp_client_output(c, &bytes, &n, &fd) && fd == first && *bytes == '{');
    qmp_client_sent(c, 1);
    g_assert_false(is_open(first)); /* gone with the first byte, though the command has not all gone */
    g_assert_true(qmp_client_output(c, &bytes, &n, &fd) && fd == -1);
    qmp_client_sent(c, n);
    g_assert_true(qmp_client_output(c, &bytes, &n, &fd) && fd == second && is_open(second));
    qmp_client_free(c);
    g_assert_false(is_open(second));
}

static void test_descriptor_of_a_lost_client(void)
{
    struct qmp_client *c = ready_client(1000);
    int queued = dup(0), late = dup(0);

    qmp_client_send(c, "getfd", NULL, queued, 0, named("queued"));
    qmp_client_end(c, g_error_new_literal(QMP_ERROR, QMP_ERROR_GONE, "closed"));
    g_assert_false(is_open(queued));
    qmp_client_send(c, "getfd", NULL, late, 0, named("late"));
    g_assert_false(is_open(late));
    qmp_client_free(c);
}

static void test_arguments(void)
{
    struct qmp_client *c = ready_client(1000);
    GString *seen = g_string_new(NULL);
    int fd = dup(0);

    qmp_client_send(c, "x", args_new_text("path", "/a \"b\"\n\xc3\xa9"), -1, 0, named("fine"));
    expect_output(c, "{\"execute\":\"x\",\"arguments\":{\"path\":\"/a \\\"b\\\"\\n\xc3\xa9\"},\"id\":1}\n");
    qmp_client_send(c, "x", args_new_text("path", "/\xe9"), fd, 0, named("latin"));
    expect_output(c, "");
    g_assert_false(is_open(fd));
    drain(c, 0, seen);
    expect_seen(seen, "latin: error 0 x: a name or path is not UTF-8, which QMP cannot carry\n");
    g_string_free(seen, TRUE);
    qmp_client_free(c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/client/early-commands", test_early_commands);
    g_test_add_func("/qmp/client/splits", test_splits);
    g_test_add_func("/qmp/client/all-before-the-loss", test_all_before_the_loss);
    g_test_add_func("/qmp/client/deadlines", test_deadlines);
    g_test_add_func("/qmp/client/no-timeout", test_no_timeout);
    g_test_add_func("/qmp/client/late-reader", test_late_reader);
    g_test_add_func("/qmp/client/busy", test_busy);
    g_test_add_func("/qmp/client/busy-for-a-while", test_busy_for_a_while);
    g_test_add_func("/qmp/client/busy-at-once", test_busy_at_once);
    g_test_add_func("/qmp/client/capabilities-time-out", test_capabilities_time_out);
    g_test_add_func("/qmp/client/others", test_others);
    g_test_add_func("/qmp/client/strange-messages", test_strange_messages);
    g_test_add_func("/qmp/client/error-codes", test_error_codes);
    g_test_add_func("/qmp/client/descriptors", test_descriptors);
    g_test_add_func("/qmp/client/descriptor-of-a-lost-client", test_descriptor_of_a_lost_client);
    g_test_add_func("/qmp/client/arguments", test_arguments);
    return g_test_run();
}
