// SPDX-License-Identifier: GPL-2.0-or-later
/* Talking to the guest's agent: whoever was there before us, however the bytes are split, whatever it says. */
#include <string.h>
#include "qmp/agent.h"
#include "qmp/error.h"

#define ID   INT64_C(0x123456789abc)
#define SYNC "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":20015998343868}}\n"
#define ASK  "{\"execute\":\"guest-fsfreeze-freeze\"}\n"
#define OURS "\xff{\"return\": 20015998343868}\n"

static char *output_of(struct qmp_agent *a)
{
    size_t n;
    char *bytes = qmp_agent_take_output(a, &n);

    g_assert_cmpuint(n, ==, bytes ? strlen(bytes) : 0);
    return bytes ? bytes : g_strdup("");
}

/* What comes of these bytes, in pieces of this size: "state number text error | what was sent". */
static char *talk(const char *bytes, size_t n, size_t piece, bool is_at_once)
{
    g_autoptr(qmp_agent) a = qmp_agent_new();
    g_autofree char *first = NULL, *rest = NULL;
    const GError *error;

    qmp_agent_ask(a, "guest-fsfreeze-freeze", ID, is_at_once);
    first = output_of(a);
    g_assert_cmpstr(first, ==, is_at_once ? SYNC ASK : SYNC);
    for (size_t at = 0; at < n; at += piece)
        qmp_agent_feed(a, bytes + at, MIN(piece, n - at));
    rest = output_of(a);
    error = qmp_agent_error(a);
    return g_strdup_printf("%d %" G_GINT64_FORMAT " %s%s%s|%s", qmp_agent_state(a), qmp_agent_number(a),
                           qmp_agent_text(a), error ? " " : "", error ? error->message : "", rest);
}

static void expect_bytes(const char *bytes, size_t n, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1 << 20};

    for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autofree char *got = talk(bytes, n, pieces[i], false);
        g_assert_cmpstr(got, ==, expected);
    }
}

static void expect(const char *bytes, const char *expected)
{
    expect_bytes(bytes, strlen(bytes), expected);
}

static void test_answers(void)
{
    expect("", "1 -1 |");
    expect(OURS, "2 -1 |" ASK);
    expect(OURS "{\"return\": 3}\n", "3 3 |" ASK);
    expect(OURS "{\"return\": \"thawed\"}\n", "3 -1 thawed|" ASK);
    expect(OURS "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Command has been disabled\"}}\n",
           "3 -1  Command has been disabled|" ASK);
    expect(OURS "{\"error\": {\"desc\": \"a\\u001b[31mb\"}}\n", "3 -1  a?[31mb|" ASK);
    expect(OURS "{\"return\": {}}\n", "3 -1 |" ASK);
}

/* Half a line of an earlier client's answer, his number, his results: none of it is ours. */
static void test_stale(void)
{
    expect("urn\": 7}\n" OURS "{\"return\": 1}\n", "3 1 |" ASK);
    expect("{\"return\": 5}\n{\"error\":{\"class\":\"GenericError\",\"desc\":\"Invalid JSON\"}}\n" OURS
           "{\"return\": 1}\n",
           "3 1 |" ASK);
    expect("\xff{\"return\": 99}\n{\"return\": 20015998343868}x\xff\xff" OURS "{\"return\": 1}\n", "3 1 |" ASK);
    expect("\xff{\"return\": 99}\n{\"return\": 4}\n" OURS "{\"return\": 1}\n", "3 1 |" ASK);
    expect("\xff{\"return\": \"20015998343868\"}\n", "1 -1 |");          /* no number */
    expect("{\"return\": 20015998343868}\n{\"return\": 1}\n", "1 -1 |"); /* guest-sync without the mark */
}

static void test_rubbish(void)
{
    g_autofree char *endless = g_strnfill(QMP_AGENT_MAX_BYTES + 10, 'x');
    g_autofree char *large = g_strdup_printf(OURS "{\"return\": \"%s", endless);
    g_autofree char *before = g_strdup_printf("%s\xff{\"%s" OURS "{\"return\": 2}", endless, endless);

    expect(OURS "nonsense\n", "4 -1  its answer cannot be used (no JSON object)|" ASK);
    expect(OURS "{\"return\" 3}\n", "4 -1  its answer cannot be used (cannot be read as JSON)|" ASK);
    expect(OURS "{\"event\": 3}\n", "4 -1  its answer is neither a result nor an error|" ASK);
    expect(OURS "{\"return\": null}\n", "4 -1  its answer is neither a result nor an error|" ASK);
    expect(large, "4 -1  its answer cannot be used (too large a message)|" ASK);
    expect(before, "3 2 |" ASK);
    expect_bytes(OURS "\0\0", sizeof OURS + 1, "4 -1  its answer cannot be used (no JSON object)|" ASK);
}

/* What must reach an agent that is busy goes out with the number. */
static void test_at_once(void)
{
    g_autofree char *got = talk(OURS "{\"return\": 1}\n", strlen(OURS "{\"return\": 1}\n"), 5, true);

    g_assert_cmpstr(got, ==, "3 1 |");
}

/* A question that was given up: its late answer does not pass for the next one's. */
static void test_asked_again(void)
{
    g_autoptr(qmp_agent) a = qmp_agent_new();
    g_autofree char *all = NULL;

    qmp_agent_ask(a, "guest-fsfreeze-freeze", 1, false);
    qmp_agent_feed(a, "\xff{\"return\": 1}\n{\"retu", 20);
    g_assert_cmpint(qmp_agent_state(a), ==, QMP_AGENT_ASKED);
    qmp_agent_ask(a, "guest-fsfreeze-thaw", 2, true);
    qmp_agent_feed(a, "rn\": 5}\n\xff{\"return\": 2}\n{\"return\": 6}\n", 38);
    g_assert_cmpint(qmp_agent_state(a), ==, QMP_AGENT_ANSWERED);
    g_assert_cmpint(qmp_agent_number(a), ==, 6);
    all = output_of(a);
    g_assert_true(g_str_has_suffix(all, "\"id\":2}}\n{\"execute\":\"guest-fsfreeze-thaw\"}\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/agent/answers", test_answers);
    g_test_add_func("/qmp/agent/stale", test_stale);
    g_test_add_func("/qmp/agent/rubbish", test_rubbish);
    g_test_add_func("/qmp/agent/at-once", test_at_once);
    g_test_add_func("/qmp/agent/asked-again", test_asked_again);
    return g_test_run();
}
