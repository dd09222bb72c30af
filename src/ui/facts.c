// SPDX-License-Identifier: GPL-2.0-or-later
/* Three lines of facts: where it goes to, how it flows, what the guest feels of it. */
#include "ui/screen.h"

#define LABEL_COLUMNS 6

static struct pen begin(const struct scene *s, int y, const char *label)
{
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    pen_text(&pen, ROLE_TEXT_STRONG, "%s", label);
    pen.x = 1 + LABEL_COLUMNS;
    return pen;
}

static void room_at_target(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char size[FIGURE_LEN];
    bool is_wide = s->canvas->width >= 70; /* else the path wants the room */
    if (m->free_bytes == MODEL_UNKNOWN)
        return;
    figure_size(m->free_bytes, s->glyphs->none, size);
    if (m->is_target_full)
        pen_right(pen, ROLE_STATE_FAIL, "%s FULL, free %s", s->glyphs->alert, size);
    else if (m->need_bytes == MODEL_UNKNOWN)
        pen_right(pen, ROLE_TEXT, "free %s", size);
    else if (m->will_fit)
        pen_right(pen, ROLE_TEXT, is_wide ? "free %s %s will fit" : "free %s %s", size,
                  s->glyphs->states[MODEL_OK]);
    else
        pen_right(pen, ROLE_STATE_WARN, is_wide ? "free %s %s may not fit" : "free %s %s", size,
                  s->glyphs->alert);
}

void facts_sink(const struct scene *s, int y)
{
    char written[FIGURE_LEN];
    struct pen pen = begin(s, y, "sink");
    figure_size(s->m->written, s->glyphs->none, written);
    room_at_target(s, &pen);
    pen.end -= 3;
    pen_right(&pen, ROLE_NUM, "  %s", written);
    canvas_put_tail(s->canvas, pen.x, y, pen_room(&pen), ROLE_TEXT, s->m->target);
}

/* "name value", when all of it fits. */
static bool fact(struct pen *pen, const char *name, const char *value)
{
    if (pen_room(pen) < canvas_text_width(name) + 1 + canvas_text_width(value))
        return false;
    pen_text(pen, ROLE_UNIT, "%s ", name);
    pen_text(pen, ROLE_NUM, "%s", value);
    pen_gap(pen, 2);
    return true;
}

void facts_data(const struct scene *s, int y)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    struct pen pen = begin(s, y, "data");
    bool is_moving = m->phase >= MODEL_RAM && m->phase <= MODEL_COPY;
    if (is_moving)
        (void)(pen_right(&pen, ROLE_TEXT, "slowest: %s", model_bottleneck_word(m->bottleneck)) ||
               pen_right(&pen, ROLE_TEXT, "%s", model_bottleneck_word(m->bottleneck)));
    pen.end -= 2;
    fact(&pen, "in", figure_rate(m->in_rate, s->glyphs->none, text));
    fact(&pen, "out", figure_rate(m->out_rate, s->glyphs->none, text));
    fact(&pen, "zero", figure_percent_short(m->zero, m->done, s->glyphs->none, text));
    if (m->spool_size)
        fact(&pen, "spool", figure_percent_short(m->spool_used, m->spool_size, s->glyphs->none, text));
    uint64_t data = m->done - MIN(m->zero, m->done);
    fact(&pen, "ratio", figure_ratio(data, m->written, s->glyphs->none, text));
}

/* What was set for all still holds for each: no drive has got a limit of its own since. */
static bool is_same_to_each(const struct model *m)
{
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].state == MODEL_RUN && m->drives[i].limit != m->global_limit)
            return false;
    return m->global_limit != 0;
}

void facts_guest(const struct scene *s, int y)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    struct pen pen = begin(s, y, "guest");
    if (m->pause_ms == MODEL_UNKNOWN)
        pen_try(&pen, ROLE_TEXT, "not stopped yet");
    else
        pen_try(&pen, ROLE_TEXT, "stopped %s once", units_format_ms(m->pause_ms, text));
    pen_gap(&pen, 3);
    if (is_same_to_each(m))
        pen_right(&pen, ROLE_TEXT, "  limit %s to each", units_format_rate(m->global_limit, text));
    pen_text(&pen, ROLE_TEXT, "%s", m->recipe);
}
