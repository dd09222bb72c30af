// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys do: to the screen at once, to the run as commands. */
#include "ui/ui.h"

#include <string.h>

#include "ui/screen.h"

static const struct ui_action nothing;

static struct ui_action act(enum ui_does does)
{
    return (struct ui_action){.does = does};
}

static struct ui_action command(enum command_verb verb, const char *target)
{
    struct ui_action action = {.does = UI_COMMAND};
    command_init(&action.command, verb);
    g_strlcpy(action.command.target, target, sizeof action.command.target);
    return action;
}

static void open_dialog(struct ui *ui, enum ui_dialog dialog)
{
    ui->dialog = dialog;
    ui->opened_ms = ui->now_ms;
    ui->input[0] = '\0';
    ui->keeps_partial = false;
}

static const struct model_drive *selected(const struct ui *ui, const struct model *m)
{
    return ui->selected < m->n_drives ? &m->drives[ui->selected] : NULL;
}

/* ---- text being typed ---- */

/* True when the key belonged to the text. */
static bool edit(struct ui *ui, uint32_t key)
{
    size_t len = strlen(ui->input);
    if (key == UI_KEY_BACKSPACE) {
        char *end = g_utf8_find_prev_char(ui->input, ui->input + len);
        if (end)
            *end = '\0';
    } else if (key == UI_KEY_CTRL_U) {
        ui->input[0] = '\0';
    } else if (key >= UI_KEY_SPACE && key < UI_KEY_UP && g_unichar_validate(key) && g_unichar_isprint(key)) {
        char utf8[6];
        int n = g_unichar_to_utf8(key, utf8);
        if (len + (size_t)n < sizeof ui->input) {
            memcpy(ui->input + len, utf8, (size_t)n);
            ui->input[len + (size_t)n] = '\0';
        }
    } else {
        return false;
    }
    return true;
}

/* ---- the limit dialog ---- */

static void open_limit(struct ui *ui, const struct model *m, bool is_for_all)
{
    const struct model_drive *drive = selected(ui, m);
    open_dialog(ui, UI_DIALOG_LIMIT);
    ui->is_for_all = is_for_all || !drive;
    g_strlcpy(ui->target, drive ? drive->name : "", sizeof ui->target);
}

static uint64_t present_limit(const struct ui *ui, const struct model *m)
{
    const struct model_drive *drive = model_find_drive(m, ui->target);
    if (ui->is_for_all || !drive)
        return m->global_limit;
    return drive->limit ? drive->limit : drive->rate;
}

/* Up and Down move what stands there, or what holds now, by ten percent. */
static void nudge(struct ui *ui, const struct model *m, int percent)
{
    struct command c;
    char text[UNITS_LEN];
    uint64_t rate = command_parse_rate(ui->input, &c, NULL) && !c.is_relative ? c.rate : present_limit(ui, m);
    if (!rate)
        return;
    units_format_size(command_relative_rate(rate, percent), text);
    g_strlcpy(ui->input, text, sizeof ui->input);
}

/* Enter does nothing while the text is no limit: it stays, and its line says why. */
static struct ui_action apply_limit(struct ui *ui, const struct model *m)
{
    struct ui_action action = command(COMMAND_LIMIT, ui->is_for_all ? "all" : ui->target);
    const struct model_drive *drive = model_find_drive(m, ui->target);
    struct command *c = &action.command;
    if (!command_parse_rate(ui->input, c, NULL))
        return nothing;
    if (c->is_relative && !ui->is_for_all && drive && present_limit(ui, m)) {
        /* To the byte what the dialog has shown. */
        c->rate = command_relative_rate(present_limit(ui, m), c->percent);
        c->is_relative = false;
    }
    ui->dialog = UI_DIALOG_NONE;
    ui->asked_until_ms = ui->now_ms + UI_ASKED_MS;
    ui_say(ui, MODEL_INFO, "%s: asked QEMU for a new limit", ui->is_for_all ? "all" : ui->target);
    return action;
}

static struct ui_action key_limit(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_ENTER)
        return apply_limit(ui, m);
    if (key == UI_KEY_TAB)
        ui->is_for_all = !ui->is_for_all && m->n_drives ? true : !*ui->target;
    else if (key == UI_KEY_UP)
        nudge(ui, m, 10);
    else if (key == UI_KEY_DOWN)
        nudge(ui, m, -10);
    else
        edit(ui, key);
    return nothing;
}

/* ---- cancel and quit ---- */

static struct ui_action key_cancel(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_TAB)
        ui->keeps_partial = !ui->keeps_partial;
    else if (key == UI_KEY_ENTER && g_str_equal(ui->input, m->guest)) {
        struct ui_action action = command(COMMAND_CANCEL_ALL, "");
        g_strlcpy(action.command.confirmation, ui->input, sizeof action.command.confirmation);
        action.command.keep_partial = ui->keeps_partial;
        ui->dialog = UI_DIALOG_NONE;
        ui_say(ui, MODEL_WARNING, "cancelling: QEMU is being set as it was");
        return action;
    } else {
        edit(ui, key);
    }
    return nothing;
}

