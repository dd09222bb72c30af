// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A framed part of the screen with named facts, one below the other; private to src/ui. Where there is no room for a
 * frame it is the whole screen above the last two lines. What does not fit at the bottom is left out: the first facts
 * are those worth most.
 *
 *     struct pane p = pane_open(scene, 76, 17, "scsi1  (2 of 7)");
 *     pane_fact(&p, "size", "%s", …);
 *     pane_text(&p, "hint", 2, row->hint);      // wrapped
 *     pane_close(&p, "Esc back");
 */
#include "ui/screen.h"

#define PANE_NAME_COLUMNS 9

struct pane {
    const struct scene *s;
    int x, y, width; /* where the next line begins, and how wide it is */
    int end;         /* the first line below it, at most */
    bool has_frame;
};

/* width is what is wanted, height the most that may be, frame included. */
struct pane pane_open(const struct scene *s, int width, int height, const char *title);
/* The frame's last line, right below what was drawn. */
void pane_close(struct pane *p, const char *keys);
/* The next lines, emptied; returns the first of them. */
int pane_take(struct pane *p, int lines);
int pane_room(const struct pane *p);
/* A line with its name written: the rest of it is the caller's. False when there is no room; then it draws nothing. */
bool pane_line(struct pane *p, const char *name, struct pen *pen);
void pane_fact(struct pane *p, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
void pane_text(struct pane *p, const char *name, int max_lines, enum ui_role role, const char *text);
/* An empty line, while at least so many lines are left for what follows. */
void pane_gap(struct pane *p, int needed);

/* A box filled with blanks. */
void pane_frame(const struct scene *s, int x, int y, int width, int height);
