// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A grid of cells, each a glyph and a role. Screens draw into it by pure functions; term.c shows it, tests
 * read it as text. Everything is clipped: nothing can be drawn outside, whatever the numbers say.
 *
 *     struct pen pen = pen_at(canvas, 1, 0, canvas->width - 1);      // one line, left to right
 *     pen_text(&pen, ROLE_TEXT_STRONG, "%s", guest);
 *     pen_gap(&pen, 2);
 *     pen_right(&pen, ROLE_TEXT, "%s", clock);                       // takes room from the right end
 *
 * Texts are UTF-8. Columns are counted by the characters' width, not by bytes; a text that is cut ends in
 * '…'. On an ASCII canvas every other character is put as its nearest ASCII one, or '?'.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "ui/role.h"

#define CANVAS_GLYPH_LEN 8

struct canvas_cell {
    char glyph[CANVAS_GLYPH_LEN]; /* one character, ""  = the right half of a wide one */
    uint8_t role;                 /* enum ui_role */
    uint32_t link;                /* the key that a press on it is, 0 = none */
};
struct canvas {
    int width, height;
    bool is_ascii;
    int cursor_x, cursor_y; /* where a text is being typed, -1 = nowhere */
    struct canvas_cell *cells;
};

struct canvas *canvas_new(int width, int height, bool is_ascii);
void canvas_free(struct canvas *c);
void canvas_resize(struct canvas *c, int width, int height);
void canvas_clear(struct canvas *c);

/* Columns the text takes. */
int canvas_text_width(const char *text);
/* At most width columns from (x, y); returns the columns used. */
int canvas_put(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text);
/* The same, cut at its beginning: for paths. */
int canvas_put_tail(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text);
/* Wrapped at blanks, at most so many lines; returns the lines used. */
int canvas_put_wrapped(struct canvas *c, int x, int y, int width, int max_lines, enum ui_role role, const char *text);
/* The lines canvas_put_wrapped() would use. */
int canvas_wrapped_height(const struct canvas *c, int width, int max_lines, const char *text);
/* Right-aligned in width columns; a number that does not fit becomes "#": half a number would be a lie. */
void canvas_put_number(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text);
void canvas_fill(struct canvas *c, int x, int y, int width, int height, enum ui_role role, const char *glyph);
/* Changes the role of what stands there. */
void canvas_paint(struct canvas *c, int x, int y, int width, enum ui_role role);
/* A press there is that key (ui/keymap.h), until something else is put there. */
void canvas_link(struct canvas *c, int x, int y, int width, uint32_t key);
/* 0 where a press is nothing. */
uint32_t canvas_link_at(const struct canvas *c, int x, int y);
/* The first lines are no keys any more: something lies before them. */
void canvas_unlink(struct canvas *c, int lines);
/* Lines with '\n', blanks at their ends taken away. */
char *canvas_dump(const struct canvas *c);

/* A line being written: [x, end) is still free. */
struct pen {
    struct canvas *canvas;
    int x, y, end;
};
struct pen pen_at(struct canvas *c, int x, int y, int width);
int pen_room(const struct pen *pen);
void pen_gap(struct pen *pen, int columns);
void pen_text(struct pen *pen, enum ui_role role, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Only when all of it fits; false otherwise, and nothing is drawn. */
bool pen_try(struct pen *pen, enum ui_role role, const char *format, ...) G_GNUC_PRINTF(3, 4);
bool pen_right(struct pen *pen, enum ui_role role, const char *format, ...) G_GNUC_PRINTF(3, 4);
