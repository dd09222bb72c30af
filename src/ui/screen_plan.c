// SPDX-License-Identifier: GPL-2.0-or-later
/* Before the start: what will be saved, whereto, and the equal command line. Begin is a capital B, never
 * Enter. */
#include "ui/screen.h"

#include <string.h>

#define INCLUDE_COLUMNS 16
#define FACT_COLUMNS    12

static void draw_header(const struct scene *s, int y)
{
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    pen_text(&pen, ROLE_HEADER, "new backup of %s", s->m->guest);
    (void)(pen_right(&pen, ROLE_TEXT, "  QEMU %s  %s", s->m->qemu, s->m->guest_state) ||
           pen_right(&pen, ROLE_TEXT, "  %s", s->m->guest_state));
}

/* ---- the table ---- */

static bool is_wide(const struct scene *s)
{
    return s->canvas->width >= 76;
}

/* "[x] limit 120M", "[ ] excluded", "[-] cannot" */
static void draw_inclusion(const struct scene *s, struct pen *pen, const struct model_drive *row)
{
    char limit[FIGURE_LEN];
    int end = pen->x + (is_wide(s) ? INCLUDE_COLUMNS : 4);
    bool may_toggle = row->is_included || g_str_equal(row->note, "excluded") || g_str_equal(row->note, "not asked for");
    pen_text(pen, ROLE_TEXT, "%s ", row->is_included ? "[x]" : may_toggle ? "[ ]" : "[-]");
    if (is_wide(s) && row->is_included && row->limit_wanted)
        pen_text(pen, ROLE_TEXT, "limit %s", units_format_size(row->limit_wanted, limit));
    else if (is_wide(s) && !row->is_included)
        pen_text(pen, ROLE_TEXT, "%s", may_toggle ? "left out" : "skipped");
    pen->x = MIN(end, pen->end);
}

static void number(struct pen *pen, int width, const char *text)
{
    if (pen_room(pen) >= width)
        canvas_put_number(pen->canvas, pen->x, pen->y, width, ROLE_NUM, text);
    pen_gap(pen, width);
}

/* "scsi3 only; changed since 08:10: ~1.2G of 64G"; where that is too long, how much comes before since when. */
static char *note_text(const struct model_drive *drive, int room)
{
    const char *note = *drive->note || !drive->is_vmstate ? drive->note : "RAM and devices";
    const char *plan = drive->is_included ? drive->track.plan : "", *gap = *note && *plan ? "; " : "";
    char size[UNITS_LEN];
    char *text = g_strconcat(note, gap, plan, NULL);
    if (!drive->is_included || !drive->track.is_incremental || canvas_text_width(text) <= room)
        return text;
    g_free(text);
    if (!drive->track.changed)
        return g_strconcat(note, gap, "nothing has changed", NULL);
    return g_strdup_printf("%s%s~%s changed", note, gap, units_format_size(drive->track.changed, size));
}

/* INCLUDE DRIVE SIZE USED FORMAT NOTE; below 76 columns without used and format. */
static void draw_row(const struct scene *s, int y, unsigned row)
{
    const struct model_drive *drive = &s->m->drives[row];
    const char *none = s->glyphs->none;
    char size[FIGURE_LEN];
    struct pen pen = pen_at(s->canvas, 0, y, s->canvas->width);
    pen_text(&pen, ROLE_MARK, "%s", row == s->ui->selected ? s->glyphs->cursor : " ");
    draw_inclusion(s, &pen, drive);
    table_name(s, &pen, is_wide(s) ? 14 : 12, row);
    number(&pen, 7, figure_size(drive->size, none, size));
    if (is_wide(s)) {
        number(&pen, 8, figure_size(drive->used, none, size));
        pen_gap(&pen, 2);
        canvas_put(s->canvas, pen.x, y, 7, ROLE_TEXT, drive->format);
        pen_gap(&pen, 7);
    }
    pen_gap(&pen, 1);
    g_autofree char *note = note_text(drive, pen_room(&pen));
    pen_text(&pen, ROLE_TEXT, "%s", note);
}

