// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/keymap.h"

#include <stdio.h>
#include <string.h>

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

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; at; at = strchr(at, ' '), at = at ? at + 1 : NULL)
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

const struct command_entry *keymap_command(uint32_t key, enum model_phase phase)
{
    char name[KEY_NAME_LEN];
    keymap_name(key, name);
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        if (entry->keys && (entry->phases & COMMAND_IN(phase)) && has_word(entry->keys, name))
            return entry;
    }
    return NULL;
}

const char *keymap_first(const struct command_entry *entry, char name[KEY_NAME_LEN])
{
    const char *keys = entry->keys ? entry->keys : "";
    g_strlcpy(name, keys, MIN(strcspn(keys, " ") + 1, KEY_NAME_LEN));
    return name;
}

const char *keymap_of(enum command_verb verb, char name[KEY_NAME_LEN])
{
    const struct command_entry *entry = command_entry_of(verb);
    name[0] = '\0';
    return entry ? keymap_first(entry, name) : name;
}
