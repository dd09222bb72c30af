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

static bool is_wide(const struct scene *s)
{
    return s->canvas->width >= 110;
}

/* ---- the target ---- */

static bool say_stuck(const struct scene *s, struct pen *pen)
{
    char size[FIGURE_LEN];
    if (s->m->sink.is_full)
        return pen_right(pen, ROLE_STATE_FAIL, "%s FULL, free %s", s->glyphs->alert,
                         figure_size(s->m->sink.free_bytes, s->glyphs->none, size));
    if (!s->m->sink.stuck_ms)
        return false;
    return pen_right(pen, ROLE_STATE_WARN, "%s no answer for %s", s->glyphs->alert,
                     units_format_ms(s->m->sink.stuck_ms, size));
}

static void say_room(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char size[FIGURE_LEN], need[FIGURE_LEN];
    bool has_words = s->canvas->width >= 70; /* else the path wants the room */
    enum model_state sign = m->sink.will_fit ? MODEL_OK : MODEL_WARN;
    enum ui_role role = m->sink.will_fit ? ROLE_TEXT : ROLE_STATE_WARN;
    figure_size(m->sink.free_bytes, s->glyphs->none, size);
    if (m->sink.free_bytes == MODEL_UNKNOWN)
        return;
    if (m->sink.need_bytes == MODEL_UNKNOWN) {
        pen_right(pen, ROLE_TEXT, "free %s", size);
        return;
    }
    pen_right(pen, role, "free %s %s%s", size, s->glyphs->states[sign],
              !has_words         ? ""
              : m->sink.will_fit ? " will fit"
                                 : " may not fit");
    if (is_wide(s))
        pen_right(pen, ROLE_TEXT, "needs ~%s more   ", figure_size(m->sink.need_bytes, s->glyphs->none, need));
}

void facts_sink(const struct scene *s, int y)
{
    char written[FIGURE_LEN];
    struct pen pen = begin(s, y, "sink");
    if (!say_stuck(s, &pen))
        say_room(s, &pen);
    pen.end -= 3;
    pen_right(&pen, ROLE_NUM, is_wide(s) ? "  %s written" : "  %s",
              figure_size(s->m->sink.written, s->glyphs->none, written));
    canvas_put_tail(s->canvas, pen.x, y, pen_room(&pen), ROLE_TEXT, s->m->target);
}

/* ---- the flow ---- */

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

static void say_bottleneck(const struct scene *s, struct pen *pen)
{
    const char *word = model_bottleneck_word(s->m->slowest.by);
    if (s->m->phase < MODEL_RAM || s->m->phase > MODEL_COPY)
        return;
    (void)((s->canvas->width >= 100 && pen_right(pen, ROLE_TEXT, "bottleneck: %s", word)) ||
           pen_right(pen, ROLE_TEXT, "slowest: %s", word) || pen_right(pen, ROLE_TEXT, "%s", word));
    pen->end -= 2;
}

static void say_zero(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char share[FIGURE_LEN], size[FIGURE_LEN];
    figure_percent_short(m->zero, m->done, s->glyphs->none, share);
    if (!is_wide(s)) {
        fact(pen, "zero", share);
        return;
    }
    g_autofree char *both = g_strdup_printf("%s (%s skipped)", share, figure_size(m->zero, s->glyphs->none, size));
    fact(pen, "zero", both);
}

static void say_ratio(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    uint64_t data = m->sink.packed ? m->sink.packed : m->done - MIN(m->zero, m->done);
    if (!*m->compression)
        return;
    if (is_wide(s))
        pen_try(pen, ROLE_TEXT, "%s ", m->compression);
    fact(pen, "ratio", figure_ratio(data, m->sink.written, s->glyphs->none, text));
}

static void say_buffers(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    if (m->sink.no_buffers_ms) {
        pen_try(pen, ROLE_STATE_WARN, "%s 0 of %u buffers free for %s", s->glyphs->alert, m->sink.buffers_total,
                units_format_ms(m->sink.no_buffers_ms, text));
        pen_gap(pen, 2);
    } else if (is_wide(s) && m->sink.buffers_total) {
        fact(pen, "buffers", figure_percent_short(m->sink.buffers_used, m->sink.buffers_total, s->glyphs->none, text));
    }
}

static void say_spool(const struct scene *s, struct pen *pen)
{
    char text[FIGURE_LEN];
    fact(pen, "spool", figure_percent_short(s->m->sink.spool_used, s->m->sink.spool_size, s->glyphs->none, text));
}

void facts_data(const struct scene *s, int y)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    struct pen pen = begin(s, y, "data");
    say_bottleneck(s, &pen);
    if (m->sink.no_buffers_ms)
        say_buffers(s, &pen);
    fact(&pen, "in", figure_rate(m->in_rate, s->glyphs->none, text));
    fact(&pen, "out", figure_rate(m->out_rate, s->glyphs->none, text));
    say_zero(s, &pen);
    if (m->sink.spool_used) /* then the target is behind */
        say_spool(s, &pen);
    say_ratio(s, &pen);
    if (!m->sink.spool_used && m->sink.spool_size)
        say_spool(s, &pen);
    if (!m->sink.no_buffers_ms)
        say_buffers(s, &pen);
    if (m->global_limit)
        fact(&pen, "limit", units_format_rate(m->global_limit, text));
}

