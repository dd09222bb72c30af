// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of drives. Columns come and go with the width; the name and how far it is stay to the last. */
#include "ui/screen.h"

#include "ui/bar.h"

enum column { WORD, NAME, SIZE, BAR, PERCENT, RATE, ETA, LIMIT, LEFT, NOTE, COLUMNS };

static const struct {
    const char *heading;
    bool is_right;
} column_info[COLUMNS] = {
    [WORD] = {"STATE", false}, [NAME] = {"DRIVE", false}, [SIZE] = {"SIZE", true}, [BAR] = {"PROGRESS", false},
    [PERCENT] = {"%", true},   [RATE] = {"RATE", true},   [ETA] = {"ETA", true},   [LIMIT] = {"LIMIT", true},
    [LEFT] = {"LEFT", true},   [NOTE] = {"NOTE", false},
};

struct columns {
    int x[COLUMNS], width[COLUMNS]; /* width 0 = not shown */
    bool is_full;                   /* "00:03:34", "118M/s"; else "3:34", "118M" */
};

#define MARK_COLUMNS 3 /* cursor, sign, blank */
#define MIN_BAR      6
#define MAX_WIDE_BAR 27

/* ---- which columns ---- */

static int longest_name(const struct model *m)
{
    int longest = 7;
    for (unsigned i = 0; i < m->n_drives; i++)
        longest = MAX(longest, canvas_text_width(m->drives[i].name));
    return longest;
}

/* A column and the blank before it, if there is room for both. */
static void take(struct columns *c, int *room, enum column column, int width)
{
    if (*room < width + 1)
        return;
    c->width[column] = width;
    *room -= width + 1;
}

/* In the order in which they are worth their room. Returns what is left of it. */
static int choose(struct columns *c, int width, int longest)
{
    bool is_wide = width >= 110;
    int room = width - MARK_COLUMNS + 1 - (width >= 48); /* the first has its blank in the marks */
    if (width >= 16)
        take(c, &room, PERCENT, c->is_full ? 6 : 4);
    take(c, &room, NAME, MIN(MIN(longest, is_wide ? 24 : c->is_full ? 13 : width >= 60 ? 12 : 9), MAX(room - 1, 1)));
    take(c, &room, RATE, c->is_full ? 8 : 5);
    take(c, &room, BAR, MIN_BAR);
    take(c, &room, ETA, c->is_full ? 9 : 6);
    if (width >= 48)
        take(c, &room, LIMIT, 6);
    if (width >= 60)
        take(c, &room, WORD, 5);
    if (c->is_full)
        take(c, &room, SIZE, 6);
    if (is_wide) {
        take(c, &room, LEFT, 6);
        take(c, &room, NOTE, 17);
    }
    return room;
}

static struct columns columns_for(const struct scene *s)
{
    struct columns c = {.is_full = s->canvas->width >= 80};
    int spare = choose(&c, s->canvas->width, longest_name(s->m)), x = MARK_COLUMNS;
    int grow = c.width[NOTE] ? MIN(spare, MAX_WIDE_BAR - MIN_BAR) : spare;
    if (c.width[BAR])
        c.width[BAR] += grow;
    if (c.width[NOTE])
        c.width[NOTE] += spare - grow;
    for (enum column i = 0; i < COLUMNS; i++) {
        c.x[i] = x;
        x += c.width[i] ? c.width[i] + 1 : 0;
    }
    return c;
}

static void cell(const struct scene *s, const struct columns *c, enum column column, int y, enum ui_role role,
                 const char *text)
{
    int x = c->x[column], width = c->width[column];
    if (column_info[column].is_right)
        canvas_put_number(s->canvas, x, y, width, role, text);
    else
        canvas_put(s->canvas, x, y, width, role, text);
}

void table_heading(const struct scene *s, int y)
{
    struct columns c = columns_for(s);
    for (enum column i = 0; i < COLUMNS; i++)
        if (c.width[i])
            cell(s, &c, i, y, ROLE_TITLE, column_info[i].heading);
}

/* ---- how a row stands ---- */

