// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/units.h"
#include "base/error.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)

static void test_parse(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"none", 0},
        {"Unlimited", 0},
        {"0.0G", 0},
        {"512", 512},
        {"1b", 1},
        {"50M", 50 * M},
        {"50m", 50 * M},
        {"50MiB", 50 * M},
        {"50MB/s", 50 * M},
        {"50M/s", 50 * M},
        {" 50 M ", 50 * M},
        {"1.5G", G + G / 2},
        {"1,5G", G + G / 2},
        {"0.1K", 102},
        {"1.1M", 1153433},
        {"2T", 2 * T},
        {"1P", 1024 * T},
        {"8191P", 8191 * 1024 * T},
        {"9223372036854775807", INT64_MAX},
        {"0.3333333333333333333333333333G", 357913941},
        {"007", 7},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        uint64_t bytes = 12345;
        g_autoptr(GError) error = NULL;
        g_assert_true(units_parse_size(good[i].text, &bytes, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(bytes, ==, good[i].bytes);
    }
}

static void test_parse_refuses(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "M",
        "-1",
        "+5",
        "1.",
        ".5G",
        "1..5",
        "1.5.5",
        "5X",
        "5Mi",
        "5MM",
        "5M/h",
        "5%",
        "1e3",
        "0x10",
        "8192P",
        "9223372036854775808",
        "99999999999999999999999",
        "0.4",
        "0.0001K",
        "none5",
        "5\xffM",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint64_t bytes;
        g_autoptr(GError) error = NULL;
        if (units_parse_size(bad[i], &bytes, &error))
            g_error("taken: '%s'", bad[i]);
        g_assert_error(error, VMB_ERROR, VMB_ERROR_USAGE);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
}

static void test_size(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0"},
        {512, "512"},
        {1023, "1023"},
        {1024, "1.0K"},
        {4 * G, "4.0G"},
        {39 * G + G / 5, "39.2G"},
        {133 * G, "133G"},
        {512 * G, "512G"},
        {T + T / 100 * 21, "1.21T"},
        {64 * M, "64.0M"},
        {1023 * M, "1023M"},
        {G - 1, "1.0G"},
        {1024 * K - 1, "1.0M"},
        {100 * K - 1, "100K"},
        {T - 1, "1.00T"},
        {12 * T, "12.0T"},
        {3 * 1024 * T, "3.00P"},
        {UINT64_MAX - 1, "16384P"},
        {UINT64_MAX, "-"},
    };
    char text[UNITS_LEN];
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
        g_assert_cmpstr(units_format_size(sizes[i].bytes, text), ==, sizes[i].text);
    g_assert_cmpstr(units_format_rate(412 * M, text), ==, "412M/s");
    g_assert_cmpstr(units_format_rate(0, text), ==, "0");
    g_assert_cmpstr(units_format_rate(UINT64_MAX, text), ==, "-");
}

/* No size is longer than five digits and a letter, and none shows more than 4 significant digits but the last
 * unit. */
static void test_size_width(void)
{
    char text[UNITS_LEN];
    for (unsigned bit = 0; bit < 60; bit++)
        for (int64_t off = -3000; off <= 3000; off += 7)
            g_assert_cmpuint(
                strlen(units_format_size((UINT64_C(1) << bit) + (uint64_t)MAX(off, -(INT64_C(1) << bit)), text)), <=,
                5);
}

static void test_times(void)
{
    static const struct {
        uint64_t ms;
        const char *text, *clock;
    } times[] = {
        {0, "0ms", "00:00:00"},         {38, "38ms", "00:00:00"},        {999, "999ms", "00:00:00"},
        {1400, "1.4s", "00:00:01"},     {9949, "9.9s", "00:00:09"},      {9950, "10s", "00:00:09"},
        {12000, "12s", "00:00:12"},     {59499, "59s", "00:00:59"},      {59500, "1m00s", "00:00:59"},
        {290000, "4m50s", "00:04:50"},  {1862000, "31m02s", "00:31:02"}, {3599600, "1h00m", "00:59:59"},
        {3720000, "1h02m", "01:02:00"}, {UINT64_MAX - 1, "", ""},
    };
    char text[UNITS_LEN];
    for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
        if (times[i].ms < UINT64_MAX - 1) {
            g_assert_cmpstr(units_format_ms(times[i].ms, text), ==, times[i].text);
            g_assert_cmpstr(units_format_clock(times[i].ms, text), ==, times[i].clock);
        } else { /* only that it fits */
            g_assert_cmpuint(strlen(units_format_ms(times[i].ms, text)), <, UNITS_LEN);
            g_assert_cmpuint(strlen(units_format_clock(times[i].ms, text)), <, UNITS_LEN);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/units/parse", test_parse);
    g_test_add_func("/units/parse-refuses", test_parse_refuses);
    g_test_add_func("/units/size", test_size);
    g_test_add_func("/units/size-width", test_size_width);
    g_test_add_func("/units/times", test_times);
    return g_test_run();
}
