// SPDX-License-Identifier: GPL-2.0-or-later
/* The summary: how it ended, what is in the archive and what is not. */
#include "ui/screen.h"

static enum model_state verdict(int exit_status)
{
    if (exit_status == 0)
        return MODEL_OK;
    return exit_status == 3 ? MODEL_WARN : exit_status == 4 ? MODEL_CANCELLED : MODEL_FAIL;
}

static void draw_header(const struct scene *s, int y)
{
    static const char *const words[MODEL_STATES] = {
        [MODEL_OK] = "backup finished",
        [MODEL_WARN] = "backup FINISHED, INCOMPLETE",
        [MODEL_FAIL] = "backup FAILED",
        [MODEL_CANCELLED] = "backup CANCELLED",
    };
    enum model_state state = verdict(s->m->end.exit_status);
    const char *word = s->m->end.exit_status == 8 ? "archive DAMAGED" : words[state];
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    enum ui_role role = state == MODEL_OK ? ROLE_HEADER : ROLE_HEADER_ALERT;
    (void)(pen_right(&pen, role, " %s ", word) || pen_right(&pen, role, "%s", model_state_word(state)));
    pen_text(&pen, ROLE_HEADER, "%s", s->m->guest);
    pen_try(&pen, ROLE_TEXT, "  %s", s->m->guest_state);
    pen_try(&pen, ROLE_TEXT, "  QEMU %s", s->m->qemu);
}

static void draw_verdict(const struct scene *s, int y, int below, int *end)
{
    enum model_state state = verdict(s->m->end.exit_status);
    struct pen pen = pen_at(s->canvas, s->canvas->width >= 60 ? 3 : 0, y, s->canvas->width);
    pen_text(&pen, state_role(state), "%s ", s->glyphs->states[state]);
    int lines = CLAMP(below - y, 1, 3);
    *end =
        y + MAX(1, canvas_put_wrapped(s->canvas, pen.x, y, pen_room(&pen), lines, ROLE_TEXT_STRONG, s->m->end.outcome));
    if (!*s->m->end.next || *end >= below)
        return;
    pen = pen_at(s->canvas, s->canvas->width >= 60 ? 5 : 0, *end, s->canvas->width);
    pen_text(&pen, ROLE_TEXT, "%s", s->m->end.next);
    ++*end;
}

static void fact(const struct scene *s, int *y, const char *name, const char *value)
{
    struct pen pen = pen_at(s->canvas, 1, *y, s->canvas->width - 2);
    pen_text(&pen, ROLE_TEXT_STRONG, "%-9s", name);
    pen_text(&pen, ROLE_TEXT, "%s", value);
    ++*y;
}

/* "sink 71% of the time, limit 18%, source 11%" */
static char *bottleneck_text(const struct model *m)
{
    GString *text = g_string_new(NULL);
    bool was_said[MODEL_BOTTLENECKS] = {false};
    uint64_t sum = 0;
    for (unsigned i = 0; i < MODEL_BOTTLENECKS; i++)
        sum += m->slowest.ms[i];
    for (unsigned turn = 0; sum && turn < MODEL_BOTTLENECKS; turn++) { /* the longest first */
        unsigned most = 0;
        while (was_said[most])
            most++;
        for (unsigned i = most; i < MODEL_BOTTLENECKS; i++)
            if (!was_said[i] && m->slowest.ms[i] > m->slowest.ms[most])
                most = i;
        was_said[most] = true;
        unsigned share = (unsigned)(m->slowest.ms[most] * 100 / sum);
        if (share)
            g_string_append_printf(text, "%s%s %u%%%s", text->len ? ", " : "", model_bottleneck_word(most), share,
                                   text->len ? "" : " of the time");
    }
    return g_string_free(text, FALSE);
}

/* Only where a drive was taken anew: then the archive is not of one moment. */
static char *instants_text(const struct model *m)
{
    GString *text = g_string_new(NULL);
    char time[FIGURE_LEN];
    for (unsigned i = 0; facts_instants_differ(m) && i < m->n_drives; i++)
        if (m->drives[i].is_instant_own && m->drives[i].instant_us)
            g_string_append_printf(text, "%s%s of %s", text->len ? ", " : "", m->drives[i].name,
                                   figure_time_of_day(m->drives[i].instant_us / G_USEC_PER_SEC, time));
    if (text->len)
        g_string_append(text, ": NOT the moment of the others");
    return g_string_free(text, FALSE);
}

