// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/keyvals.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

static void keyval_free(void *item)
{
    struct keyval *kv = item;
    g_free(kv->key);
    g_free(kv->value);
    g_free(kv);
}

GPtrArray *keyvals_new(void)
{
    return g_ptr_array_new_with_free_func(keyval_free);
}

void keyvals_add(GPtrArray *keyvals, const char *key, const char *value)
{
    struct keyval *kv = g_new0(struct keyval, 1);
    kv->key = g_strdup(key);
    kv->value = g_strdup(value);
    g_ptr_array_add(keyvals, kv);
}

/* ---- text ---- */

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

/* One piece between single commas. */
static void add_piece(GPtrArray *keyvals, char *piece, const char *implied)
{
    char *equals = strchr(piece, '=');
    g_autofree char *value = NULL;
    if (equals) {
        *equals = '\0';
        value = unescape(equals + 1);
        keyvals_add(keyvals, piece, value);
    } else if (implied && !keyvals->len) {
        value = unescape(piece);
        keyvals_add(keyvals, implied, value);
    } else if (*piece) {
        keyvals_add(keyvals, piece, "on");
    }
}

static void parse_text(GPtrArray *keyvals, const char *text, const char *implied)
{
    const char *start = text;
    for (const char *at = text;; at++) {
        if (at[0] == ',' && at[1] == ',') {
            at++;
        } else if (*at == ',' || !*at) {
            g_autofree char *piece = g_strndup(start, (gsize)(at - start));
            add_piece(keyvals, piece, implied);
            start = at + 1;
        }
        if (!*at)
            return;
    }
}

/* ---- JSON ---- */

static void flatten(GPtrArray *keyvals, const char *key, struct json_object *o);

static void flatten_member(GPtrArray *keyvals, const char *key, const char *name, struct json_object *o)
{
    g_autofree char *path = key ? g_strconcat(key, ".", name, NULL) : g_strdup(name);
    flatten(keyvals, path, o);
}

/* No deeper than json-c reads: 32 levels. */
static void flatten(GPtrArray *keyvals, const char *key, struct json_object *o)
{
    if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, name, member) flatten_member(keyvals, key, name, member);
    } else if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            g_autofree char *name = g_strdup_printf("%zu", i);
            flatten_member(keyvals, key, name, json_object_array_get_idx(o, i));
        }
    } else if (json_object_is_type(o, json_type_boolean)) {
        keyvals_add(keyvals, key, json_object_get_boolean(o) ? "on" : "off");
    } else if (o) {
        keyvals_add(keyvals, key, json_object_get_string(o));
    }
}

GPtrArray *keyvals_parse(const char *text, const char *implied)
{
    g_autoptr(GPtrArray) keyvals = keyvals_new();
    if (*text != '{') {
        parse_text(keyvals, text, implied);
        return g_steal_pointer(&keyvals);
    }
    struct json_object *o = json_tokener_parse(text);
    bool is_object = json_object_is_type(o, json_type_object);
    if (is_object)
        flatten(keyvals, NULL, o);
    json_object_put(o);
    return is_object ? g_steal_pointer(&keyvals) : NULL;
}

/* ---- what is in it ---- */

static int find(const GPtrArray *keyvals, const char *key)
{
    for (unsigned i = keyvals->len; i-- > 0;)
        if (!strcmp(((struct keyval *)keyvals->pdata[i])->key, key))
            return (int)i;
    return -1;
}

const char *keyvals_get(const GPtrArray *keyvals, const char *key)
{
    int i = find(keyvals, key);
    return i < 0 ? NULL : ((struct keyval *)keyvals->pdata[i])->value;
}

void keyvals_drop(GPtrArray *keyvals, const char *key)
{
    for (int i; (i = find(keyvals, key)) >= 0;)
        g_ptr_array_remove_index(keyvals, (guint)i);
}

void keyvals_set(GPtrArray *keyvals, const char *key, const char *value)
{
    for (unsigned i = 0; i < keyvals->len; i++) {
        struct keyval *kv = keyvals->pdata[i];
        if (strcmp(kv->key, key))
            continue;
        g_autofree char *kept = g_steal_pointer(&kv->value);
        kv->value = g_strdup(value);
        while (find(keyvals, key) > (int)i)
            g_ptr_array_remove_index(keyvals, (guint)find(keyvals, key));
        return;
    }
    keyvals_add(keyvals, key, value);
}

char *keyvals_format(const GPtrArray *keyvals, const char *implied)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < keyvals->len; i++) {
        const struct keyval *kv = keyvals->pdata[i];
        g_auto(GStrv) parts = g_strsplit(kv->value, ",", -1);
        g_autofree char *value = g_strjoinv(",,", parts);
        bool is_bare = i == 0 && implied && !strcmp(kv->key, implied) && !strchr(value, '=') && *value != '{';
        g_string_append_printf(text, "%s%s%s%s", i ? "," : "", is_bare ? "" : kv->key, is_bare ? "" : "=", value);
    }
    return g_string_free(text, FALSE);
}
