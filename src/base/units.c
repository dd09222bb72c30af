// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/units.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const char unit_letters[] = "KMGTP";
#define MAX_HOURS 999999 /* more does not fit into UNITS_LEN, and is nobody's time */

/* ---- text to number ---- */

/* Lower case, blanks taken out, ',' as '.'. */
static char *squeeze(const char *text)
{
    GString *out = g_string_new(NULL);
    for (; *text; text++)
        if (!g_ascii_isspace(*text))
            g_string_append_c(out, *text == ',' ? '.' : g_ascii_tolower(*text));
    return g_string_free(out, FALSE);
}

/* The shift of a unit letter, 0 for none; steps over it and over what may follow: (i?B)?(/s)?. */
static unsigned take_unit(const char **at)
{
    unsigned shift = 0;
    const char *letter = **at ? strchr(unit_letters, g_ascii_toupper(**at)) : NULL;
    if (letter) {
        shift = 10 * (unsigned)(letter - unit_letters + 1);
        ++*at;
    }
    if (g_str_has_prefix(*at, "ib"))
        *at += 2;
    else if (**at == 'b')
        ++*at;
    if (g_str_has_prefix(*at, "/s"))
        *at += 2;
    return shift;
}

/* 0.DIGITS of 2^shift, rounded down. From the last digit to the first it is exact without a wider type. */
static uint64_t fraction_of(const char *digits, size_t n, unsigned shift)
{
    uint64_t value = 0;
    while (n--)
        value = (((uint64_t)(digits[n] - '0') << shift) + value) / 10;
    return value;
}

/* NULL when it is a size, else what is wrong with it. */
static const char *parse_squeezed(const char *text, uint64_t *bytes)
{
    if (g_str_equal(text, "none") || g_str_equal(text, "unlimited")) {
        *bytes = 0;
        return NULL;
    }
    const char *at = text + strspn(text, "0123456789");
    if (at == text)
        return "not a size; write it like 512M or 1.5G";
    const char *fraction = at;
    size_t n_fraction = 0;
    if (*at == '.') {
        n_fraction = strspn(++fraction, "0123456789");
        at = fraction + n_fraction;
        if (!n_fraction)
            return "digits are missing after the point";
    }
    unsigned shift = take_unit(&at);
    if (*at)
        return "not a size; write it like 512M or 1.5G";
    guint64 whole; /* at most INT64_MAX bytes: QMP and file offsets have no more */
    g_autofree char *digits = g_strndup(text, strspn(text, "0123456789"));
    if (!g_ascii_string_to_unsigned(digits, 10, 0, INT64_MAX >> shift, &whole, NULL))
        return "too large";
    *bytes = (whole << shift) + fraction_of(fraction, n_fraction, shift);
    bool is_zero = text[strspn(text, "0.")] < '1' || text[strspn(text, "0.")] > '9';
    return *bytes || is_zero ? NULL : "less than one byte; for no limit write 0";
}

bool units_parse_size(const char *text, uint64_t *bytes, GError **error)
{
    g_autofree char *squeezed = squeeze(text);
    const char *wrong = *squeezed ? parse_squeezed(squeezed, bytes) : "empty; write it like 512M or 1.5G";
    if (!wrong)
        return true;
    g_autofree char *safe = text_make_safe(text);
    return vmb_fail(error, VMB_ERROR_USAGE, "size '%.40s': %s", safe, wrong);
}

/* ---- number to text ---- */

/* The number in hundredths of 2^shift, rounded. 2^54 keeps `* 100` within 64 bits. */
static uint64_t hundredths(uint64_t bytes, unsigned shift)
{
    while (bytes >> 54) {
        bytes >>= 10;
        shift -= 10;
    }
    return (bytes * 100 + ((uint64_t)1 << shift >> 1)) >> shift;
}

/* From the terabyte on a second decimal is worth its room: 0.1T is 100 G. */
static void format_scaled(uint64_t value, unsigned unit, char text[UNITS_LEN])
{
    char letter = unit_letters[unit - 1];
    bool is_coarse = letter == 'T' || letter == 'P';
    uint64_t tenths = (value + 5) / 10;
    if (is_coarse && value < 1000)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 ".%02" PRIu64 "%c", value / 100, value % 100, letter);
    else if (tenths < 1000)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, letter);
    else
        g_snprintf(text, UNITS_LEN, "%" PRIu64 "%c", (value + 50) / 100, letter);
}

const char *units_format_size(uint64_t bytes, char text[UNITS_LEN])
{
    if (bytes == UINT64_MAX) {
        strcpy(text, "-");
    } else if (bytes < 1024) {
        g_snprintf(text, UNITS_LEN, "%" PRIu64, bytes);
    } else {
        unsigned unit = 1;
        uint64_t value = hundredths(bytes, 10);
        /* Decided after rounding: 1023.9 K is 1.0 M, not 1024 K. */
        while ((value + 50) / 100 >= 1024 && unit < strlen(unit_letters))
            value = hundredths(bytes, 10 * ++unit);
        format_scaled(value, unit, text);
    }
    return text;
}

const char *units_format_rate(uint64_t bytes_per_s, char text[UNITS_LEN])
{
    units_format_size(bytes_per_s, text);
    if (bytes_per_s && bytes_per_s != UINT64_MAX)
        g_strlcat(text, "/s", UNITS_LEN);
    return text;
}

const char *units_format_ms(uint64_t ms, char text[UNITS_LEN])
{
    uint64_t s = (ms / 500 + 1) / 2; /* rounded */
    if (ms == UINT64_MAX)
        strcpy(text, "-");
    else if (ms < 1000)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 "ms", ms);
    else if (ms < 9950)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 ".%" PRIu64 "s", (ms + 50) / 1000, (ms + 50) / 100 % 10);
    else if (s < 60)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 "s", s);
    else if (s < 3600)
        g_snprintf(text, UNITS_LEN, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else
        g_snprintf(text, UNITS_LEN, "%" PRIu64 "h%02" PRIu64 "m", MIN(s / 3600, MAX_HOURS), s / 60 % 60);
    return text;
}

const char *units_format_clock(uint64_t ms, char text[UNITS_LEN])
{
    uint64_t s = ms / 1000;
    if (ms == UINT64_MAX)
        strcpy(text, "-");
    else
        g_snprintf(text, UNITS_LEN, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, MIN(s / 3600, MAX_HOURS), s / 60 % 60,
                   s % 60);
    return text;
}