enum ui_role state_role(enum model_state state)
{
    static const enum ui_role roles[MODEL_STATES] = {
        [MODEL_WAIT] = ROLE_STATE_WAIT,   [MODEL_RUN] = ROLE_STATE_RUN,          [MODEL_PAUSE] = ROLE_STATE_PAUSE,
        [MODEL_RETRY] = ROLE_STATE_RETRY, [MODEL_OK] = ROLE_STATE_DONE,          [MODEL_WARN] = ROLE_STATE_WARN,
        [MODEL_FAIL] = ROLE_STATE_FAIL,   [MODEL_CANCELLED] = ROLE_STATE_CANCEL, [MODEL_SKIPPED] = ROLE_STATE_WAIT,
    };
    return roles[state];
}

/* Words of at most five letters, for the column. */
static const char *state_word(enum model_state state)
{
    if (state == MODEL_CANCELLED)
        return "canc.";
    return state == MODEL_SKIPPED ? "skip" : model_state_word(state);
}

static enum ui_role bar_role(enum model_state state)
{
    if (state == MODEL_FAIL || state == MODEL_CANCELLED)
        return ROLE_BAR_FAIL;
    return state == MODEL_PAUSE ? ROLE_BAR_PAUSE : ROLE_BAR_FILL;
}

/* The target holds this row back, or did so within the last seconds. */
static bool is_held(const struct scene *s, unsigned row)
{
    return s->m->drives[row].paused.by_target || (row < UI_MAX_ROWS && s->ui->held_until_ms[row] > s->ui->now_ms);
}

struct row_look table_look(const struct scene *s, unsigned row)
{
    const struct model_drive *drive = &s->m->drives[row];
    enum model_state state = drive->state;
    bool is_alive = state == MODEL_RUN || state == MODEL_PAUSE;
    const char *word = state_word(state);
    if (is_alive && !drive->paused.by_operator && is_held(s, row)) {
        /* It moves in steps, as fast as the target takes it: only without room is it a standstill. */
        state = s->m->sink.is_full ? MODEL_PAUSE : MODEL_RUN;
        word = s->m->sink.is_full ? "full" : state_word(state);
    } else if (drive->paused.by_operator && is_alive) {
        state = MODEL_PAUSE;
        word = state_word(state);
    }
    return (struct row_look){state, word, state_role(state), bar_role(state)};
}

/* ---- cells ---- */

static bool is_moving(enum model_state state)
{
    return state == MODEL_RUN || state == MODEL_RETRY;
}

static void cell_rate(const struct scene *s, const struct columns *c, int y, const struct model_drive *drive,
                      enum model_state state)
{
    char text[FIGURE_LEN];
    bool has_rate = is_moving(state) || state == MODEL_PAUSE || state == MODEL_FAIL;
    uint64_t rate = is_moving(state) ? drive->rate : 0;
    if (!has_rate)
        g_strlcpy(text, s->glyphs->none, sizeof text);
    else if (c->is_full)
        figure_rate(rate, s->glyphs->none, text);
    else
        figure_size(rate, s->glyphs->none, text);
    cell(s, c, RATE, y, ROLE_NUM, text);
}

/* "stall 12s": nine columns at most. */
static void say_stall(const struct columns *c, uint64_t ms, char text[FIGURE_LEN])
{
    uint64_t s = ms / 1000;
    unsigned number = (unsigned)(s < 100 ? s : s < 6000 ? s / 60 : MIN(s / 3600, 99));
    if (c->is_full)
        g_snprintf(text, FIGURE_LEN, "stall %u%c", number, s < 100 ? 's' : s < 6000 ? 'm' : 'h');
    else
        g_strlcpy(text, "stall", FIGURE_LEN);
}

/* Of a finished row it is the time it took. */
static void cell_eta(const struct scene *s, const struct columns *c, int y, const struct model_drive *drive,
                     enum model_state state)
{
    char text[FIGURE_LEN];
    enum ui_role role = ROLE_NUM;
    uint64_t took = drive->elapsed_ms ? drive->elapsed_ms : MODEL_UNKNOWN;
    uint64_t ms = model_is_saved(state) ? took : is_moving(state) ? drive->eta_ms : MODEL_UNKNOWN;
    if (is_moving(state) && drive->stalled_ms && !s->m->link.is_lost) {
        role = ROLE_STATE_WARN;
        say_stall(c, drive->stalled_ms, text);
    } else if (c->is_full) {
        figure_clock(ms, s->glyphs->none, text);
    } else {
        figure_short_time(ms, s->glyphs->none, text);
    }
    cell(s, c, ETA, y, role, text);
}

