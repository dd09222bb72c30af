// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys do: to the screen at once, to the run as commands. */
#include <string.h>

#include "ui/screen.h"
#include "ui/ui_inside.h"

static const struct ui_action nothing;

/* ---- moving ---- */

#define PAGE_ROWS 10

static int steps_of(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_UP:
        return -1;
    case COMMAND_DOWN:
        return 1;
    case COMMAND_PAGE_UP:
        return -PAGE_ROWS;
    case COMMAND_PAGE_DOWN:
        return PAGE_ROWS;
    case COMMAND_FIRST:
        return -G_MAXINT16;
    default:
        return G_MAXINT16;
    }
}

static unsigned moved(unsigned at, int steps, unsigned n)
{
    return (unsigned)CLAMP((int)at + steps, 0, MAX((int)n - 1, 0));
}

/* `back` counts from the end in the log, from the beginning in the help. */
static void move(struct ui *ui, const struct model *m, int steps)
{
    if (ui->view == UI_VIEW_LOG)
        ui->back = moved(ui->back, -steps, log_count(m, ui->filter));
    else if (ui->view == UI_VIEW_HELP)
        ui->back = moved(ui->back, steps, 100);
    else if (m->phase <= MODEL_CONNECT_FAILED)
        ui->nearby = moved(ui->nearby, steps, m->n_nearby);
    else
        ui->selected = moved(ui->selected, steps, m->n_drives);
}

static void show(struct ui *ui, enum ui_view view)
{
    ui->view = ui->view == view ? UI_VIEW_MAIN : view;
    ui->back = 0;
}

/* ---- the log ---- */

/* By e alone every error can be reached: past the newest it begins at the oldest again. */
static void jump(struct ui *ui, const struct model *m, bool is_next)
{
    bool was_there = ui->view == UI_VIEW_LOG;
    ui->view = UI_VIEW_LOG;
    ui->filter[0] = '\0';
    int back = log_error(m, was_there ? (int)ui->back : -1, is_next && was_there);
    if (back < 0)
        ui_say(ui, MODEL_INFO, "no error in the log");
    else
        ui->back = (unsigned)back;
}

static void filter(struct ui *ui)
{
    ui->view = UI_VIEW_LOG;
    ui_open_text(ui, UI_DIALOG_FILTER, ui->filter);
}

static void back(struct ui *ui)
{
    if (ui->view == UI_VIEW_MAIN)
        memset(ui->marked, 0, sizeof ui->marked);
    ui->view = UI_VIEW_MAIN;
    ui->back = 0;
    ui->filter[0] = '\0';
}

/* ---- verbs ---- */

static struct ui_action toggle_pause_all(struct ui *ui, const struct model *m)
{
    unsigned n;
    if (!ui_is_any_moving(m, &n))
        return ui_command(COMMAND_RESUME, "all");
    if (n == 1)
        return ui_command(COMMAND_PAUSE, "all");
    ui_open(ui, UI_DIALOG_PAUSE_ALL);
    return nothing;
}

static struct ui_action toggle_drive(const struct ui *ui, const struct model *m)
{
    const struct model_drive *row = ui_selected(ui, m);
    return row ? ui_command(row->is_included ? COMMAND_EXCLUDE : COMMAND_INCLUDE, row->name) : nothing;
}

static struct ui_action toggle_vmstate(const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_VMSTATE, "");
    action.command.is_on = !m->wants_vmstate;
    return action;
}

static struct ui_action use_nearby(struct ui *ui, const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_CONNECT, "");
    if (ui->nearby >= m->n_nearby) {
        ui_say(ui, MODEL_INFO, "no other monitor answers here: o names one");
        return nothing;
    }
    g_strlcpy(action.command.text, m->nearby[ui->nearby].address, sizeof action.command.text);
    return action;
}

/* Shown where there is room by itself; v turns that round. */
static void turn_graph(struct ui *ui)
{
    ui->graph = (ui->graph + 1) % 3;
    ui_say(ui, MODEL_INFO, "graph: %s",
           ui->graph == UI_GRAPH_AUTO    ? "where there is room"
           : ui->graph == UI_GRAPH_SHOWN ? "shown"
                                         : "hidden");
}

static struct ui_action quit(struct ui *ui, const struct model *m)
{
    if (ui->is_visitor || !command_is_valid(COMMAND_CANCEL_ALL, m->phase))
        return ui_act(UI_LEAVE);
    ui_open(ui, UI_DIALOG_QUIT);
    return nothing;
}

/* What can be done when all is over, by the process that did it. */
static struct ui_action afterwards(struct ui *ui, enum command_verb verb, const struct model *m)
{
    if (verb == COMMAND_REPORT)
        return ui_act(UI_REPORT);
    if (ui->is_visitor)
        ui_say(ui, MODEL_INFO, "not from here: this backup was another process's");
    else if (verb == COMMAND_NEW && m->reading)
        ui_say(ui, MODEL_INFO, "the archive is still being read");
    else
        return verb == COMMAND_NEW ? ui_act(UI_NEW) : ui_command(verb, "");
    return nothing;
}

