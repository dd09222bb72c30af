// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The main screen. Total, selected row, message and keys are always there; what else is shown is dealt out in
 * the order of what it is worth, until the lines run out.
 */
#include "ui/screen.h"

/* Lines of each part; 0 = left out. */
struct layout {
    int header, phases, total, sink, data, guest, heading, rows, log_title, log;
};

static bool deal(int *lines, int *part, int wanted)
{
    int given = MIN(*lines, wanted - *part);
    if (given <= 0)
        return false;
    *part += given;
    *lines -= given;
    return true;
}

static struct layout lay_out(int lines, int n_rows, bool is_narrow)
{
    struct layout l = {0};
    deal(&lines, &l.total, 1);
    deal(&lines, &l.rows, 1);
    deal(&lines, &l.header, 1);
    deal(&lines, &l.rows, MIN(n_rows, 4));
    deal(&lines, &l.log, 1);
    deal(&lines, &l.phases, is_narrow ? 0 : 1);
    deal(&lines, &l.rows, MIN(n_rows, 6));
    deal(&lines, &l.sink, 1);
    deal(&lines, &l.rows, MIN(n_rows, 8));
    deal(&lines, &l.phases, 1);
    deal(&lines, &l.heading, 1);
    deal(&lines, &l.data, 1);
    deal(&lines, &l.guest, 1);
    /* A log of a title and three lines, then all rows, then the rest of the log. */
    if (deal(&lines, &l.log_title, 1))
        deal(&lines, &l.log, 3);
    deal(&lines, &l.rows, n_rows);
    l.log += lines;
    return l;
}

void screen_main(const struct scene *s)
{
    int below = footer(s);
    if (below == 1) { /* one or two lines in all */
        header_micro(s, 0);
        return;
    }
    struct layout l = lay_out(below, MAX((int)s->m->n_drives, 1), s->canvas->width < 48);
    int y = 0;
    if (l.header)
        header_guest(s, y++);
    if (l.phases)
        header_phases(s, y++);
    if (l.header)
        header_total(s, y++);
    else
        header_micro(s, y++);
    if (l.sink)
        facts_sink(s, y++);
    if (l.data)
        facts_data(s, y++);
    if (l.guest)
        facts_guest(s, y++);
    if (l.heading)
        table_heading(s, y++);
    table_rows(s, y, l.rows);
    y += l.rows;
    if (l.log_title)
        log_title(s, y++);
    log_lines(s, y, l.log, 0);
}
