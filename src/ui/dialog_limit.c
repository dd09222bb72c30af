// SPDX-License-Identifier: GPL-2.0-or-later
/* The speed limit of a drive, of those marked, or of the whole backup. What Enter would set stands there to
 * the byte. */
#include "base/eta.h"
#include "ui/dialog.h"

/* ---- keys ---- */

/* ui->scope is what was asked for. */
static bool open(struct ui *ui, const struct model *m)
{
    const struct model_drive *drive = ui_selected(ui, m);
    if (ui->scope == UI_THIS && drive && !ui_marked(ui, m) && ui_row_refuses(ui, m, drive, COMMAND_LIMIT))
        return false;
    ui->scope = ui->scope == UI_ALL || !drive ? UI_ALL : ui_marked(ui, m) ? UI_MARKED : UI_THIS;
    g_strlcpy(ui->target, drive ? drive->name : "", sizeof ui->target);
    return true;
}

/* What a relative limit starts from: the limit that holds, else the rate; 0 = nothing to start from. */
static uint64_t limit_base(const struct ui *ui, const struct model *m)
{
    const struct model_drive *drive = model_find_drive(m, ui->target);
    if (ui->scope == UI_ALL || !drive)
        return m->global_limit ? m->global_limit : m->data_rate;
    return drive->limit ? drive->limit : drive->data_rate;
}

/* Up and Down move what stands there, or what holds now, by ten percent. */
static void nudge(struct ui *ui, const struct model *m, int percent)
{
    struct command c;
    char text[UNITS_LEN];
    uint64_t rate = command_parse_rate(ui->input, &c, NULL) && !c.is_relative ? c.rate : limit_base(ui, m);
    if (!rate)
        return;
    units_format_size(command_relative_rate(rate, percent), text);
    g_strlcpy(ui->input, text, sizeof ui->input);
}

/* Enter does nothing while the text is no limit: it stays, and its line says why. */
static struct ui_action apply_limit(struct ui *ui, const struct model *m)
{
    struct command c;
    uint64_t base = limit_base(ui, m);
    command_init(&c, COMMAND_LIMIT);
    if (!command_parse_rate(ui->input, &c, NULL))
        return ui_act(UI_NOTHING);
    if (c.is_relative && ui->scope != UI_MARKED && base) { /* to the byte what the dialog has shown */
        c.rate = command_relative_rate(base, c.percent);
        c.is_relative = false;
    }
    if (ui->scope == UI_THIS)
        g_strlcpy(c.target, ui->target, sizeof c.target);
    ui->dialog = UI_DIALOG_NONE;
    if (m->phase != MODEL_PLAN)
        ui_say(ui, MODEL_INFO, "%s: asked QEMU for a new limit",
               ui->scope == UI_ALL      ? "all"
               : ui->scope == UI_MARKED ? "marked drives"
                                        : ui->target);
    return ui_limit(ui, m, &c, ui->scope);
}

static void next_scope(struct ui *ui, const struct model *m)
{
    const struct model_drive *drive = model_find_drive(m, ui->target);
    do
        ui->scope = (ui->scope + 1) % 3;
    while ((ui->scope == UI_MARKED && !ui_marked(ui, m)) ||
           (ui->scope == UI_THIS && !(drive && ui_row_takes(m, drive, COMMAND_LIMIT))));
}

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_ENTER)
        return apply_limit(ui, m);
    if (key == UI_KEY_TAB || key == UI_KEY_RIGHT || key == UI_KEY_LEFT)
        next_scope(ui, m);
    else if (key == UI_KEY_UP)
        nudge(ui, m, 10);
    else if (key == UI_KEY_DOWN)
        nudge(ui, m, -10);
    else
        dialog_edit(ui, key);
    return ui_act(UI_NOTHING);
}

/* ---- what is seen ---- */

/* What is typed, as far as it is a limit. */
struct wish {
    struct command c;
    bool is_valid;
    char why[MODEL_TEXT_LEN];
    uint64_t rate; /* of a relative one: resolved for the one drive; unknown for all */
};

