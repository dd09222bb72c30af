// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The operator's terminal with all that is shown on it; no loop, no engine. Taken at the first frame, given
 * back by screen_close() and by any crash.
 */
#include <signal.h>
#include "console/options.h"
#include "ui/term.h"
#include "ui/ui.h"

struct screen {
    int fd; /* our own open of the terminal: to be watched by the loop */
    struct termios *before;
    sigset_t signals_before; /* blocked until screen_is_guarded(): they would leave the terminal raw */
    struct term_screen *term;
    struct canvas *canvas;
    GArray *themes;         /* struct theme_entry */
    const char *theme_file; /* asked for by its path, NULL = none */
    struct theme theme;
    const struct glyphs *set;
    struct glyphs glyphs; /* the set, with the theme's own signs */
    bool has_mouse;
    struct ui ui;
};

/* False with a sentence where there can be no screen; then lines must do. */
bool screen_open(struct screen *s, const struct console_options *o, GError **error);
/* Signals are caught now. */
void screen_is_guarded(struct screen *s);
/* The terminal as it was. */
void screen_close(struct screen *s);
/* Before stopping, and after. */
void screen_suspend(struct screen *s);
void screen_resume(struct screen *s);
/* Follows the terminal's size. */
void screen_resize(struct screen *s);
/* False when the frame was dropped. */
bool screen_draw(struct screen *s, const struct model *m);
/* The next key typed; a press is the key it means, or none. */
bool screen_key(struct screen *s, uint32_t *key);
void screen_toggle_mouse(struct screen *s);
/* The list read anew, which is taken: what is shown is shown as its file has it now. */
void screen_take_themes(struct screen *s, GArray *themes);
/* By its place in the list; a broken one says what is wrong with it. */
void screen_show_theme(struct screen *s, unsigned index);
