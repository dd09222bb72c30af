// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/command.h"

#include <string.h>

#include "base/error.h"

#define M (UINT64_C(1) << 20)

static struct command parsed(const char *line)
{
    struct command c;
    g_autoptr(GError) error = NULL;
    bool ok = *line == '{' ? command_parse_json(line, &c, &error) : command_parse_line(line, &c, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return c;
}

static void assert_refused(const char *line, const char *why)
{
    struct command c;
    g_autoptr(GError) error = NULL;
    bool ok = *line == '{' ? command_parse_json(line, &c, &error) : command_parse_line(line, &c, &error);
    g_assert_false(ok);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_USAGE);
    if (!strstr(error->message, why))
        g_error("'%s': says '%s', expected '%s'", line, error->message, why);
}

static void test_lines(void)
{
    struct command c = parsed("limit scsi1 50M");
    g_assert_cmpint(c.verb, ==, COMMAND_LIMIT);
    g_assert_cmpstr(c.target, ==, "scsi1");
    g_assert_cmpuint(c.rate, ==, 50 * M);
    g_assert_cmpint(c.id, ==, -1);
    c = parsed("  limit\tall   +10%\r\n");
    g_assert_cmpstr(c.target, ==, "all");
    g_assert_true(c.is_relative);
    g_assert_cmpint(c.percent, ==, 10);
    g_assert_cmpint(parsed("pause virtio3").verb, ==, COMMAND_PAUSE);
    g_assert_cmpint(parsed("resume all").verb, ==, COMMAND_RESUME);
    g_assert_cmpint(parsed("status").verb, ==, COMMAND_STATUS);
    c = parsed("cancel-all web-01");
    g_assert_cmpstr(c.confirmation, ==, "web-01");
    g_assert_false(c.keep_partial);
    g_assert_true(parsed("cancel-all web-01 keep-partial").keep_partial);
}

static void test_plan_lines(void)
{
    struct command c = parsed("output  |zstd -T0 -o 'a b' ");
    g_assert_cmpint(c.verb, ==, COMMAND_OUTPUT);
    g_assert_cmpstr(c.text, ==, "|zstd -T0 -o 'a b'"); /* as it stands: a path may have blanks */
    g_assert_cmpstr(parsed("connect /run/q.qmp").text, ==, "/run/q.qmp");
    g_assert_cmpstr(parsed("exclude scsi1").target, ==, "scsi1");
    g_assert_cmpint(parsed("include scsi1").verb, ==, COMMAND_INCLUDE);
    g_assert_false(parsed("vmstate no").is_on);
    g_assert_true(parsed("strict yes").is_on);
    g_assert_cmpuint(parsed("retries 7").number, ==, 7);
    g_assert_cmpstr(parsed("{\"cmd\":\"output\",\"path\":\"/a b.vma\"}").text, ==, "/a b.vma");
    g_assert_true(parsed("{\"cmd\":\"vmstate\",\"on\":true}").is_on);
    g_assert_cmpuint(parsed("{\"cmd\":\"retries\",\"n\":0}").number, ==, 0);
    assert_refused("output", "usage: output TARGET");
    assert_refused("vmstate maybe", "yes or no");
    g_assert_cmpuint(parsed("level 19").number, ==, 19);
    assert_refused("level 20", "from 0 to 19");
    assert_refused("retries -1", "from 0 to 1000");
    assert_refused("retries 1001", "from 0 to 1000");
    assert_refused("include", "usage: include DRIVE");
    assert_refused("{\"cmd\":\"output\"}", "path");
    g_assert_cmpint(parsed("engine pull").engine, ==, ENGINE_PULL);
    g_assert_cmpint(parsed("{\"cmd\":\"engine\",\"engine\":\"pull\"}").engine, ==, ENGINE_PULL);
    assert_refused("engine", "usage: engine push|pull");
    assert_refused("engine pump", "engine: push or pull is wanted");
    assert_refused("{\"cmd\":\"engine\"}", "\"engine\" must be \"push\" or \"pull\"");
    assert_refused("{\"cmd\":\"engine\",\"engine\":1}", "must be \"push\" or \"pull\"");
    assert_refused("{\"cmd\":\"strict\",\"on\":1}", "true or false");
    assert_refused("{\"cmd\":\"retries\",\"n\":-1}", "from 0 to 1000");
}

