// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <glib.h>
#include <string.h>

/* C0, DEL and C1 steer terminals; the separators end a line for some readers; the bidi controls let a name
 * show as another one. */
static bool is_harmful(gunichar c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* Bytes of the character at `from` when it may stay, else 0; *skip: bytes that its '?' stands for. */
static size_t safe_bytes(const char *from, size_t left, size_t *skip)
{
    gunichar c = g_utf8_get_char_validated(from, (gssize)left);
    *skip = 1;
    if (*from == '\0' || c == (gunichar)-1 || c == (gunichar)-2)
        return 0;
    *skip = (size_t)(g_utf8_next_char(from) - from);
    return is_harmful(c) ? 0 : *skip;
}

/* `to` may be `from`: nothing grows. Returns the bytes written, without a NUL. */
static size_t copy_safe(char *to, const char *from, size_t len)
{
    size_t written = 0, skip;
    for (size_t at = 0; at < len; at += skip) {
        size_t keep = safe_bytes(from + at, len - at, &skip);
        if (keep)
            memmove(to + written, from + at, keep);
        else
            to[written] = '?';
        written += keep ? keep : 1;
    }
    return written;
}

char *text_make_safe_len(const char *bytes, size_t len)
{
    char *safe = g_malloc(len + 1);
    safe[copy_safe(safe, bytes, len)] = '\0';
    return safe;
}

char *text_make_safe(const char *text)
{
    return text ? text_make_safe_len(text, strlen(text)) : NULL;
}

char *text_make_lines_safe(const char *text)
{
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
    for (unsigned i = 0; lines && lines[i]; i++)
        text_make_safe_inplace(lines[i]);
    return lines ? g_strjoinv("\n", lines) : NULL;
}

void text_make_safe_inplace(char *text)
{
    text[copy_safe(text, text, strlen(text))] = '\0';
}

size_t text_cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return len;
    len = max;
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

bool text_copy(char *field, size_t size, const char *text)
{
    g_autofree char *safe = text_make_safe(text ? text : "");
    size_t len = text_cut(safe, size - 1);
    memcpy(field, safe, len);
    field[len] = '\0';
    return safe[len] == '\0';
}