static struct wish wish_of(const struct scene *s)
{
    struct wish w = {.rate = MODEL_UNKNOWN};
    g_autoptr(GError) error = NULL;
    command_init(&w.c, COMMAND_LIMIT);
    w.is_valid = command_parse_rate(s->ui->input, &w.c, &error);
    if (!w.is_valid)
        model_set(w.why, "%s", g_str_has_prefix(error->message, "limit: ") ? error->message + 7 : error->message);
    else if (!w.c.is_relative)
        w.rate = w.c.rate;
    else if (s->ui->scope != UI_MARKED && limit_base(s->ui, s->m))
        w.rate = command_relative_rate(limit_base(s->ui, s->m), w.c.percent);
    return w;
}

static void say_meaning(const struct wish *w, const struct glyphs *g, bool is_empty, char *text, size_t size)
{
    char exact[FIGURE_LEN];
    if (is_empty)
        g_strlcpy(text, "0 is unlimited", size);
    else if (!w->is_valid)
        g_snprintf(text, size, "%s %s", g->alert, w->why);
    else if (w->rate == MODEL_UNKNOWN)
        g_strlcpy(text, "of what each has now", size);
    else if (!w->rate)
        g_strlcpy(text, "= no limit", size);
    else
        g_snprintf(text, size, "= %s B/s", figure_exact(w->rate, exact));
}

static void line_now(struct dialog *d, const struct scene *s, const struct model_drive *drive)
{
    char now[FIGURE_LEN], rate[FIGURE_LEN];
    const char *none = s->glyphs->none;
    bool is_narrow = s->canvas->width < 60;
    if (s->ui->scope != UI_THIS || !drive)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, is_narrow ? "now %s  all: %s" : "whole backup: %s   all together %s",
                    s->m->global_limit ? units_format_rate(s->m->global_limit, now) : "no limit",
                    figure_rate(s->m->data_rate, none, rate));
    else if (is_narrow)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "now %s  measured %s",
                    drive->limit ? units_format_rate(drive->limit, now) : "none",
                    figure_rate(drive->data_rate, none, rate));
    else
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "now %s%s   measured %s",
                    drive->limit ? units_format_rate(drive->limit, now) : "no limit",
                    drive->is_limit_shared ? " (a share)" : "", figure_rate(drive->data_rate, none, rate));
}

/* Time for the rest at that rate. */
static uint64_t time_at(uint64_t left, uint64_t rate)
{
    return (uint64_t)((double)left * 1000 / (double)rate);
}

/* "(45 s sooner)": against how long it would take as it goes now. */
static void say_change(uint64_t ms, uint64_t now_ms, char text[2 * FIGURE_LEN])
{
    char time[FIGURE_LEN];
    uint64_t gap = ms > now_ms ? ms - now_ms : now_ms - ms;
    if (gap < 1000)
        g_strlcpy(text, "as now", 2 * FIGURE_LEN);
    else
        g_snprintf(text, 2 * FIGURE_LEN, "%s %s", units_format_ms(gap / 1000 * 1000, time),
                   ms > now_ms ? "later" : "sooner");
}

static uint64_t data_left(const struct model_drive *row)
{
    uint64_t data, holes;
    eta_split(row->size, row->used, row->done - row->zero, row->zero, &data, &holes);
    return data;
}

/* What is to be moved, and how fast it goes now: of data, as limits mean it. */
static void scope_figures(const struct scene *s, const struct model_drive *drive, uint64_t *left, uint64_t *rate)
{
    const struct model *m = s->m;
    bool is_all = s->ui->scope == UI_ALL;
    *left = !is_all && drive ? data_left(drive) : 0;
    for (unsigned i = 0; is_all && i < m->n_drives; i++)
        *left += m->drives[i].is_included && m->drives[i].state != MODEL_CANCELLED ? data_left(&m->drives[i]) : 0;
    *rate = is_all ? m->data_rate : drive && drive->state == MODEL_RUN ? drive->data_rate : 0;
}

