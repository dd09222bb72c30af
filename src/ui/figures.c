// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Per mille, rounded down; at most 1000. */
static unsigned per_mille(uint64_t part, uint64_t whole)
{
    if (part >= whole)
        return 1000;
    /* Terabytes times 1000 stay below 2^64; anything above is scaled. */
    while (whole >> 53) {
        whole >>= 1;
        part >>= 1;
    }
    return MIN((unsigned)(part * 1000 / whole), 999);
}

static const char *say_none(const char *none, char text[FIGURE_LEN])
{
    g_strlcpy(text, none, FIGURE_LEN);
    return text;
}

const char *figure_percent(uint64_t part, uint64_t whole, const char *none, char text[FIGURE_LEN])
{
    if (!whole || whole == MODEL_UNKNOWN || part == MODEL_UNKNOWN)
        return say_none(none, text);
    unsigned share = per_mille(part, whole);
    if (share == 1000)
        g_strlcpy(text, "100%", FIGURE_LEN);
    else
        snprintf(text, FIGURE_LEN, "%u.%u%%", share / 10, share % 10);
    return text;
}

const char *figure_percent_short(uint64_t part, uint64_t whole, const char *none, char text[FIGURE_LEN])
{
    if (!whole || whole == MODEL_UNKNOWN || part == MODEL_UNKNOWN)
        return say_none(none, text);
    snprintf(text, FIGURE_LEN, "%u%%", per_mille(part, whole) / 10);
    return text;
}

const char *figure_size(uint64_t bytes, const char *none, char text[FIGURE_LEN])
{
    return bytes == MODEL_UNKNOWN ? say_none(none, text) : units_format_size(bytes, text);
}

const char *figure_rate(uint64_t bytes_per_s, const char *none, char text[FIGURE_LEN])
{
    return bytes_per_s == MODEL_UNKNOWN ? say_none(none, text) : units_format_rate(bytes_per_s, text);
}

const char *figure_clock(uint64_t ms, const char *none, char text[FIGURE_LEN])
{
    return ms == MODEL_UNKNOWN ? say_none(none, text) : units_format_clock(ms, text);
}

const char *figure_elapsed(uint64_t ms, char text[FIGURE_LEN])
{
    unsigned s = (unsigned)(ms / 1000 % 60), min = (unsigned)(ms / 60000 % 60);
    if (ms < 3600000)
        snprintf(text, FIGURE_LEN, "%02u:%02u", min, s);
    else
        snprintf(text, FIGURE_LEN, "%" PRIu64 ":%02u:%02u", ms / 3600000, min, s);
    return text;
}

const char *figure_short_time(uint64_t ms, const char *none, char text[FIGURE_LEN])
{
    if (ms == MODEL_UNKNOWN)
        return say_none(none, text);
    if (ms < 3600000)
        snprintf(text, FIGURE_LEN, "%" PRIu64 ":%02" PRIu64, ms / 60000, ms / 1000 % 60);
    else if (ms < UINT64_C(100) * 3600000)
        snprintf(text, FIGURE_LEN, "%" PRIu64 "h%02" PRIu64 "m", ms / 3600000, ms / 60000 % 60);
    else
        g_strlcpy(text, ">99h", FIGURE_LEN);
    return text;
}

const char *figure_estimate(uint64_t ms, const char *none, char text[FIGURE_LEN])
{
    if (ms == MODEL_UNKNOWN)
        return say_none(none, text);
    uint64_t s = ms / 1000 + (ms % 1000 >= 500), ten = (s + 5) / 10 * 10, min = (s + 30) / 60;
    if (s < 120)
        snprintf(text, FIGURE_LEN, "~%" PRIu64 " s", s);
    else if (ten < 600)
        snprintf(text, FIGURE_LEN, "~%" PRIu64 "m%02" PRIu64 "s", ten / 60, ten % 60);
    else if (min < 120)
        snprintf(text, FIGURE_LEN, "~%" PRIu64 " min", min);
    else
        snprintf(text, FIGURE_LEN, "~%" PRIu64 "h%02" PRIu64 "m", min / 60, min % 60);
    return text;
}

const char *figure_ratio(uint64_t read, uint64_t written, const char *none, char text[FIGURE_LEN])
{
    if (!written || !read || read == MODEL_UNKNOWN || written == MODEL_UNKNOWN)
        return say_none(none, text);
    double ratio = (double)read / (double)written;
    if (ratio >= 1000)
        g_strlcpy(text, ">999:1", FIGURE_LEN);
    else
        snprintf(text, FIGURE_LEN, ratio < 10 ? "%.2f:1" : "%.0f:1", ratio);
    return text;
}

const char *figure_pad(char text[FIGURE_LEN], int columns)
{
    char plain[FIGURE_LEN];
    int blanks = columns - (int)g_utf8_strlen(text, -1);
    if (blanks <= 0)
        return text;
    g_strlcpy(plain, text, sizeof plain);
    g_snprintf(text, FIGURE_LEN, "%*s%s", blanks, "", plain);
    return text;
}

const char *figure_exact(uint64_t number, char text[FIGURE_LEN])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *out = text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *out++ = ' ';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

const char *figure_time_of_day(int64_t when_s, char text[FIGURE_LEN])
{
    time_t when = (time_t)when_s;
    struct tm tm;
    if (!localtime_r(&when, &tm) || !strftime(text, FIGURE_LEN, "%H:%M:%S", &tm))
        g_strlcpy(text, "--:--:--", FIGURE_LEN);
    return text;
}
