// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/ui.h"

#include "ui/screen.h"
#include "ui/ui_inside.h"

void ui_init(struct ui *ui, const struct glyphs *glyphs)
{
    *ui = (struct ui){.glyphs = glyphs};
}

void ui_begin_anew(struct ui *ui)
{
    struct ui before = *ui;
    ui_init(ui, before.glyphs);
    ui->themes = before.themes;
    ui->theme = before.theme;
    ui->graph = before.graph;
    ui->is_readonly = before.is_readonly;
    ui->may_detach = before.may_detach;
    ui->is_visitor = before.is_visitor;
    ui->now_ms = before.now_ms;
}

static void say(struct ui *ui, enum model_level level, const char *format, va_list args) G_GNUC_PRINTF(3, 0);
static void say(struct ui *ui, enum model_level level, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);
    model_set(ui->message, "%s", text);
    ui->message_level = level;
    ui->message_until_ms = ui->now_ms + UI_MESSAGE_MS;
}

void ui_say(struct ui *ui, enum model_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(ui, level, format, args);
    va_end(args);
}

static const char *limit_text(uint64_t rate, char text[UNITS_LEN])
{
    return rate ? units_format_rate(rate, text) : "none";
}

/* Only what QEMU has confirmed is told: the model's limits, not what was asked for. */
static void tell_limits(struct ui *ui, const struct model *m)
{
    char old_text[UNITS_LEN], new_text[UNITS_LEN];
    unsigned n = MIN(m->n_drives, UI_MAX_ROWS), changed = 0, last = 0;
    uint64_t before = 0;
    for (unsigned i = 0; i < n; i++) {
        bool is_new = i < ui->n_limits && ui->limits[i] != m->drives[i].limit;
        if (is_new) {
            changed++;
            last = i;
            before = ui->limits[i];
        }
        ui->limits[i] = m->drives[i].limit;
    }
    ui->n_limits = n;
    if (ui->now_ms > ui->asked_until_ms)
        return;
    if (changed > 1)
        ui_say(ui, MODEL_INFO, "%u drives have a new limit", changed);
    else if (changed)
        ui_say(ui, MODEL_INFO, "%s limit %s > %s%s", m->drives[last].name, limit_text(before, old_text),
               limit_text(m->drives[last].limit, new_text),
               ui->undo.until_ms > ui->now_ms && command_is_valid(COMMAND_UNDO, m->phase) ? "   (z undoes)" : "");
}

/* What a dialog is about: when that is over, the question is none any more. */
static enum command_verb verb_of(enum ui_dialog dialog)
{
    static const enum command_verb verbs[] = {
        [UI_DIALOG_NONE] = COMMAND_HELP,           [UI_DIALOG_LIMIT] = COMMAND_LIMIT,
        [UI_DIALOG_DROP] = COMMAND_CANCEL,         [UI_DIALOG_CANCEL] = COMMAND_CANCEL_ALL,
        [UI_DIALOG_PAUSE_ALL] = COMMAND_PAUSE,     [UI_DIALOG_QUIT] = COMMAND_CANCEL_ALL,
        [UI_DIALOG_OUTPUT] = COMMAND_OUTPUT,       [UI_DIALOG_ON_ERROR] = COMMAND_RETRIES,
        [UI_DIALOG_MONITOR] = COMMAND_ASK_MONITOR, [UI_DIALOG_FILTER] = COMMAND_FILTER,
        [UI_DIALOG_THEME] = COMMAND_THEME,         [UI_DIALOG_LEVEL] = COMMAND_LEVEL,
        [UI_DIALOG_LEFTOVERS] = COMMAND_CLEANUP,
    };
    return verbs[dialog];
}