/* ---- the guest ---- */

/* "1.8ms", "350us", "1.4s" */
static const char *say_us(uint64_t us, char text[FIGURE_LEN])
{
    if (us < 1000)
        g_snprintf(text, FIGURE_LEN, "%uus", (unsigned)us);
    else if (us < 10000)
        g_snprintf(text, FIGURE_LEN, "%.1fms", (double)us / 1000);
    else
        units_format_ms(us / 1000, text);
    return text;
}

enum facts_impact facts_impact(const struct model_impact *i)
{
    uint64_t base = i->base_us == MODEL_UNKNOWN ? 10000 : MAX(i->base_us, 200);
    if (i->write_us == MODEL_UNKNOWN)
        return FACTS_IMPACT_UNKNOWN;
    if (i->write_us > 1000000 || (i->p99_us != MODEL_UNKNOWN && i->p99_us > 1000000) ||
        (i->write_us > 10 * base && i->write_us > 20000))
        return FACTS_IMPACT_HIGH;
    return i->is_slowing || (i->write_us > 3 * base && i->write_us > 2000) ? FACTS_IMPACT_MEDIUM : FACTS_IMPACT_LOW;
}

static void say_impact(const struct scene *s, struct pen *pen)
{
    static const struct {
        const char *word;
        enum ui_role role;
    } words[] = {
        [FACTS_IMPACT_LOW] = {"low", ROLE_TEXT},
        [FACTS_IMPACT_MEDIUM] = {"medium", ROLE_STATE_WARN},
        [FACTS_IMPACT_HIGH] = {"HIGH", ROLE_STATE_FAIL},
    };
    enum facts_impact impact = facts_impact(&s->m->impact);
    if (impact == FACTS_IMPACT_UNKNOWN)
        return;
    (void)(pen_right(pen, words[impact].role, "  impact: %s", words[impact].word) ||
           pen_right(pen, words[impact].role, " %s", words[impact].word));
}

/* "write 1.8ms (before: 0.9ms)  p99 7ms  stalls 0" */
static void say_latency(const struct scene *s, struct pen *pen)
{
    const struct model_impact *i = &s->m->impact;
    char now[FIGURE_LEN], before[FIGURE_LEN];
    if (i->write_us == MODEL_UNKNOWN)
        return;
    pen_try(pen, ROLE_UNIT, "write ");
    pen_try(pen, ROLE_NUM, "%s", say_us(i->write_us, now));
    if (i->base_us != MODEL_UNKNOWN)
        pen_try(pen, ROLE_TEXT, " (before: %s)", say_us(i->base_us, before));
    pen_gap(pen, 2);
    if (i->p99_us != MODEL_UNKNOWN)
        fact(pen, "p99", say_us(i->p99_us, now));
    g_snprintf(now, sizeof now, "%u", i->stalls);
    fact(pen, "stalls", now);
}

/* The stall guard: the guest's writes come first. */
static void say_guard(const struct scene *s, struct pen *pen)
{
    const struct model_impact *i = &s->m->impact;
    char text[FIGURE_LEN];
    if (i->is_slowing && i->ceiling)
        pen_try(pen, ROLE_STATE_WARN, "copy slowed to %s for it", units_format_rate(i->ceiling, text));
    else if (i->is_slowing)
        pen_try(pen, ROLE_STATE_WARN, "copy slowed for it");
    else if (i->held_back_ms)
        pen_try(pen, ROLE_TEXT, "slowed %s in all", units_format_ms(i->held_back_ms, text));
    else
        return;
    pen_gap(pen, 2);
}

static void say_filters(const struct scene *s, struct pen *pen)
{
    char text[FIGURE_LEN];
    uint64_t rate = 0;
    for (unsigned i = 0; i < s->m->n_drives; i++)
        rate += s->m->drives[i].filter.rate;
    if (rate && is_wide(s))
        fact(pen, "copy-before-write", units_format_rate(rate, text));
}

bool facts_instants_differ(const struct model *m)
{
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_instant_own && m->drives[i].instant_us)
            return true;
    return false;
}

void facts_guest(const struct scene *s, int y)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN];
    struct pen pen = begin(s, y, "guest");
    if (facts_instants_differ(m))
        pen_right(&pen, ROLE_STATE_WARN, "  %s instants differ", s->glyphs->alert);
    say_impact(s, &pen);
    say_guard(s, &pen);
    say_latency(s, &pen);
    if (m->pause_ms == MODEL_UNKNOWN)
        pen_try(&pen, ROLE_TEXT, "not stopped yet");
    else
        pen_try(&pen, ROLE_TEXT, "stopped %s once", units_format_ms(m->pause_ms, text));
    pen_gap(&pen, 2);
    say_filters(s, &pen);
    if (*m->agent)
        pen_try(&pen, ROLE_TEXT, "agent: %s  ", m->agent);
    if (m->impact.write_us == MODEL_UNKNOWN)
        pen_try(&pen, ROLE_TEXT, "%s", m->recipe);
}