/* What one console says, the run of another understands. */
static void test_to_json(void)
{
    static const char *const lines[] = {
        "limit scsi1 50M",
        "limit all -10%",
        "limit all 0",
        "pause all",
        "resume virtio3",
        "cancel-all web-01 keep-partial",
        "include scsi1",
        "exclude scsi1",
        "output |zstd -o 'a b'",
        "connect /run/q.qmp",
        "vmstate no",
        "vmstate yes",
        "retries 7",
        "level 0",
        "strict yes",
        "engine push",
        "engine pull",
        "begin",
        "status",
        "detach",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        struct command said = parsed(lines[i]);
        g_autofree char *json = command_to_json(&said);
        struct command heard = parsed(json);
        g_assert_cmpmem(&said, sizeof said, &heard, sizeof heard);
    }
}

static void test_bad_lines(void)
{
    assert_refused("", "empty");
    assert_refused("   ", "empty");
    assert_refused("format scsi1", "unknown");
    assert_refused("verify", "unknown"); /* it has a key only */
    assert_refused("limit", "usage: limit DRIVE|all RATE");
    assert_refused("limit scsi1", "usage");
    assert_refused("limit scsi1 1M 2M", "usage");
    assert_refused("limit scsi1 fast", "'f' is not in a number");
    assert_refused("pause", "usage: pause DRIVE|all");
    assert_refused("status now", "usage: status");
    assert_refused("cancel-all", "usage");
    assert_refused("cancel-all web-01 please", "usage");
    g_autofree char *lengthy = g_strnfill(70, 'x');
    g_autofree char *line = g_strconcat("pause ", lengthy, NULL);
    assert_refused(line, "too long");
    assert_refused("\033[2J", "'?[2J'");
}

static void test_json(void)
{
    struct command c = parsed("{\"id\":7,\"cmd\":\"limit\",\"target\":\"scsi1\",\"bps\":157286400}");
    g_assert_cmpint(c.verb, ==, COMMAND_LIMIT);
    g_assert_cmpstr(c.target, ==, "scsi1");
    g_assert_cmpuint(c.rate, ==, 157286400);
    g_assert_cmpint(c.id, ==, 7);
    c = parsed("{\"cmd\":\"limit\",\"target\":\"all\",\"rate\":\"-25%\",\"future\":[1]}");
    g_assert_cmpint(c.percent, ==, -25);
    g_assert_cmpint(c.id, ==, -1);
    g_assert_cmpuint(parsed("{\"cmd\":\"limit\",\"target\":\"all\",\"bps\":0}").rate, ==, 0);
    c = parsed("{\"cmd\":\"cancel-all\",\"guest\":\"web-01\",\"keep_partial\":true}");
    g_assert_cmpstr(c.confirmation, ==, "web-01");
    g_assert_true(c.keep_partial);
}

static void test_bad_json(void)
{
    assert_refused("{", "not a JSON object");
    assert_refused("{\"cmd\":\"status\"} x", "not a JSON object");
    assert_refused("{}", "unknown");
    assert_refused("{\"cmd\":1}", "unknown");
    assert_refused("{\"cmd\":\"verify\"}", "unknown");
    assert_refused("{\"cmd\":\"limit\",\"bps\":1}", "\"target\"");
    assert_refused("{\"cmd\":\"limit\",\"target\":\"a\"}", "\"bps\"");
    assert_refused("{\"cmd\":\"limit\",\"target\":\"a\",\"bps\":-1}", "\"bps\"");
    assert_refused("{\"cmd\":\"limit\",\"target\":\"a\",\"bps\":1.5}", "\"bps\"");
    assert_refused("{\"cmd\":\"limit\",\"target\":\"a\",\"bps\":1000}", "at least 64K");
    assert_refused("{\"cmd\":\"pause\",\"target\":\"a\\u0000b\"}", "\"target\"");
    struct command c;
    g_assert_false(command_parse_json("{\"id\":9,\"cmd\":\"what\"}", &c, NULL));
    g_assert_cmpint(c.id, ==, 9); /* the reply must find its command */
}

static void test_rates(void)
{
    static const struct {
        const char *text;
        uint64_t rate;
    } good[] = {
        {"50M", 50 * M},
        {"1G", 1024 * M},
        {"800K", 819200},
        {"1.5G", 1536 * M},
        {"1,5g", 1536 * M},
        {" 150 MiB/s ", 150 * M},
        {"64k", COMMAND_MIN_RATE},
        {"1T", COMMAND_MAX_RATE},
        {"0", 0},
        {"none", 0},
        {"Unlimited", 0},
        {"157286400", 150 * M},
    };
    struct command c;
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        command_parse_rate(good[i].text, &c, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(c.rate, ==, good[i].rate);
        g_assert_false(c.is_relative);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},          {"15o", "'o' is not"}, {"1ö", "'ö' is not"},  {"63K", "use pause"},
        {"1.1T", "at most 1T"}, {"10%", "write +10%"}, {"+10", "percentage"}, {"+1.5%", "percentage"},
        {"-100%", "-99%"},      {"+0%", "nothing"},    {"+1001%", "percent"}, {"MM", "write it like"},
        {"-", "percentage"},    {"+%", "percentage"},  {"1..5M", "like"},     {"99999999999999999999", "like"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(command_parse_rate(bad[i].text, &c, &error));
        if (!strstr(error->message, bad[i].why))
            g_error("'%s': says '%s', expected '%s'", bad[i].text, error->message, bad[i].why);
    }
}