void ui_tick(struct ui *ui, const struct model *m, int64_t now_ms)
{
    ui->now_ms = now_ms;
    ui->selected = MIN(ui->selected, m->n_drives ? m->n_drives - 1 : 0);
    for (unsigned i = 0; i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        if (m->drives[i].is_paused_by_target)
            ui->held_until_ms[i] = now_ms + UI_HELD_MS;
    history_add(&ui->history, m, now_ms);
    tell_limits(ui, m);
    ui->nearby = MIN(ui->nearby, m->n_nearby ? m->n_nearby - 1 : 0);
    if (!command_is_valid(verb_of(ui->dialog), m->phase))
        ui->dialog = UI_DIALOG_NONE;
    if (ui->view == UI_VIEW_DETAIL && m->phase <= MODEL_CONNECT_FAILED)
        ui->view = UI_VIEW_MAIN;
}

void ui_event(struct ui *ui, const struct model *m, const struct model_event *e)
{
    if (e->type == MODEL_EV_REPLY && !e->ok && e->text)
        ui_say(ui, MODEL_ERROR, "%s", e->text);
    else if (e->type == MODEL_EV_LOG && m->phase == MODEL_DONE) /* of what was asked for afterwards */
        ui_say(ui, e->level, "%s", e->text);
    else if (e->type == MODEL_EV_PHASE && m->phase == MODEL_DONE)
        ui->view = UI_VIEW_MAIN;
    if (e->type == MODEL_EV_DRIVE && m->drives[e->drive].state != MODEL_RUN && (unsigned)e->drive < UI_MAX_ROWS)
        ui->marked[e->drive] &= ui_row_is_open(&m->drives[e->drive]); /* nothing to do there any more */
    if (e->type == MODEL_EV_PHASE)                                    /* it was about the phase before */
        ui->message[0] = '\0';
    if (e->type == MODEL_EV_PHASE && m->phase == MODEL_PLAN && m->n_leftovers && !ui->is_readonly)
        ui_open(ui, UI_DIALOG_LEFTOVERS);
}

bool ui_is_moving(const struct model *m)
{
    return m->phase != MODEL_DONE || m->reading;
}

/* What the phase shows by itself. */
static void draw_phase(const struct scene *s)
{
    if (s->m->phase <= MODEL_CONNECT_FAILED)
        screen_connect(s);
    else if (s->m->phase == MODEL_PLAN)
        screen_plan(s);
    else if (s->m->phase == MODEL_DONE)
        screen_finished(s);
    else
        screen_main(s);
}

static void draw_view(const struct scene *s)
{
    if (s->ui->view == UI_VIEW_HELP) {
        screen_help(s);
    } else if (s->ui->view == UI_VIEW_LOG) {
        screen_log(s);
    } else {
        draw_phase(s);
        if (s->ui->view == UI_VIEW_DETAIL)
            screen_detail(s);
    }
}

void ui_draw(const struct ui *ui, const struct model *m, int64_t wall_s, struct canvas *c)
{
    static void (*const dialogs[])(const struct scene *s) = {
        [UI_DIALOG_LIMIT] = dialog_limit,         [UI_DIALOG_DROP] = dialog_drop,
        [UI_DIALOG_CANCEL] = dialog_cancel,       [UI_DIALOG_PAUSE_ALL] = dialog_pause_all,
        [UI_DIALOG_QUIT] = dialog_quit,           [UI_DIALOG_OUTPUT] = dialog_output,
        [UI_DIALOG_ON_ERROR] = dialog_on_error,   [UI_DIALOG_MONITOR] = dialog_monitor,
        [UI_DIALOG_THEME] = dialog_theme,         [UI_DIALOG_LEVEL] = dialog_level,
        [UI_DIALOG_LEFTOVERS] = dialog_leftovers, [UI_DIALOG_FILTER] = NULL, /* in the message line */
    };
    struct scene scene = {.ui = ui, .m = m, .glyphs = ui->glyphs, .canvas = c, .wall_s = wall_s};
    canvas_clear(c);
    draw_view(&scene);
    if (dialogs[ui->dialog])
        dialogs[ui->dialog](&scene);
}