static void draw_heading(const struct scene *s, int y)
{
    if (is_wide(s))
        canvas_put(s->canvas, 1, y, s->canvas->width, ROLE_TITLE,
                   "INCLUDE         DRIVE            SIZE    USED  FORMAT  NOTE");
    else
        canvas_put(s->canvas, 5, y, s->canvas->width, ROLE_TITLE, "DRIVE          SIZE NOTE");
}

/* ---- the facts ---- */

/* "output      /mnt/bk/web.vma                   [o] change"; verb: what changes it, COMMAND_NONE = nothing.
 */
static void fact(const struct scene *s, int *y, int below, const char *name, const char *value, enum command_verb verb)
{
    char key[KEY_NAME_LEN];
    if (*y >= below || !*value)
        return;
    struct pen pen = pen_at(s->canvas, 1, *y, s->canvas->width - 2);
    pen_text(&pen, ROLE_TEXT_STRONG, "%s", name);
    pen.x = MIN(1 + FACT_COLUMNS, pen.end);
    if (*keymap_of(verb, key) && !s->ui->is_readonly)
        pen_right(&pen, ROLE_KEY, s->canvas->width < 60 ? "  [%s]" : "  [%s] change", key);
    if (strcmp(name, "output") == 0) /* of a path the end says more */
        canvas_put_tail(s->canvas, pen.x, *y, pen_room(&pen), ROLE_TEXT, value);
    else
        pen_text(&pen, ROLE_TEXT, "%s", value);
    ++*y;
}

/* "push   QEMU's jobs write to us"; NULL: there is no choice. */
static char *engine_text(const struct model *m)
{
    unsigned n_pushed = 0;
    if (!*m->engine.word)
        return NULL;
    if (*m->engine.obstacle)
        return g_strdup_printf("%s   no pull: %s", m->engine.word, m->engine.obstacle);
    if (strcmp(m->engine.word, engine_word(ENGINE_PUSH)) == 0)
        return g_strdup_printf("%s   QEMU's jobs write to us", m->engine.word);
    for (unsigned i = 0; i < m->n_drives; i++)
        n_pushed += m->drives[i].is_included && strcmp(m->drives[i].engine, engine_word(ENGINE_PUSH)) == 0;
    return n_pushed ? g_strdup_printf("%s   read through shared memory; %u by push", m->engine.word, n_pushed)
                    : g_strdup_printf("%s   read through shared memory", m->engine.word);
}

static char *limits_text(const struct model *m)
{
    GString *text = g_string_new(NULL);
    char rate[UNITS_LEN];
    g_string_append_printf(text, "%s for all", m->global_limit ? units_format_rate(m->global_limit, rate) : "none");
    unsigned n = 0;
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_included && m->drives[i].limit_wanted)
            g_string_append_printf(text, "%s%s %s", n++ ? ", " : "; ", m->drives[i].name,
                                   units_format_size(m->drives[i].limit_wanted, rate));
    return g_string_free(text, FALSE);
}

/* The bytes that the drives hold, where QEMU tells it. */
static uint64_t used_bytes(const struct model *m)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_included)
            used += MIN(m->drives[i].used,
                        m->drives[i].track.is_incremental ? m->drives[i].track.changed : m->drives[i].size);
    return used;
}

/* "reads 256G (~182G in use), writes ~85G at the last run's 2.14:1" */
static char *amount_text(const struct scene *s)
{
    const struct model *m = s->m;
    char reads[FIGURE_LEN], used[FIGURE_LEN], writes[FIGURE_LEN], ratio[FIGURE_LEN];
    const char *none = s->glyphs->none;
    g_autofree char *packed =
        g_strdup_printf(", writes ~%s at the last run's %s", figure_size(m->sink.need_bytes, none, writes),
                        figure_ratio(m->forecast.plain, m->forecast.written, none, ratio));
    return g_strdup_printf("reads %s (~%s in use)%s", figure_size(m->forecast.reads, none, reads),
                           figure_size(used_bytes(m), none, used), m->forecast.written ? packed : "");
}