static char *guest_text(const struct model *m)
{
    char pause[FIGURE_LEN];
    GString *text = g_string_new(NULL);
    if (m->pause_ms == MODEL_UNKNOWN)
        g_string_append(text, "never stopped");
    else
        g_string_append_printf(text, "stopped %s for the instant", units_format_ms(m->pause_ms, pause));
    if (m->impact.base_us != MODEL_UNKNOWN && m->impact.write_us != MODEL_UNKNOWN)
        g_string_append_printf(text, "   writes %.1f > %.1fms   stalls %u", (double)m->impact.base_us / 1000,
                               (double)m->impact.write_us / 1000, m->impact.stalls);
    return g_string_free(text, FALSE);
}

/* What was made sure of, and by which key it can be. */
static void draw_checks(const struct scene *s, int *y)
{
    const struct model *m = s->m;
    bool may_ask = !s->ui->is_visitor && !m->end.reading;
    char verify[KEY_NAME_LEN], hash[KEY_NAME_LEN];
    g_autofree char *offer = g_strdup_printf("   %s reads it back", keymap_of(COMMAND_VERIFY, verify));
    g_autofree char *other = g_strdup_printf("   sha256 not made: %s", keymap_of(COMMAND_CHECKSUM, hash));
    g_autofree char *text = g_strdup_printf("%s%s%s",
                                            m->end.is_verified        ? "verified: it was read back, and is good"
                                            : m->end.exit_status == 8 ? "DAMAGED: see the log"
                                                                      : "not verified",
                                            may_ask && !m->end.is_verified ? offer : "",
                                            may_ask && !*m->end.sha256 && !*m->sink.guest ? other : "");
    fact(s, y, "checks", text);
    if (*m->end.sha256)
        fact(s, y, "sha256", m->end.sha256);
}

static void draw_facts(const struct scene *s, int *y)
{
    const struct model *m = s->m;
    char size[FIGURE_LEN], done[FIGURE_LEN], zero[FIGURE_LEN], ratio[FIGURE_LEN], kept[FIGURE_LEN];
    char took[FIGURE_LEN], from[FIGURE_LEN], to[FIGURE_LEN], rate[FIGURE_LEN];
    const char *none = s->glyphs->none;
    uint64_t read = model_read_bytes(m);
    uint64_t per_s = m->elapsed_ms ? (uint64_t)((double)read * 1000 / (double)m->elapsed_ms) : MODEL_UNKNOWN;
    bool has_ratio = *m->compression && !*m->sink.guest;
    uint64_t written = *m->sink.guest ? m->end.new_bytes : m->end.archive_bytes;
    g_autofree char *unchanged =
        m->done > read ? g_strdup_printf(", %s unchanged", figure_size(m->done - read, none, kept)) : g_strdup("");
    g_autofree char *sizes =
        g_strdup_printf("%s%s from %s read%s   zero %s%s%s", figure_size(written, none, size),
                        *m->sink.guest ? " new" : "", figure_size(read, none, done), unchanged,
                        figure_percent_short(m->zero, m->done, none, zero), has_ratio ? "   ratio " : "",
                        has_ratio ? figure_ratio(m->sink.packed ? m->sink.packed : m->done - MIN(m->zero, m->done),
                                                 m->end.archive_bytes, none, ratio)
                                  : "");
    g_autofree char *times = g_strdup_printf(
        "%s   %s > %s   average %s", figure_elapsed(m->elapsed_ms, took), figure_time_of_day(m->started_s, from),
        figure_time_of_day(m->started_s + (int64_t)(m->elapsed_ms / 1000), to), figure_rate(per_s, none, rate));
    g_autofree char *guest = guest_text(m);
    if (m->end.archive_bytes) {
        fact(s, y, *m->sink.guest ? "snapshot" : "archive", m->target);
        fact(s, y, "size", sizes);
    }
    if (m->started_s)
        fact(s, y, "time", times);
    fact(s, y, "guest", guest);
    if (m->end.archive_bytes && !m->sink.is_pipe)
        draw_checks(s, y);
    g_autofree char *shares = bottleneck_text(m);
    if (*shares)
        fact(s, y, "slowest", shares);
    g_autofree char *instants = instants_text(m);
    if (*instants)
        fact(s, y, "instants", instants);
}

/* ---- the table ---- */

enum { SIZE_COLUMNS = 8, TIME_COLUMNS = 8, RATE_COLUMNS = 10, ZERO_COLUMNS = 6, RETRY_COLUMNS = 9 };

