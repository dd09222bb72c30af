// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys do: to the screen at once, to the run as commands. */
#include <string.h>

#include "ui/screen.h"
#include "ui/ui_inside.h"

static const struct ui_action nothing;

/* ---- what is seen ---- */

#define PAGE_ROWS 10

static unsigned moved(unsigned at, int steps, unsigned n)
{
    return (unsigned)CLAMP((int)at + steps, 0, MAX((int)n - 1, 0));
}

/* `back` counts from the end in the log, from the beginning in the help. */
static struct ui_action move(struct ui *ui, const struct model *m, int steps)
{
    if (ui->view == UI_VIEW_LOG)
        ui->back = moved(ui->back, -steps, log_count(m, ui->filter));
    else if (ui->view == UI_VIEW_HELP)
        ui->back = moved(ui->back, steps, 100);
    else if (m->phase <= MODEL_CONNECT_FAILED)
        ui->nearby = moved(ui->nearby, steps, m->link.n_nearby);
    else
        ui->selected = moved(ui->selected, steps, m->n_drives);
    return nothing;
}

static struct ui_action show(struct ui *ui, const struct model *m, int view)
{
    ui->view = (int)ui->view == view ? UI_VIEW_MAIN : (enum ui_view)view;
    ui->back = 0;
    return nothing;
}

static struct ui_action back(struct ui *ui, const struct model *m, int n)
{
    if (ui->view == UI_VIEW_MAIN)
        memset(ui->marked, 0, sizeof ui->marked);
    ui->view = UI_VIEW_MAIN;
    ui->back = 0;
    ui->filter[0] = '\0';
    return nothing;
}

/* Shown where there is room by itself; v turns that round. */
static struct ui_action turn_graph(struct ui *ui, const struct model *m, int n)
{
    ui->graph = (ui->graph + 1) % 3;
    ui_say(ui, MODEL_INFO, "graph: %s",
           ui->graph == UI_GRAPH_AUTO    ? "where there is room"
           : ui->graph == UI_GRAPH_SHOWN ? "shown"
                                         : "hidden");
    return nothing;
}

/* ---- the log ---- */

/* By e alone every error can be reached: past the newest it begins at the oldest again. */
static struct ui_action jump(struct ui *ui, const struct model *m, int is_next)
{
    bool was_there = ui->view == UI_VIEW_LOG;
    ui->view = UI_VIEW_LOG;
    ui->filter[0] = '\0';
    int at = log_error(m, was_there ? (int)ui->back : -1, is_next && was_there);
    if (at < 0)
        ui_say(ui, MODEL_INFO, "no error in the log");
    else
        ui->back = (unsigned)at;
    return nothing;
}

static struct ui_action filter(struct ui *ui, const struct model *m, int n)
{
    ui->view = UI_VIEW_LOG;
    return ui_open(ui, m, UI_DIALOG_FILTER);
}

/* ---- dialogs ---- */

static struct ui_action ask_limit(struct ui *ui, const struct model *m, int scope)
{
    ui->scope = (enum ui_scope)scope;
    return ui_open(ui, m, UI_DIALOG_LIMIT);
}

static struct ui_action pick_theme(struct ui *ui, const struct model *m, int n)
{
    ui_open(ui, m, UI_DIALOG_THEME);
    return ui_act(UI_LOAD_THEMES);
}

static struct ui_action quit(struct ui *ui, const struct model *m, int n)
{
    if (ui->is_visitor || !command_is_valid(COMMAND_CANCEL_ALL, m->phase))
        return ui_act(UI_LEAVE);
    return ui_open(ui, m, UI_DIALOG_QUIT);
}

static struct ui_action toggle_pause_all(struct ui *ui, const struct model *m, int n)
{
    unsigned n_moving = ui_rows_that_take(m, COMMAND_PAUSE);
    if (!n_moving)
        return ui_command(COMMAND_RESUME, "all");
    return n_moving == 1 ? ui_command(COMMAND_PAUSE, "all") : ui_open(ui, m, UI_DIALOG_PAUSE_ALL);
}

/* ---- commands ---- */

static struct ui_action give(struct ui *ui, const struct model *m, int verb)
{
    return ui_command((enum command_verb)verb, "");
}

static struct ui_action act(struct ui *ui, const struct model *m, int does)
{
    return ui_act((enum ui_does)does);
}

static struct ui_action retry_all(struct ui *ui, const struct model *m, int n)
{
    return ui_command(COMMAND_RETRY, "all");
}

