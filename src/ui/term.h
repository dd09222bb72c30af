// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A terminal that never stops the program. curses draws into memory; term_pump() hands the bytes to the
 * terminal as fast as it takes them, without ever waiting. While some are still under way, new frames are
 * dropped: a frozen terminal, a stalled ssh or Ctrl-S costs frames and nothing else. Its files are the only ones that
 * know curses.
 *
 *     struct term_screen *t = term_new(&(struct term_options){.fd = tty, .type = getenv("TERM")}, &error);
 *     term_theme(t, &theme);
 *     if (term_draw(t, canvas)) … term_pump(t);   // watch fd for WRITABLE while term_pending(t)
 *     uint32_t key; while (term_key(t, &key)) …   // when fd is readable
 *
 * One at a time: curses has global state.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "ui/canvas.h"
#include "ui/theme.h"

struct term_options {
    int fd;            /* non-blocking; stays the caller's */
    const char *type;  /* as TERM names it */
    int width, height; /* 0 = ask the terminal */
    bool is_mono;      /* attributes, but no colours */
    bool has_rgb;      /* the terminal shows any colour (COLORTERM); used where terminfo has a "-direct" of it */
    bool has_title;    /* term_title() will be used: a crash gives the old one back, too */
    bool has_sync;     /* it can hold a frame back until it is whole (ui/probe.h) */
};

struct term_screen;
/* Fails where nothing can be placed on the screen (TERM=dumb, or neither it nor its kin is known). The screen
 * is taken at the first frame. */
struct term_screen *term_new(const struct term_options *options, GError **error);
/* Gives the screen back and waits a moment (200 ms) for the terminal to take it. */
void term_free(struct term_screen *t);
void term_theme(struct term_screen *t, const struct theme *theme);
/* False when the frame was dropped: bytes are still pending. */
bool term_draw(struct term_screen *t, const struct canvas *c);
/* Writes what the terminal takes now; true when nothing is left. */
bool term_pump(struct term_screen *t);
size_t term_pending(const struct term_screen *t);
/* The next key typed (ui/keymap.h); false when there is none. */
bool term_key(struct term_screen *t, uint32_t *key);
/* The next frame draws every cell anew. */
void term_redraw(struct term_screen *t);
void term_resize(struct term_screen *t, int width, int height);
/* Leaves the screen, as for a stop; term_draw() takes it again. */
void term_leave(struct term_screen *t);
/* Where the last UI_KEY_PRESS was. */
void term_press(const struct term_screen *t, int *x, int *y);
/* Presses and the wheel as keys UI_KEY_PRESS, UI_KEY_WHEEL_UP and _DOWN; off at first, since it takes selecting from
 * the terminal. */
void term_mouse(struct term_screen *t, bool is_on);
/* Shows a title ("26% web-01") until the screen is left; the one before comes back then. Dropped like a frame. */
void term_title(struct term_screen *t, const char *title);
void term_bell(struct term_screen *t);
/* The entry that stands in for an unknown type; "" = its own was found. */
const char *term_stand_in(const struct term_screen *t);
/* What gives the terminal back in one go: for a crash. */
const char *term_farewell(const struct term_screen *t);