static void draw_figures(const struct scene *s, struct pen *pen, const struct model_drive *d, bool is_ok)
{
    const char *none = s->glyphs->none;
    char text[FIGURE_LEN];
    bool has_time = is_ok && d->elapsed_ms;
    uint64_t took = has_time ? d->elapsed_ms : MODEL_UNKNOWN;
    uint64_t rate =
        has_time ? (uint64_t)((double)(d->size - MIN(d->track.unchanged, d->size)) * 1000 / (double)d->elapsed_ms)
                 : MODEL_UNKNOWN;
    figure_size(d->size, none, text);
    pen_try(pen, ROLE_NUM, "%s", figure_pad(text, SIZE_COLUMNS));
    figure_short_time(took, none, text);
    pen_try(pen, ROLE_NUM, "%s", figure_pad(text, TIME_COLUMNS));
    figure_rate(rate, none, text);
    pen_try(pen, ROLE_NUM, "%s", figure_pad(text, RATE_COLUMNS));
    figure_percent_short(d->zero, is_ok ? d->size : 0, none, text);
    pen_try(pen, ROLE_NUM, "%s", figure_pad(text, ZERO_COLUMNS));
    pen_try(pen, ROLE_NUM, "%*u", RETRY_COLUMNS, d->retries);
}

/* How a row ended; where there is no archive, no row is saved, however far it came. */
static enum model_state row_result(const struct model *m, const struct model_drive *d)
{
    bool is_kept = m->end.exit_status == 0 || m->end.exit_status == 3 || m->end.exit_status == 8;
    bool is_doubtful = m->end.exit_status == 8 && d->state == MODEL_OK;
    bool is_ended = model_is_saved(d->state) || d->state == MODEL_FAIL;
    if (!d->is_included)
        return MODEL_SKIPPED;
    if (is_doubtful)
        return MODEL_WARN;
    return is_ended && (is_kept || d->state == MODEL_FAIL) ? d->state : MODEL_CANCELLED;
}

static const char *result_word(const struct model *m, enum model_state state)
{
    if (state == MODEL_CANCELLED)
        return "not saved";
    if (state == MODEL_WARN && m->end.exit_status == 8)
        return "in doubt";
    return state == MODEL_FAIL ? "LOST" : state == MODEL_SKIPPED ? "skipped" : "ok";
}

static void draw_row(const struct scene *s, int y, unsigned row)
{
    const struct model_drive *d = &s->m->drives[row];
    enum model_state state = row_result(s->m, d);
    struct pen pen = pen_at(s->canvas, 0, y, s->canvas->width);
    pen_text(&pen, ROLE_MARK, "%s", row == s->ui->selected ? s->glyphs->cursor : " ");
    pen_text(&pen, state_role(state), "%s", s->glyphs->states[state]);
    pen_gap(&pen, 1);
    if (s->canvas->width >= 40)
        pen_text(&pen, state == MODEL_FAIL ? ROLE_TEXT_STRONG : ROLE_TEXT, "%-9s ", result_word(s->m, state));
    table_name(s, &pen, 13, row);
    draw_figures(s, &pen, d, model_is_saved(state));
    pen_gap(&pen, 2);
    if (pen_room(&pen) > 8)
        pen_text(&pen, ROLE_TEXT, "%s", d->note);
}

static void draw_heading(const struct scene *s, int y)
{
    struct pen pen = pen_at(s->canvas, 3, y, s->canvas->width - 3);
    pen_try(&pen, ROLE_TITLE, "%-9s %-13s", "RESULT", "DEVICE");
    pen_try(&pen, ROLE_TITLE, "%*s", SIZE_COLUMNS, "SIZE");
    pen_try(&pen, ROLE_TITLE, "%*s", TIME_COLUMNS, "TIME");
    pen_try(&pen, ROLE_TITLE, "%*s", RATE_COLUMNS, "RATE");
    pen_try(&pen, ROLE_TITLE, "%*s", ZERO_COLUMNS, "ZERO");
    pen_try(&pen, ROLE_TITLE, "%*s", RETRY_COLUMNS, "RETRIES");
    pen_try(&pen, ROLE_TITLE, "  NOTE");
}

/* From line 0 on, all above `below`; returns the first free one. */
static int draw_body(const struct scene *s, int below)
{
    int y = 0, n = MAX((int)s->m->n_drives, 1);
    bool is_full = below >= 14;
    if (below >= 3)
        draw_header(s, y++);
    y += below >= 20;
    if (below >= 2)
        draw_verdict(s, y, below - 1, &y);
    if (is_full) {
        y += below >= 18;
        draw_facts(s, &y);
        y += below >= 18;
        draw_heading(s, y++);
    }
    return table_plain_rows(s, y, CLAMP(below - y, 1, n), draw_row);
}

void screen_finished(const struct scene *s)
{
    int below = footer(s), y = draw_body(s, below);
    if (!s->m->n_log || y + 3 > below)
        return;
    log_title(s, y + 1);
    log_lines(s, y + 2, below - y - 2);
}

char *screen_finished_text(const struct scene *s)
{
    draw_body(s, s->canvas->height);
    return canvas_dump(s->canvas);
}