static struct ui_action key_quit(struct ui *ui, uint32_t key)
{
    if (key == 'C' && !ui->is_readonly) {
        open_dialog(ui, UI_DIALOG_CANCEL);
        ui->wants_to_leave = true;
    } else if (key == UI_KEY_ENTER) {
        ui->dialog = UI_DIALOG_NONE;
    }
    return nothing;
}

static struct ui_action key_dialog(struct ui *ui, uint32_t key, const struct model *m)
{
    if (ui->now_ms - ui->opened_ms < UI_DIALOG_DEAF_MS)
        return nothing;
    if (key == UI_KEY_ESC || key == UI_KEY_CTRL_C) {
        ui->dialog = UI_DIALOG_NONE;
        ui->wants_to_leave = false;
        return nothing;
    }
    if (ui->dialog == UI_DIALOG_LIMIT)
        return key_limit(ui, key, m);
    return ui->dialog == UI_DIALOG_CANCEL ? key_cancel(ui, key, m) : key_quit(ui, key);
}

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

/* `back` counts from the end in the log, from the beginning in the help. */
static void move(struct ui *ui, const struct model *m, int steps)
{
    if (ui->view == UI_VIEW_LOG)
        ui->back = (unsigned)CLAMP((int)ui->back - steps, 0, MAX((int)m->n_log - 1, 0));
    else if (ui->view == UI_VIEW_HELP)
        ui->back = (unsigned)CLAMP((int)ui->back + steps, 0, 100);
    else
        ui->selected = (unsigned)CLAMP((int)ui->selected + steps, 0, MAX((int)m->n_drives - 1, 0));
}

static void show(struct ui *ui, enum ui_view view)
{
    ui->view = ui->view == view ? UI_VIEW_MAIN : view;
    ui->back = 0;
}

/* ---- verbs ---- */

static struct ui_action toggle_pause(struct ui *ui, const struct model *m)
{
    const struct model_drive *row = selected(ui, m);
    if (!row)
        return nothing;
    if (row->is_vmstate) {
        ui_say(ui, MODEL_WARNING, "%s cannot be paused", row->name);
        return nothing;
    }
    if (row->state != MODEL_RUN && row->state != MODEL_PAUSE && row->state != MODEL_RETRY) {
        ui_say(ui, MODEL_WARNING, "%s is not being copied", row->name);
        return nothing;
    }
    return command(row->is_paused_by_operator ? COMMAND_RESUME : COMMAND_PAUSE, row->name);
}

/* Resumes only when everything that moves is paused: a mixed state is paused first. */
static struct ui_action toggle_pause_all(const struct model *m)
{
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *row = &m->drives[i];
        bool is_alive = row->state == MODEL_RUN || row->state == MODEL_PAUSE || row->state == MODEL_RETRY;
        if (is_alive && !row->is_vmstate && !row->is_paused_by_operator)
            return command(COMMAND_PAUSE, "all");
    }
    return command(COMMAND_RESUME, "all");
}

static struct ui_action lift_limit(struct ui *ui, const struct model *m)
{
    const struct model_drive *row = selected(ui, m);
    if (!row || !row->limit) {
        ui_say(ui, MODEL_INFO, "%s has no limit", row ? row->name : "this");
        return nothing;
    }
    ui->asked_until_ms = ui->now_ms + UI_ASKED_MS;
    return command(COMMAND_LIMIT, row->name);
}

static struct ui_action quit(struct ui *ui, const struct model *m)
{
    if (ui->is_visitor || !command_is_valid(COMMAND_CANCEL_ALL, m->phase))
        return act(UI_LEAVE);
    open_dialog(ui, UI_DIALOG_QUIT);
    return nothing;
}

static struct ui_action run_verb(struct ui *ui, enum command_verb verb, const struct model *m)
{
    switch (verb) {
    case COMMAND_HELP:
        show(ui, UI_VIEW_HELP);
        return nothing;
    case COMMAND_LOG:
        show(ui, UI_VIEW_LOG);
        return nothing;
    case COMMAND_BACK:
        ui->view = UI_VIEW_MAIN;
        ui->back = 0;
        return nothing;
    case COMMAND_LIMIT:
    case COMMAND_LIMIT_ALL:
        open_limit(ui, m, verb == COMMAND_LIMIT_ALL);
        return nothing;
    case COMMAND_CANCEL_ALL:
        open_dialog(ui, UI_DIALOG_CANCEL);
        return nothing;
    case COMMAND_UNLIMIT:
        return lift_limit(ui, m);
    case COMMAND_TOGGLE_PAUSE:
        return toggle_pause(ui, m);
    case COMMAND_TOGGLE_PAUSE_ALL:
        return toggle_pause_all(m);
    case COMMAND_BEGIN:
    case COMMAND_RECONNECT:
        return command(verb, "");
    case COMMAND_REDRAW:
        return act(UI_REDRAW);
    case COMMAND_THEME:
        return act(UI_NEXT_THEME);
    case COMMAND_QUIT:
        return quit(ui, m);
    default:
        move(ui, m, steps_of(verb));
        return nothing;
    }
}

struct ui_action ui_key(struct ui *ui, uint32_t key, const struct model *m, int64_t now_ms)
{
    ui->now_ms = now_ms;
    if (ui->dialog)
        return key_dialog(ui, key, m);
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
