// SPDX-License-Identifier: GPL-2.0-or-later
/* What is typed and pressed at the terminal, as keys of ui/keymap.h. */
#include "ui/keymap.h"
#include "ui/term_inside.h"

#define MAX_SEQUENCE 64

static const struct {
    wint_t code;
    uint32_t key;
} function_keys[] = {
    {KEY_UP, UI_KEY_UP},         {KEY_DOWN, UI_KEY_DOWN},           {KEY_LEFT, UI_KEY_LEFT}, {KEY_RIGHT, UI_KEY_RIGHT},
    {KEY_PPAGE, UI_KEY_PAGE_UP}, {KEY_NPAGE, UI_KEY_PAGE_DOWN},     {KEY_HOME, UI_KEY_HOME}, {KEY_END, UI_KEY_END},
    {KEY_ENTER, UI_KEY_ENTER},   {KEY_BACKSPACE, UI_KEY_BACKSPACE}, {KEY_F(1), UI_KEY_F1},
};

static uint32_t function_key(wint_t code)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(function_keys); i++)
        if (function_keys[i].code == code)
            return function_keys[i].key;
    return UI_KEY_UNKNOWN;
}

/* A sequence that curses does not know, as a late answer to a question: its letters are no keys. */
static bool swallow_sequence(struct term_screen *t)
{
    wint_t code;
    int kind = wget_wch(t->keys, &code);
    if (kind != OK || code != '[') {
        if (kind == OK)
            unget_wch((wchar_t)code);
        else if (kind == KEY_CODE_YES)
            ungetch((int)code);
        return false;
    }
    for (unsigned i = 0; i < MAX_SEQUENCE; i++)
        if (wget_wch(t->keys, &code) != OK || (code >= 0x40 && code < 0x7f))
            break;
    return true;
}

/* One KEY_MOUSE may stand for several events: they are taken until there is none. */
static uint32_t mouse_key(struct term_screen *t)
{
    MEVENT event;
    t->has_event = getmouse(&event) == OK;
    if (!t->has_event)
        return UI_KEY_UNKNOWN;
    t->press_x = event.x;
    t->press_y = event.y;
    if (event.bstate & BUTTON1_PRESSED)
        return UI_KEY_PRESS;
    if (event.bstate & BUTTON4_PRESSED)
        return UI_KEY_WHEEL_UP;
    return event.bstate & BUTTON5_PRESSED ? UI_KEY_WHEEL_DOWN : UI_KEY_UNKNOWN;
}

bool term_key(struct term_screen *t, uint32_t *key)
{
    wint_t code;
    int kind;
    if (t->has_event && (*key = mouse_key(t)) != UI_KEY_UNKNOWN)
        return true;
    do /* resizeterm() puts a KEY_RESIZE into the queue */
        kind = wget_wch(t->keys, &code);
    while ((kind == KEY_CODE_YES && code == KEY_RESIZE) || (kind == OK && code == UI_KEY_ESC && swallow_sequence(t)));
    if (kind == ERR)
        return false;
    if (kind == KEY_CODE_YES)
        *key = code == KEY_MOUSE ? mouse_key(t) : function_key(code);
    else if (code == '\n')
        *key = UI_KEY_ENTER;
    else
        *key = code == '\b' ? UI_KEY_BACKSPACE : (uint32_t)code;
    return true;
}

void term_press(const struct term_screen *t, int *x, int *y)
{
    *x = t->press_x;
    *y = t->press_y;
}

void term_mouse(struct term_screen *t, bool is_on)
{
    mouseinterval(0); /* else each press waits for a second one */
    mousemask(is_on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}
