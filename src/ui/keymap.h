// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Keys as the screen knows them: a Unicode character, or one of these. The command table names them ("Up k", "Ctrl-L");
 * an operator may bind them otherwise ([keys] of the configuration: "limit=L", "pause=p Space").
 *
 *     if (!keymap_load(file, text, "config", &error)) …      // "config:7: pause: p is taken by retry"
 *     const struct command_entry *entry = keymap_command(key, model->phase);
 */
#include <stdbool.h>
#include <stdint.h>
#include "model/command.h"

enum ui_key_code {
    UI_KEY_CTRL_C = 3,
    UI_KEY_TAB = 9,
    UI_KEY_CTRL_L = 12,
    UI_KEY_ENTER = 13,
    UI_KEY_CTRL_U = 21,
    UI_KEY_ESC = 27,
    UI_KEY_SPACE = 32,
    UI_KEY_BACKSPACE = 127,
    UI_KEY_UP = 0x110000, /* beyond Unicode */
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_F1,
    UI_KEY_WHEEL_UP,
    UI_KEY_WHEEL_DOWN,
    UI_KEY_PRESS,
    UI_KEY_UNKNOWN,
    UI_KEY_ROW = 0x200000, /* + n: row n was pressed */
};
#define KEY_NAME_LEN 16

/* "x", "Up", "Ctrl-L": as in the command table. */
const char *keymap_name(uint32_t key, char name[KEY_NAME_LEN]);
/* And back; 0 when no key is called so. */
uint32_t keymap_key(const char *name);
/* What the key means in this phase, NULL = nothing. */
const struct command_entry *keymap_command(uint32_t key, enum model_phase phase);
/* A command's keys, with blanks between: what help shows. "" when it has none. */
const char *keymap_all(const struct command_entry *entry);
/* The first of them: what the bar shows. */
const char *keymap_first(const struct command_entry *entry, char name[KEY_NAME_LEN]);
/* The same by its verb: for sentences that say what to press. */
const char *keymap_of(enum command_verb verb, char name[KEY_NAME_LEN]);

/* Takes [keys] of a configuration: "command=keys", blanks between the keys. text and source are for errors only.
 * VMB_ERROR_USAGE names line and key: no such command, no such key, or a key that would do two things on one screen;
 * then nothing has changed. */
bool keymap_load(GKeyFile *file, const char *text, const char *source, GError **error);
/* As it was built. */
void keymap_reset(void);