/* What the limit would do; nothing where nothing honest can be said. */
static void line_effect(struct dialog *d, const struct scene *s, const struct model_drive *drive, const struct wish *w)
{
    char end[FIGURE_LEN], text[FIGURE_LEN], change[2 * FIGURE_LEN];
    uint64_t left, rate;
    bool is_binding = s->ui->scope == UI_ALL ? s->m->global_limit != 0 : drive && drive->is_limit_binding;
    scope_figures(s, drive, &left, &rate);
    if (s->ui->scope == UI_MARKED || !w->is_valid || w->rate == MODEL_UNKNOWN || !rate || !left) {
        dialog_gap(d);
        return;
    }
    bool is_narrow = s->canvas->width < 60;
    if (!w->rate || (w->rate > rate && !is_binding)) {
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG,
                    is_narrow ? "no hindrance at %s%s" : "It would not hold it back: it moves at %s%s.",
                    units_format_rate(rate, text),
                    w->rate || !is_binding || is_narrow ? "" : " and may then go faster");
        return;
    }
    uint64_t ms = time_at(left, w->rate);
    say_change(ms, time_at(left, rate), change);
    figure_time_of_day(s->wall_s + (int64_t)(ms / 1000), end);
    if (is_narrow)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "ends ~%.5s, %s", end, change);
    else
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "At %s it ends ~%s (%s%s).", units_format_rate(w->rate, text), end,
                    change, w->rate > rate ? " at best" : "");
}

static void line_scope(struct dialog *d, const struct scene *s)
{
    unsigned marked = ui_marked(s->ui, s->m);
    enum ui_scope at = s->ui->scope;
    g_autofree char *marks =
        marked ? g_strdup_printf(at == UI_MARKED ? "[%u marked] " : " %u marked  ", marked) : g_strdup("");
    if (s->canvas->width < 60)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "for %s   Left Right",
                    at == UI_THIS     ? "this drive"
                    : at == UI_MARKED ? "all marked"
                                      : "all drives");
    else
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "for %s %s%s   Left Right",
                    at == UI_THIS ? "[this drive]" : " this drive ", marks,
                    at == UI_ALL ? "[the whole backup]" : " the whole backup ");
}

static void draw(const struct scene *s)
{
    const struct ui *ui = s->ui;
    const struct model_drive *drive = model_find_drive(s->m, ui->target);
    struct wish w = wish_of(s);
    char meaning[64];
    bool is_wide = s->canvas->width >= 44;
    say_meaning(&w, s->glyphs, !*ui->input, meaning, sizeof meaning);
    g_autofree char *title = ui->scope == UI_ALL      ? g_strdup("speed limit: the whole backup")
                             : ui->scope == UI_MARKED ? g_strdup("speed limit: marked drives")
                                                      : g_strdup_printf("speed limit: %s", ui->target);
    struct dialog d = dialog_begin(title);
    line_now(&d, s, drive);
    dialog_gap(&d);
    dialog_input(&d, is_wide ? "limit " : "", ui->input, is_wide ? 12 : 7, meaning, w.is_valid || !*ui->input);
    line_effect(&d, s, drive, &w);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "%s",
                s->canvas->width >= 62 ? "50M 1G 800K 1.5G, +10% -10%, 0 = unlimited.  1M = 1 MiB."
                                       : "50M 1.5G +10% -10%, 0 = none");
    line_scope(&d, s);
    dialog_end(&d, s,
               s->canvas->width >= 60   ? "Enter apply   Esc leave as it is   Up Down 10%"
               : s->canvas->width >= 30 ? "Enter apply  Esc leave"
                                        : "Enter  Esc");
}

const struct dialog_kind dialog_limit = {.verb = COMMAND_LIMIT, .open = open, .key = key, .draw = draw};