static struct ui_action toggle_drive(struct ui *ui, const struct model *m, int n)
{
    const struct model_drive *row = ui_selected(ui, m);
    return row ? ui_command(row->is_included ? COMMAND_EXCLUDE : COMMAND_INCLUDE, row->name) : nothing;
}

static struct ui_action toggle_vmstate(struct ui *ui, const struct model *m, int n)
{
    struct ui_action action = ui_command(COMMAND_VMSTATE, "");
    action.command.is_on = !m->wants_vmstate;
    return action;
}

static struct ui_action toggle_engine(struct ui *ui, const struct model *m, int n)
{
    struct ui_action action = ui_command(COMMAND_ENGINE, "");
    bool is_pull = strcmp(m->engine.word, engine_word(ENGINE_PULL)) == 0;
    action.command.engine = is_pull ? ENGINE_PUSH : ENGINE_PULL;
    if (is_pull || !*m->engine.obstacle)
        return action;
    ui_say(ui, MODEL_WARNING, "pull is not possible: %s", m->engine.obstacle);
    return nothing;
}

static struct ui_action use_nearby(struct ui *ui, const struct model *m, int n)
{
    struct ui_action action = ui_command(COMMAND_CONNECT, "");
    if (ui->nearby >= m->link.n_nearby) {
        ui_say(ui, MODEL_INFO, "no other monitor answers here: o names one");
        return nothing;
    }
    g_strlcpy(action.command.text, m->link.nearby[ui->nearby].address, sizeof action.command.text);
    return action;
}

/* What can be done when all is over, by the process that did it. */
static bool is_elsewhere(struct ui *ui)
{
    if (ui->is_visitor)
        ui_say(ui, MODEL_INFO, "not from here: this backup was another process's");
    return ui->is_visitor;
}

static struct ui_action read_back(struct ui *ui, const struct model *m, int verb)
{
    return is_elsewhere(ui) ? nothing : give(ui, m, verb);
}

static struct ui_action begin_anew(struct ui *ui, const struct model *m, int n)
{
    if (is_elsewhere(ui))
        return nothing;
    if (m->end.reading)
        ui_say(ui, MODEL_INFO, "the archive is still being read");
    return ui_act(m->end.reading ? UI_NOTHING : UI_NEW);
}

/* ---- keys ---- */

static const struct {
    struct ui_action (*press)(struct ui *ui, const struct model *m, int n);
    int n;
} handlers[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define SCREEN(f, n)                           f, n,
#include "model/command_list.h"
};

static struct ui_action run_verb(struct ui *ui, enum command_verb verb, const struct model *m)
{
    return handlers[verb].press(ui, m, handlers[verb].n);
}

/* Selects; what is selected already is opened. */
static struct ui_action press_row(struct ui *ui, unsigned row, const struct model *m)
{
    bool is_nearby = m->phase <= MODEL_CONNECT_FAILED;
    unsigned *at = is_nearby ? &ui->nearby : &ui->selected, n = is_nearby ? m->link.n_nearby : m->n_drives;
    if (row >= n)
        return nothing;
    if (*at == row)
        return run_verb(ui, is_nearby ? COMMAND_USE : COMMAND_DETAIL, m);
    *at = row;
    return nothing;
}

/* Esc and 1 is F1, as elsewhere: some terminals keep F1 to themselves. */
static uint32_t after_escape(struct ui *ui, uint32_t key)
{
    bool is_f1 = key == '1' && ui->now_ms < ui->escape_until_ms;
    ui->escape_until_ms = key == UI_KEY_ESC ? ui->now_ms + UI_ESCAPE_MS : 0;
    return is_f1 ? UI_KEY_F1 : key;
}

struct ui_action ui_key(struct ui *ui, uint32_t key, const struct model *m, int64_t now_ms)
{
    ui->now_ms = now_ms;
    ui->batch.is_on = false;
    key = after_escape(ui, key);
    if (ui->dialog)
        return ui_key_dialog(ui, key, m);
    if (key >= UI_KEY_ROW)
        return press_row(ui, key - UI_KEY_ROW, m);
    const struct command_entry *entry = keymap_command(key, m->phase);
    ui->message[0] = '\0';
    if (!entry) {
        char name[KEY_NAME_LEN];
        ui_say(ui, MODEL_INFO, "%s does nothing here, ? for help", keymap_name(key, name));
        return nothing;
    }
    if (entry->changes && ui->is_readonly) {
        ui_say(ui, MODEL_WARNING, "read-only: %s is refused", entry->label ? entry->label : entry->help);
        return nothing;
    }
    return run_verb(ui, entry->verb, m);
}
