// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/keymap.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "ui/keyfile.h"

static const struct {
    uint32_t key;
    const char *name;
} names[] = {
    {UI_KEY_TAB, "Tab"},
    {UI_KEY_ENTER, "Enter"},
    {UI_KEY_ESC, "Esc"},
    {UI_KEY_SPACE, "Space"},
    {UI_KEY_UP, "Up"},
    {UI_KEY_DOWN, "Down"},
    {UI_KEY_BACKSPACE, "Backspace"},
    {UI_KEY_LEFT, "Left"},
    {UI_KEY_RIGHT, "Right"},
    {UI_KEY_PAGE_UP, "PgUp"},
    {UI_KEY_PAGE_DOWN, "PgDn"},
    {UI_KEY_HOME, "Home"},
    {UI_KEY_END, "End"},
    {UI_KEY_F1, "F1"},
    {UI_KEY_UNKNOWN, "this key"},
};

const char *keymap_name(uint32_t key, char name[KEY_NAME_LEN])
{
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].key == key) {
            g_strlcpy(name, names[i].name, KEY_NAME_LEN);
            return name;
        }
    if (key < 32)
        snprintf(name, KEY_NAME_LEN, "Ctrl-%c", (int)key + '@');
    else if (g_unichar_validate(key) && g_unichar_isprint(key))
        name[g_unichar_to_utf8(key, name)] = '\0';
    else
        g_strlcpy(name, "this key", KEY_NAME_LEN);
    return name;
}

uint32_t keymap_key(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].key != UI_KEY_UNKNOWN && g_str_equal(names[i].name, name))
            return names[i].key;
    if (g_str_has_prefix(name, "Ctrl-"))
        return name[5] >= 'A' && name[5] <= 'Z' && !name[6] ? (uint32_t)(name[5] - '@') : 0;
    bool is_one = g_utf8_validate(name, -1, NULL) && g_utf8_strlen(name, -1) == 1;
    return is_one && g_unichar_isgraph(g_utf8_get_char(name)) ? g_utf8_get_char(name) : 0;
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; at; at = strchr(at, ' '), at = at ? at + 1 : NULL)
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

/* ---- as the operator wants them ---- */

static char *bound[COMMAND_VERBS]; /* NULL: as the table has it */

static const char *keys_of(const struct command_entry *entry, char *const *own)
{
    return own[entry->verb] ? own[entry->verb] : entry->keys;
}

static const struct command_entry *entry_at(const char *key, unsigned phases, char *const *own)
{
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        const char *keys = keys_of(entry, own);
        if (keys && (entry->phases & phases) && has_word(keys, key))
            return entry;
    }
    return NULL;
}

const struct command_entry *keymap_command(uint32_t key, enum model_phase phase)
{
    char name[KEY_NAME_LEN];
    return entry_at(keymap_name(key, name), COMMAND_IN(phase), bound);
}

const char *keymap_all(const struct command_entry *entry)
{
    const char *keys = keys_of(entry, bound);
    return keys ? keys : "";
}

const char *keymap_first(const struct command_entry *entry, char name[KEY_NAME_LEN])
{
    const char *keys = keys_of(entry, bound) ? keys_of(entry, bound) : "";
    g_strlcpy(name, keys, MIN(strcspn(keys, " ") + 1, KEY_NAME_LEN));
    return name;
}

const char *keymap_of(enum command_verb verb, char name[KEY_NAME_LEN])
{
    const struct command_entry *entry = command_entry_of(verb);
    name[0] = '\0';
    return entry ? keymap_first(entry, name) : name;
}

void keymap_reset(void)
{
    for (unsigned i = 0; i < COMMAND_VERBS; i++)
        g_clear_pointer(&bound[i], g_free);
}

/* ---- the configuration ---- */

static bool refuse(const char *text, const char *source, const char *key, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
static bool refuse(const char *text, const char *source, const char *key, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *line = g_strdup_printf("%s:%u: %s: %s", source, keyfile_line(text, "keys", key), key, why);
    g_autofree char *safe = text_make_safe(line);
    return vmb_fail(error, VMB_ERROR_USAGE, "%s", safe);
}

/* A key may mean two things only where the two are never valid on one screen. */
static bool check_clash(const char *word, const struct command_entry *entry, const char *key, char *const *own,
                        const char *text, const char *source, GError **error)
{
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *other = &command_table[i];
        const char *keys = keys_of(other, own);
        if (other != entry && keys && (other->phases & entry->phases) && has_word(keys, key))
            return refuse(text, source, word, error, "%s is taken by %s", key, other->word);
    }
    return true;
}

static bool check(GStrv commands, char *const *own, const char *text, const char *source, GError **error)
{
    for (unsigned i = 0; commands[i]; i++) {
        const struct command_entry *entry = command_entry_of_word(commands[i]);
        g_auto(GStrv) keys = g_strsplit(own[entry->verb], " ", -1);
        for (unsigned k = 0; keys[k]; k++) {
            if (!keymap_key(keys[k]))
                return refuse(text, source, commands[i], error, "no key is called '%s'", keys[k]);
            if (!check_clash(commands[i], entry, keys[k], own, text, source, error))
                return false;
        }
    }
    return true;
}

/* One blank between the keys, none around them. */
static char *tidy(const char *keys)
{
    g_auto(GStrv) parts = g_strsplit_set(keys, " \t", -1);
    GString *all = g_string_new(NULL);
    for (unsigned i = 0; parts[i]; i++)
        if (*parts[i])
            g_string_append_printf(all, "%s%s", all->len ? " " : "", parts[i]);
    return g_string_free(all, FALSE);
}

/* Ctrl-C always asks to leave, whatever else does. */
static char *keys_from(GKeyFile *file, const struct command_entry *entry, const char *command)
{
    g_autofree char *value = g_key_file_get_string(file, "keys", command, NULL), *keys = tidy(value ? value : "");
    if (entry->verb == COMMAND_QUIT && !has_word(keys, "Ctrl-C"))
        return g_strjoin(*keys ? " " : "", keys, "Ctrl-C", NULL);
    return g_steal_pointer(&keys);
}

bool keymap_load(GKeyFile *file, const char *text, const char *source, GError **error)
{
    char *own[COMMAND_VERBS] = {NULL};
    g_auto(GStrv) commands = g_key_file_get_keys(file, "keys", NULL, NULL);
    bool is_good = true;
    for (unsigned i = 0; is_good && commands && commands[i]; i++) {
        const struct command_entry *entry = command_entry_of_word(commands[i]);
        if (!entry || !entry->keys)
            is_good =
                refuse(text, source, commands[i], error, "no key has such a command; see the help in the console");
        else
            own[entry->verb] = keys_from(file, entry, commands[i]);
    }
    is_good = is_good && (!commands || check(commands, own, text, source, error));
    if (is_good)
        keymap_reset();
    for (unsigned i = 0; i < COMMAND_VERBS; i++)
        if (is_good)
            bound[i] = own[i];
        else
            g_free(own[i]);
    return is_good;
}