static void test_relative(void)
{
    g_assert_cmpuint(command_relative_rate(120 * M, 10), ==, 130 * M);
    g_assert_cmpuint(command_relative_rate(50 * M, 10), ==, 55 * M);
    g_assert_cmpuint(command_relative_rate(50 * M, -10), ==, 45 * M);
    g_assert_cmpuint(command_relative_rate(64 << 10, -90), ==, COMMAND_MIN_RATE);
    g_assert_cmpuint(command_relative_rate(UINT64_MAX, 1000), ==, COMMAND_MAX_RATE);
    for (uint64_t rate = COMMAND_MIN_RATE; rate < COMMAND_MAX_RATE;) { /* +10 % always moves */
        uint64_t more = command_relative_rate(rate, 10);
        g_assert_cmpuint(more, >, rate);
        rate = more;
    }
}

/* ---- the table ---- */

static void test_no_key_clashes(void)
{
    for (enum model_phase phase = 0; phase < MODEL_PHASES; phase++) {
        g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (unsigned i = 0; i < command_table_len; i++) {
            const struct command_entry *entry = &command_table[i];
            if (!entry->keys || !(entry->phases & COMMAND_IN(phase)))
                continue;
            g_auto(GStrv) keys = g_strsplit(entry->keys, " ", -1);
            for (unsigned k = 0; keys[k]; k++)
                if (!g_hash_table_add(taken, g_strdup(keys[k])))
                    g_error("key %s means two things in phase %s", keys[k], model_phase_word(phase));
        }
    }
}

static void test_table_is_whole(void)
{
    g_autoptr(GHashTable) verbs = g_hash_table_new(NULL, NULL), words = g_hash_table_new(g_str_hash, g_str_equal);
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        g_assert_true(g_hash_table_add(verbs, GINT_TO_POINTER(entry->verb)));
        g_assert_true(entry->word && g_hash_table_add(words, (char *)entry->word));
        g_assert_true(command_entry_of_word(entry->word) == entry);
        g_assert_true(entry->help && (entry->keys || entry->form) && entry->phases);
        g_assert_cmpint(entry->group != NULL, ==, entry->keys != NULL);
        g_assert_true(command_entry_of(entry->verb) == entry);
    }
    g_assert_true(command_is_valid(COMMAND_BEGIN, MODEL_PLAN));
    g_assert_false(command_is_valid(COMMAND_BEGIN, MODEL_COPY));
    g_assert_false(command_is_valid(COMMAND_CANCEL_ALL, MODEL_DONE));
    g_autofree char *described = command_describe();
    g_assert_nonnull(strstr(described, "limit DRIVE|all RATE "));
}

/* No key that screen, tmux, a flow control or a browser takes for itself is needed. */
static void test_no_stolen_keys(void)
{
    static const char *const stolen[] = {"Ctrl-A", "Ctrl-B", "Ctrl-S", "Ctrl-Q", "Ctrl-W", "Ctrl-T", "Ctrl-N",
                                         "Ctrl-H", "Ctrl-I", "Ctrl-J", "Ctrl-M", "Alt-",   "F10",    "F11"};
    for (unsigned i = 0; i < command_table_len; i++)
        for (unsigned k = 0; command_table[i].keys && k < G_N_ELEMENTS(stolen); k++)
            g_assert_null(strstr(command_table[i].keys, stolen[k]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/lines", test_lines);
    g_test_add_func("/command/plan-lines", test_plan_lines);
    g_test_add_func("/command/to-json", test_to_json);
    g_test_add_func("/command/bad-lines", test_bad_lines);
    g_test_add_func("/command/json", test_json);
    g_test_add_func("/command/bad-json", test_bad_json);
    g_test_add_func("/command/rates", test_rates);
    g_test_add_func("/command/relative", test_relative);
    g_test_add_func("/command/no-key-clashes", test_no_key_clashes);
    g_test_add_func("/command/table-is-whole", test_table_is_whole);
    g_test_add_func("/command/no-stolen-keys", test_no_stolen_keys);
    return g_test_run();
}
