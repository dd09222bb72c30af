// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes into messages: however they are split, and whatever is wrong with them. */
#include <string.h>
#include "qmp/codec.h"
#include "qmp/greeting.h"

/* What a codec makes of pieces: one line per message, then why it broke. */
static char *read_pieces(const char *bytes, size_t n, size_t first, size_t rest, size_t max_bytes)
{
    g_autoptr(qmp_codec) codec = qmp_codec_new(max_bytes);
    GString *seen = g_string_new(NULL);

    for (size_t at = 0, len = first; at < n; at += len, len = rest) {
        struct json_object *message;
        enum qmp_codec_event event;
        len = MIN(len, n - at);
        qmp_codec_feed(codec, bytes + at, len);
        while ((event = qmp_codec_next(codec, &message)) == QMP_CODEC_MESSAGE) {
            g_string_append_printf(seen, "%s\n", json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN));
            json_object_put(message);
        }
        g_assert_null(message);
        g_assert_true((event == QMP_CODEC_BROKEN) == (qmp_codec_why(codec) != NULL));
    }
    if (qmp_codec_why(codec))
        g_string_append_printf(seen, "broken: %s\n", qmp_codec_why(codec));
    return g_string_free(seen, FALSE);
}

static void expect_limited(const char *bytes, size_t n, size_t max_bytes, const char *expected)
{
    for (size_t first = 1; first <= n; first++) {
        g_autofree char *in_two = read_pieces(bytes, n, first, n, max_bytes);
        g_assert_cmpstr(in_two, ==, expected);
    }
    for (size_t size = 1; size <= 3; size++) {
        g_autofree char *in_many = read_pieces(bytes, n, size, size, max_bytes);
        g_assert_cmpstr(in_many, ==, expected);
    }
}

static void expect(const char *bytes, const char *expected)
{
    expect_limited(bytes, strlen(bytes), QMP_CODEC_MAX_BYTES, expected);
}

static void test_messages(void)
{
    expect("{\"a\": 1}\r\n{\"b\": [1, 2.5, -3e2, null, true]}\r\n", "{\"a\":1}\n{\"b\":[1,2.5,-3e2,null,true]}\n");
    expect("{}{}\t {\"x\":{}}", "{}\n{}\n{\"x\":{}}\n");
    expect(" \r\n ", "");
    expect("{\"unfinished\": \"", "");
}

static void test_strings(void)
{
    expect("{\"s\":\"}{][\\\"\\\\\"}{}", "{\"s\":\"}{][\\\"\\\\\"}\n{}\n");
    expect("{\"caf\xc3\xa9\":\"\xf0\x9f\x90\xa7\"}", "{\"caf\xc3\xa9\":\"\xf0\x9f\x90\xa7\"}\n");
    expect("{\"u\":\"\\u00e9\\ud83d\\udc27\"}", "{\"u\":\"\xc3\xa9\xf0\x9f\x90\xa7\"}\n");
    expect("{\"big\":18446744073709551615,\"min\":-9223372036854775808}",
           "{\"big\":18446744073709551615,\"min\":-9223372036854775808}\n");
}

static void test_garbage(void)
{
    expect("hello", "broken: no JSON object\n");
    expect("{\"a\":1} x {\"b\":2}", "{\"a\":1}\nbroken: no JSON object\n");
    expect("[1]", "broken: no JSON object\n");
    expect("{\"a\":1}}", "{\"a\":1}\nbroken: no JSON object\n");
    expect("{\"a\" 1}{}", "broken: cannot be read as JSON\n");
    expect("{\"a\":1]{}", "broken: cannot be read as JSON\n");
    expect("{\"a\":/**/1}", "broken: cannot be read as JSON\n");
    expect("{\"bad\":\"\xff\"}", "broken: cannot be read as JSON\n");
    expect("{\"cut\":\"\xc3\"}", "broken: cannot be read as JSON\n");
}

static void test_nul(void)
{
    static const char bytes[] = "{\"a\":\0}";
    expect_limited(bytes, sizeof bytes - 1, QMP_CODEC_MAX_BYTES, "broken: cannot be read as JSON\n");
}

static void test_size(void)
{
    expect_limited("{\"a\":12}   {}", 13, 8, "{\"a\":12}\n{}\n");
    expect_limited("{} {\"a\":123}", 12, 8, "{}\nbroken: too large a message\n");
    expect_limited("{\"a\":\"never ends", 16, 8, "broken: too large a message\n");
}

static char *nested(unsigned depth)
{
    GString *text = g_string_new("{\"a\":");

    for (unsigned i = 1; i < depth; i++)
        g_string_append_c(text, '[');
    g_string_append_c(text, '7');
    for (unsigned i = 1; i < depth; i++)
        g_string_append_c(text, ']');
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

static void test_depth(void)
{
    g_autofree char *most = nested(QMP_CODEC_MAX_DEPTH), *more = nested(QMP_CODEC_MAX_DEPTH + 1);
    g_autofree char *expected = g_strconcat(most, "\n", NULL);

    expect(most, expected);
    expect(more, "broken: nested too deeply\n");
}

/* The same answer, and the same first byte of JSON, however the greeting is split. */
static void expect_greeting(const char *bytes, size_t n, enum greeting expected, size_t expected_used)
{
    for (size_t first = 0; first <= n; first++) {
        struct greeting_scan scan = {{0}, 0, 0};
        size_t used, used_more = 0;
        enum greeting what = greeting_scan(&scan, bytes, first, &used);
        if (what == GREETING_MORE) {
            g_assert_cmpuint(used, ==, first);
            what = greeting_scan(&scan, bytes + first, n - first, &used_more);
        }
        g_assert_cmpint(what, ==, expected);
        g_assert_cmpuint(used + used_more, ==, expected_used);
    }
}

static void test_greeting(void)
{
    expect_greeting("{\"QMP\":", 7, GREETING_JSON, 0);
    expect_greeting("\r\n {", 4, GREETING_JSON, 3);
    expect_greeting("\xff\xfb\x01\xff\xfb\x03{", 7, GREETING_JSON, 6);
    expect_greeting("QEMU 10.0.2 monitor - type 'help'", 33, GREETING_HMP, 4);
    expect_greeting("\xff\xfb\x01QEMU 7.2", 11, GREETING_HMP, 7);
    expect_greeting("(qemu) ", 7, GREETING_HMP, 5);
    expect_greeting("QEM", 3, GREETING_MORE, 3);
    expect_greeting("QEMUX", 5, GREETING_FOREIGN, 4);
    expect_greeting("SSH-2.0", 7, GREETING_FOREIGN, 0);
    expect_greeting("\0\0", 2, GREETING_FOREIGN, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/codec/messages", test_messages);
    g_test_add_func("/qmp/codec/strings", test_strings);
    g_test_add_func("/qmp/codec/garbage", test_garbage);
    g_test_add_func("/qmp/codec/nul", test_nul);
    g_test_add_func("/qmp/codec/size", test_size);
    g_test_add_func("/qmp/codec/depth", test_depth);
    g_test_add_func("/qmp/codec/greeting", test_greeting);
    return g_test_run();
}