/* What only changes what is seen. */
static bool run_on_screen(struct ui *ui, enum command_verb verb, const struct model *m)
{
    switch (verb) {
    case COMMAND_HELP:
        show(ui, UI_VIEW_HELP);
        return true;
    case COMMAND_LOG:
        show(ui, UI_VIEW_LOG);
        return true;
    case COMMAND_DETAIL:
        show(ui, UI_VIEW_DETAIL);
        return true;
    case COMMAND_BACK:
        back(ui);
        return true;
    case COMMAND_FILTER:
        filter(ui);
        return true;
    case COMMAND_NEXT_ERROR:
    case COMMAND_PREVIOUS_ERROR:
        jump(ui, m, verb == COMMAND_NEXT_ERROR);
        return true;
    case COMMAND_VIEW:
        turn_graph(ui);
        return true;
    case COMMAND_MARK:
        ui_mark(ui, m);
        return true;
    case COMMAND_MARK_ALL:
        ui_mark_all(ui, m);
        return true;
    default:
        return false;
    }
}

/* What opens a dialog. */
static bool run_by_dialog(struct ui *ui, enum command_verb verb, const struct model *m)
{
    switch (verb) {
    case COMMAND_LIMIT:
    case COMMAND_LIMIT_ALL:
        ui_open_limit(ui, m, verb == COMMAND_LIMIT ? UI_THIS : UI_ALL);
        return true;
    case COMMAND_CANCEL:
        ui_open_drop(ui, m);
        return true;
    case COMMAND_CANCEL_ALL:
        ui_open(ui, UI_DIALOG_CANCEL);
        return true;
    case COMMAND_CLEANUP:
        if (m->n_leftovers)
            ui_open(ui, UI_DIALOG_LEFTOVERS);
        else
            ui_say(ui, MODEL_INFO, "nothing of a dead backup is left in QEMU");
        return true;
    case COMMAND_ASK_OUTPUT:
        ui_open_text(ui, UI_DIALOG_OUTPUT, m->target);
        return true;
    case COMMAND_ASK_LEVEL:
        ui_open(ui, UI_DIALOG_LEVEL);
        return true;
    case COMMAND_ASK_ON_ERROR:
        ui_open(ui, UI_DIALOG_ON_ERROR);
        return true;
    case COMMAND_ASK_MONITOR:
        ui_open_text(ui, UI_DIALOG_MONITOR, m->monitor);
        return true;
    default:
        return false;
    }
}

static struct ui_action run_verb(struct ui *ui, enum command_verb verb, const struct model *m)
{
    if (run_on_screen(ui, verb, m) || run_by_dialog(ui, verb, m))
        return nothing;
    switch (verb) {
    case COMMAND_UNLIMIT:
        return ui_lift_limit(ui, m);
    case COMMAND_FASTER:
        return ui_nudge(ui, m, 10);
    case COMMAND_SLOWER:
        return ui_nudge(ui, m, -10);
    case COMMAND_UNDO:
        return ui_take_back(ui, m);
    case COMMAND_TOGGLE_PAUSE:
        return ui_toggle_pause(ui, m);
    case COMMAND_TOGGLE_PAUSE_ALL:
        return toggle_pause_all(ui, m);
    case COMMAND_RETRY:
        return ui_retry(ui, m);
    case COMMAND_RETRY_ALL:
        return ui_command(COMMAND_RETRY, "all");
    case COMMAND_TOGGLE_DRIVE:
        return toggle_drive(ui, m);
    case COMMAND_TOGGLE_VMSTATE:
        return toggle_vmstate(m);
    case COMMAND_USE:
        return use_nearby(ui, m);
    case COMMAND_BEGIN:
    case COMMAND_RECONNECT:
        return ui_command(verb, "");
    case COMMAND_THEME:
        ui_open_themes(ui);
        return ui_act(UI_LOAD_THEMES);
    case COMMAND_REDRAW:
        return ui_act(UI_REDRAW);
    case COMMAND_MOUSE:
        return ui_act(UI_MOUSE);
    case COMMAND_QUIT:
        return quit(ui, m);
    case COMMAND_VERIFY:
    case COMMAND_CHECKSUM:
    case COMMAND_REPORT:
    case COMMAND_NEW:
        return afterwards(ui, verb, m);
    default:
        move(ui, m, steps_of(verb));
        return nothing;
    }
}

/* Selects; what is selected already is opened. */
static struct ui_action press_row(struct ui *ui, unsigned row, const struct model *m)
{
    bool is_nearby = m->phase <= MODEL_CONNECT_FAILED;
    unsigned *at = is_nearby ? &ui->nearby : &ui->selected, n = is_nearby ? m->n_nearby : m->n_drives;
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