/* "=120M": the limit is what holds the drive back; "target": the target is; "guest": its writes come first.
 */
static void cell_limit(const struct scene *s, const struct columns *c, int y, unsigned row, enum model_state state)
{
    const struct model_drive *drive = &s->m->drives[row];
    char text[FIGURE_LEN], size[FIGURE_LEN];
    if (drive->is_slowed && is_moving(state))
        g_strlcpy(text, "guest", sizeof text);
    else if (is_held(s, row) && (is_moving(state) || state == MODEL_PAUSE) && !drive->paused.by_operator)
        g_strlcpy(text, "target", sizeof text);
    else if (!drive->limit || state == MODEL_OK || state == MODEL_CANCELLED)
        g_strlcpy(text, s->glyphs->none, sizeof text);
    else
        g_snprintf(text, sizeof text, "%s%s", drive->is_limit_binding && is_moving(state) ? "=" : "",
                   units_format_size(drive->limit, size));
    cell(s, c, LIMIT, y, ROLE_NUM, text);
}

static void cell_percent(const struct scene *s, const struct columns *c, int y, const struct model_drive *drive,
                         enum model_state state)
{
    char text[FIGURE_LEN];
    bool is_none = state == MODEL_SKIPPED || ((state == MODEL_WAIT || state == MODEL_CANCELLED) && !drive->done);
    uint64_t whole = is_none ? 0 : drive->size;
    if (c->is_full)
        figure_percent(drive->done, whole, s->glyphs->none, text);
    else
        figure_percent_short(drive->done, whole, s->glyphs->none, text);
    cell(s, c, PERCENT, y, ROLE_NUM, text);
}

static void cell_left(const struct scene *s, const struct columns *c, int y, const struct model_drive *drive)
{
    char text[FIGURE_LEN];
    bool is_known = drive->size != MODEL_UNKNOWN && drive->is_included;
    uint64_t left = is_known ? drive->size - MIN(drive->done, drive->size) : MODEL_UNKNOWN;
    cell(s, c, LEFT, y, ROLE_NUM, figure_size(left, s->glyphs->none, text));
}

/* ---- what is to be said of a row ---- */

static void note_of_running(const struct scene *s, unsigned row, char *text, size_t size)
{
    const struct model_drive *drive = &s->m->drives[row];
    char time[FIGURE_LEN];
    if (drive->stalled_ms)
        g_snprintf(text, size, "no data for %s", units_format_ms(drive->stalled_ms, time));
    else if (drive->is_slowed)
        g_strlcpy(text, "guest comes first", size);
    else if (is_held(s, row))
        g_strlcpy(text, "waits for target", size);
    else if (drive->is_limit_binding)
        g_strlcpy(text, drive->is_limit_shared ? "at its share" : "at limit", size);
    else
        g_strlcpy(text, drive->note, size);
}

void table_note(const struct scene *s, unsigned row, char *text, size_t size)
{
    const struct model_drive *drive = &s->m->drives[row];
    char time[FIGURE_LEN];
    enum model_state state = table_look(s, row).state;
    if (state == MODEL_RETRY && drive->retry_in_ms)
        g_snprintf(text, size, "again in %s", units_format_ms(drive->retry_in_ms, time));
    else if (state == MODEL_RUN)
        note_of_running(s, row, text, size);
    else if (state == MODEL_FAIL && !*drive->note)
        g_strlcpy(text, drive->error, size);
    else if (state == MODEL_PAUSE && drive->paused.by_operator && !*drive->note)
        g_strlcpy(text, "by you", size);
    else
        g_strlcpy(text, drive->note, size);
    if (!*text && drive->is_instant_own && drive->instant_us)
        g_snprintf(text, size, "of %s", figure_time_of_day(drive->instant_us / G_USEC_PER_SEC, time));
}

/* ---- rows ---- */

