// SPDX-License-Identifier: GPL-2.0-or-later
/* What time and events do to the screen, and how it is drawn. */
#include "ui/screen.h"
#include "ui/ui_inside.h"

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

void ui_tick(struct ui *ui, const struct model *m, int64_t now_ms)
{
    ui->now_ms = now_ms;
    ui->selected = MIN(ui->selected, m->n_drives ? m->n_drives - 1 : 0);
    for (unsigned i = 0; i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        if (m->drives[i].paused.by_target)
            ui->held_until_ms[i] = now_ms + UI_HELD_MS;
    history_add(&ui->history, m, now_ms);
    tell_limits(ui, m);
    ui->nearby = MIN(ui->nearby, m->link.n_nearby ? m->link.n_nearby - 1 : 0);
    if (ui->dialog && !command_is_valid(dialogs_open(ui)->verb, m->phase))
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
    if (e->type == MODEL_EV_PHASE && m->phase == MODEL_PLAN && m->left.n && !ui->is_readonly)
        ui_open(ui, m, UI_DIALOG_LEFTOVERS);
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
    struct scene scene = {.ui = ui, .m = m, .glyphs = ui->glyphs, .canvas = c, .wall_s = wall_s};
    canvas_clear(c);
    draw_view(&scene);
    if (ui->dialog && dialogs_open(ui)->draw)
        dialogs_open(ui)->draw(&scene);
}
