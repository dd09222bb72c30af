// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/mask.h"

#include <stdbool.h>
#include <string.h>

#include "guest/keyvals.h"
#include "guest/option.h"

#define MASK     "***"
#define MAX_SEEN 256

/* Parts of keys that announce a secret. */
static const char *const telltales[] = {"pass", "secret", "key", "data", "token",
                                        "cred", "auth",   "osk", "user", "string"};
/* Options that are nothing but data of others. */
static const char *const closed[] = {"-fw_cfg", "-smbios", "-append", "-acpitable", "-prom-env", NULL};

static bool has_telltale(const char *text)
{
    g_autofree char *small = g_ascii_strdown(text, -1);
    for (unsigned i = 0; i < G_N_ELEMENTS(telltales); i++)
        if (strstr(small, telltales[i]))
            return true;
    return false;
}

/* "//user:word@host", "…:key=word", "?sig=word", JSON within a value. */
static bool is_open(const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._+-:/,#@[]()";
    bool has_user = strstr(value, "//") && strchr(value, '@');
    return !has_user && strlen(value) <= MAX_SEEN && strspn(value, plain) == strlen(value);
}

static char *mask_pairs(const char *text, const char *implied)
{
    g_autoptr(GPtrArray) kv = keyvals_parse(text, implied);
    bool is_changed = !kv;
    for (unsigned i = 0; kv && i < kv->len; i++) {
        struct keyval *pair = kv->pdata[i];
        const char *dot = strrchr(pair->key, '.');
        if (is_open(pair->key) && is_open(pair->value) && !has_telltale(dot ? dot + 1 : pair->key))
            continue;
        if (!is_open(pair->key)) {
            g_free(pair->key);
            pair->key = g_strdup(MASK);
        }
        g_free(pair->value);
        pair->value = g_strdup(MASK);
        is_changed = true;
    }
    return !is_changed ? g_strdup(text) : kv ? keyvals_format(kv, implied) : g_strdup(MASK);
}

char **mask_arguments(char *const *argv)
{
    GPtrArray *out = g_ptr_array_new();
    const struct option_rule *rule = NULL; /* whose argument comes next */
    for (; *argv; argv++) {
        bool is_value = rule && option_has_argument(rule) && (rule->kind != OPTION_UNKNOWN || **argv != '-');
        if (!is_value && **argv == '-') {
            rule = option_find(*argv);
            g_ptr_array_add(out, is_open(*argv) ? g_strdup(*argv) : g_strdup(MASK));
            continue;
        }
        bool is_closed = rule && is_value && g_strv_contains(closed, rule->name);
        g_ptr_array_add(out,
                        is_closed ? g_strdup(MASK) : mask_pairs(*argv, rule && rule->implied ? rule->implied : "word"));
        rule = NULL;
    }
    g_ptr_array_add(out, NULL);
    return (char **)g_ptr_array_free(out, FALSE);
}

static bool is_secretive(const char *word)
{
    const char *equals = strchr(word, '=');
    return (equals && has_telltale(word)) || (strstr(word, "//") && strchr(word, '@'));
}

char *mask_text(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (char **word = words; *word; word++)
        if (is_secretive(*word)) {
            g_free(*word);
            *word = g_strdup(MASK);
        }
    return g_strjoinv(" ", words);
}
