// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/keyvals.h"

#include <stdbool.h>
#include <string.h>

/* Pieces between single commas, still escaped. */
static GPtrArray *split(const char *text)
{
    GPtrArray *pieces = g_ptr_array_new_with_free_func(g_free);
    const char *start = text, *at = text;
    for (;; at++) {
        if (at[0] == ',' && at[1] == ',') {
            at++;
        } else if (*at == ',' || !*at) {
            g_ptr_array_add(pieces, g_strndup(start, (gsize)(at - start)));
            start = at + 1;
        }
        if (!*at)
            return pieces;
    }
}

static bool has_key(const char *piece, const char *key)
{
    size_t len = strlen(key);
    return !strncmp(piece, key, len) && piece[len] == '=';
}

static char *unescape(const char *text)
{
    GString *out = g_string_new(NULL);
    for (; *text; text++) {
        g_string_append_c(out, *text);
        if (text[0] == ',' && text[1] == ',')
            text++;
    }
    return g_string_free(out, FALSE);
}

char *keyvals_get(const char *text, const char *key)
{
    g_autoptr(GPtrArray) pieces = split(text);
    for (unsigned i = 0; i < pieces->len; i++)
        if (has_key(pieces->pdata[i], key))
            return unescape((const char *)pieces->pdata[i] + strlen(key) + 1);
    return NULL;
}

char *keyvals_kind(const char *text)
{
    g_autoptr(GPtrArray) pieces = split(text);
    const char *first = pieces->pdata[0];
    return strchr(first, '=') ? NULL : unescape(first);
}

char *keyvals_escape(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    return g_strjoinv(",,", parts);
}

char *keyvals_without(const char *text, const char *const *keys)
{
    g_autoptr(GPtrArray) pieces = split(text);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    for (unsigned i = 0; i < pieces->len; i++) {
        bool is_dropped = false;
        for (const char *const *key = keys; *key; key++)
            is_dropped |= has_key(pieces->pdata[i], *key);
        if (!is_dropped)
            g_ptr_array_add(kept, pieces->pdata[i]);
    }
    g_ptr_array_add(kept, NULL);
    return g_strjoinv(",", (char **)kept->pdata);
}