static void draw_row(const struct scene *s, const struct columns *c, int y, unsigned row)
{
    const struct model_drive *drive = &s->m->drives[row];
    struct row_look look = table_look(s, row);
    bool is_selected = row == s->ui->selected, is_stale = s->m->link.is_lost && is_moving(look.state);
    char size[FIGURE_LEN], note[MODEL_TEXT_LEN];
    if (row < UI_MAX_ROWS && s->ui->marked[row])
        canvas_put(s->canvas, 2, y, 1, ROLE_MARK, "*");
    if (is_selected)
        canvas_put(s->canvas, 0, y, 1, ROLE_MARK, s->glyphs->cursor);
    canvas_put(s->canvas, 1, y, 1, look.role, is_stale ? "?" : s->glyphs->states[look.state]);
    enum ui_role words = is_selected ? ROLE_SELECT : look.state == MODEL_FAIL ? ROLE_TEXT_STRONG : ROLE_TEXT;
    if (is_selected) /* one stretch, the gap between the two words too */
        canvas_paint(s->canvas, MARK_COLUMNS, y, c->x[NAME] + c->width[NAME] - MARK_COLUMNS, ROLE_SELECT);
    cell(s, c, WORD, y, words, look.word);
    cell(s, c, NAME, y, words, drive->name);
    if (c->width[SIZE])
        cell(s, c, SIZE, y, ROLE_NUM, figure_size(drive->size ? drive->size : MODEL_UNKNOWN, s->glyphs->none, size));
    uint64_t whole = look.state == MODEL_SKIPPED ? 0 : drive->size;
    bar_draw(s->canvas, c->x[BAR], y, c->width[BAR], s->glyphs, drive->done, whole, look.bar);
    if (c->width[PERCENT])
        cell_percent(s, c, y, drive, look.state);
    if (c->width[RATE])
        cell_rate(s, c, y, drive, look.state);
    if (c->width[ETA])
        cell_eta(s, c, y, drive, look.state);
    if (c->width[LIMIT])
        cell_limit(s, c, y, row, look.state);
    if (c->width[LEFT])
        cell_left(s, c, y, drive);
    if (c->width[NOTE]) {
        table_note(s, row, note, sizeof note);
        cell(s, c, NOTE, y, ROLE_TEXT, note);
    }
    canvas_link(s->canvas, 0, y, s->canvas->width, UI_KEY_ROW + row);
}

unsigned table_first(unsigned selected, unsigned n, int rows)
{
    unsigned shown = (unsigned)MAX(rows, 1);
    if (n <= shown || selected < shown)
        return 0;
    return MIN(selected + 1, n) - shown;
}

int table_plain_rows(const struct scene *s, int y, int rows, void (*draw)(const struct scene *s, int y, unsigned row))
{
    unsigned first = table_first(s->ui->selected, s->m->n_drives, rows);
    for (int i = 0; i < rows && first + (unsigned)i < s->m->n_drives; i++) {
        draw(s, y + i, first + (unsigned)i);
        canvas_link(s->canvas, 0, y + i, s->canvas->width, UI_KEY_ROW + first + (unsigned)i);
    }
    return y + MIN(rows, (int)s->m->n_drives);
}

void table_name(const struct scene *s, struct pen *pen, int width, unsigned row)
{
    enum ui_role role = row == s->ui->selected ? ROLE_SELECT : ROLE_TEXT;
    width = MIN(width, pen_room(pen));
    if (role == ROLE_SELECT)
        canvas_paint(s->canvas, pen->x, pen->y, width, role);
    canvas_put(s->canvas, pen->x, pen->y, width, role, s->m->drives[row].name);
    pen_gap(pen, width);
}

void table_rows(const struct scene *s, int y, int rows)
{
    struct columns c = columns_for(s);
    unsigned n = s->m->n_drives;
    bool tells_rest = (int)n > rows && rows >= 3;
    int shown = tells_rest ? rows - 1 : rows;
    unsigned first = table_first(s->ui->selected, n, shown);
    for (int i = 0; i < shown && first + (unsigned)i < n; i++)
        draw_row(s, &c, y + i, first + (unsigned)i);
    if (!tells_rest)
        return;
    struct pen pen = pen_at(s->canvas, 2, y + rows - 1, s->canvas->width - 2);
    unsigned below = n - first - (unsigned)shown;
    if (first)
        pen_text(&pen, ROLE_TEXT_DIM, "%u more above  ", first);
    if (below)
        pen_text(&pen, ROLE_TEXT_DIM, "%u more below", below);
}