/* "✓ free 1.21T: will fit   ~11 min at 412M/s, as the last run" */
static char *room_text(const struct scene *s)
{
    const struct model *m = s->m;
    char there[FIGURE_LEN], time[FIGURE_LEN], rate[FIGURE_LEN];
    GString *text = g_string_new(NULL);
    if (m->sink.free_bytes != MODEL_UNKNOWN)
        g_string_append_printf(text, "%s free %s%s   ", s->glyphs->states[m->sink.will_fit ? MODEL_OK : MODEL_WARN],
                               figure_size(m->sink.free_bytes, s->glyphs->none, there),
                               m->sink.will_fit ? ": will fit" : ": may not fit");
    bool is_limited = (double)m->forecast.ms * (double)m->forecast.rate > (double)m->forecast.reads * 1010;
    if (m->forecast.ms)
        g_string_append_printf(text, is_limited ? "%s by the limit of %s" : "%s by the last run's %s",
                               figure_estimate(m->forecast.ms, "", time),
                               units_format_rate(is_limited ? m->global_limit : m->forecast.rate, rate));
    return g_strchomp(g_string_free(text, FALSE));
}

/* In one line where it fits, else in two. */
static void draw_forecast(const struct scene *s, int *y, int below)
{
    const struct model *m = s->m;
    enum ui_role role = m->sink.will_fit ? ROLE_TEXT : ROLE_STATE_WARN;
    g_autofree char *amount = amount_text(s), *room = room_text(s);
    g_autofree char *both = g_strjoin("   ", amount, *room ? room : NULL, NULL);
    int width = s->canvas->width - 2;
    bool is_one = canvas_text_width(both) <= width || *y + 1 >= below || !*room;
    if (*y < below)
        canvas_put(s->canvas, 1, (*y)++, width, role, is_one ? both : amount);
    if (!is_one)
        canvas_put(s->canvas, 1, (*y)++, width, role, room);
}

static void draw_facts(const struct scene *s, int y, int below)
{
    const struct model *m = s->m;
    g_autofree char *limits = limits_text(m), *engine = engine_text(m);
    g_autofree char *ram = g_strdup_printf("%s   %s", m->wants_vmstate ? "yes" : "no", m->recipe);
    g_autofree char *on_error = g_strdup_printf(m->retries ? "retry %u times, then %s" : "%.0u%s", m->retries,
                                                m->is_strict ? "fail the whole backup" : "go on without the drive");
    fact(s, &y, below, "left over", m->left.n ? m->left.what : "", COMMAND_CLEANUP);
    fact(s, &y, below, "output", m->target, COMMAND_ASK_OUTPUT);
    fact(s, &y, below, "backups", m->sink.backups, COMMAND_NONE);
    fact(s, &y, below, "compression", *m->compression ? m->compression : "none", COMMAND_ASK_LEVEL);
    fact(s, &y, below, "RAM state", ram, COMMAND_TOGGLE_VMSTATE);
    fact(s, &y, below, "limits", limits, COMMAND_LIMIT_ALL);
    if (engine)
        fact(s, &y, below, "engine", engine, *m->engine.obstacle ? COMMAND_NONE : COMMAND_TOGGLE_ENGINE);
    fact(s, &y, below, "on error", on_error, COMMAND_ASK_ON_ERROR);
    fact(s, &y, below, "agent", m->agent, COMMAND_NONE);
    if (y + 2 < below)
        y++;
    draw_forecast(s, &y, below);
    if (y + 2 < below) /* it mostly takes two lines */
        y++;
    if (*m->same_as && y < below) {
        g_autofree char *line = g_strdup_printf("same as: %s", m->same_as);
        y += canvas_put_wrapped(s->canvas, 1, y, s->canvas->width - 2, MIN(below - y, 4), ROLE_TEXT, line);
    }
    if (m->n_log && y + 2 < below) {
        y++;
        log_title(s, y++);
        log_lines(s, y, below - y);
    }
}

void screen_plan(const struct scene *s)
{
    int below = footer(s), y = 0, n = MAX((int)s->m->n_drives, 1);
    if (below >= 3)
        draw_header(s, y++);
    y += below >= 22;
    if (below >= 8)
        draw_heading(s, y++);
    int rows = CLAMP(below - y - (below >= 14 ? 9 : below >= 8 ? 4 : 0), 1, n);
    y = table_plain_rows(s, y, rows, draw_row);
    y += below - y > 9;
    draw_facts(s, y, below);
}
