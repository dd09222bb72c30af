// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the files of term.h share: term.c (the screen), term_keys.c (what is typed). */
#include <stdio.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "ui/term.h"

struct term_screen {
    int fd;
    int frame_fd; /* curses writes here */
    FILE *in, *out;
    SCREEN *screen;
    WINDOW *keys; /* a pad: reading keys from it never refreshes anything */
    enum theme_depth depth;
    bool is_direct, has_sync, has_title;
    bool has_event; /* of the mouse: perhaps there are more */
    int press_x, press_y;
    attr_t attributes[UI_ROLES_END];
    short pairs[UI_ROLES_END];
    GByteArray *pending;
    char stand_in[32];
    char farewell[200];
};
