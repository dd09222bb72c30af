// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The pieces ui_draw() puts together; private to src/ui. Each draws from plain values into a canvas. */
#include "ui/figures.h"
#include "ui/ui.h"

/* What is being drawn: borrowed for one frame. */
struct scene {
    const struct ui *ui;
    const struct model *m;
    const struct glyphs *glyphs;
    struct canvas *canvas;
    int64_t wall_s;
};

/* whole screens */
void screen_main(const struct scene *s);
void screen_connect(const struct scene *s);
void screen_plan(const struct scene *s);
void screen_finished(const struct scene *s);
/* The same as text, without message and keys: for a file. */
char *screen_finished_text(const struct scene *s);
void screen_help(const struct scene *s);
void screen_log(const struct scene *s);
void screen_detail(const struct scene *s);

/* header.c: one line each */
void header_guest(const struct scene *s, int y);
void header_phases(const struct scene *s, int y);
void header_total(const struct scene *s, int y);
/* Everything in one line, for where there is room for nothing else. */
void header_micro(const struct scene *s, int y);
/* facts.c: one line each */
void facts_sink(const struct scene *s, int y);
void facts_data(const struct scene *s, int y);
void facts_guest(const struct scene *s, int y);
/* What the guest's writes suffer, against how they were before. */
enum facts_impact { FACTS_IMPACT_UNKNOWN, FACTS_IMPACT_LOW, FACTS_IMPACT_MEDIUM, FACTS_IMPACT_HIGH };
enum facts_impact facts_impact(const struct model_impact *i);
/* A drive was taken anew: not all of the archive is of one moment. */
bool facts_instants_differ(const struct model *m);

/* table.c: rows from y on, the selected one always among them; a last line tells what is out of sight */
void table_heading(const struct scene *s, int y);
void table_rows(const struct scene *s, int y, int rows);
/* The same by who draws a row otherwise, without that line; returns the line below them. */
int table_plain_rows(const struct scene *s, int y, int rows, void (*draw)(const struct scene *s, int y, unsigned row));
/* The row's name in so many columns, as selected as it is. */
void table_name(const struct scene *s, struct pen *pen, int width, unsigned row);
/* One short sentence on how the row stands; "" when there is nothing to say. */
void table_note(const struct scene *s, unsigned row, char *text, size_t size);
/* First row to show so that the selected one of n is among the rows. */
unsigned table_first(unsigned selected, unsigned n, int rows);

/* How a row stands, with the two kinds of pause told apart. */
struct row_look {
    enum model_state state; /* for the sign */
    const char *word;
    enum ui_role role, bar;
};
struct row_look table_look(const struct scene *s, unsigned row);
enum ui_role state_role(enum model_state state);

/* log_pane.c */
void log_title(const struct scene *s, int y);
/* The last lines. */
void log_lines(const struct scene *s, int y, int lines);
/* Lines that the filter lets through. */
unsigned log_count(const struct model *m, const char *filter);
/* How far to scroll back for the next error after, or the one before the line `back` lines from the end stands; round
 * the end. -1 = there is none. */
int log_error(const struct model *m, int back, bool is_next);

/* footer.c: the message line and the key bar */
/* Both at the bottom, as far as there is room; returns the first line below the free ones. */
int footer(const struct scene *s);
