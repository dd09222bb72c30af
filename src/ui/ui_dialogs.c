// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys while a dialog is open. Each opens on the answer that changes nothing; Esc always gives that answer.
 */
#include <string.h>

#include "ui/ui_inside.h"

static const struct ui_action nothing;

void ui_open(struct ui *ui, enum ui_dialog dialog)
{
    ui->dialog = dialog;
    ui->opened_ms = ui->now_ms;
    ui->input[0] = '\0';
    ui->keeps_partial = false;
    ui->choice = 0;
}

void ui_open_text(struct ui *ui, enum ui_dialog dialog, const char *text)
{
    ui_open(ui, dialog);
    g_strlcpy(ui->input, text, sizeof ui->input);
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

/* Enter hands the text over, as it is. */
static struct ui_action key_text(struct ui *ui, uint32_t key, enum command_verb verb)
{
    struct ui_action action = ui_command(verb, "");
    if (key != UI_KEY_ENTER || !*ui->input) {
        edit(ui, key);
        return nothing;
    }
    g_strlcpy(action.command.text, ui->input, sizeof action.command.text);
    ui->dialog = UI_DIALOG_NONE;
    return action;
}

/* The log follows while one types. */
static void key_filter(struct ui *ui, uint32_t key)
{
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    else
        edit(ui, key);
    g_strlcpy(ui->filter, ui->input, sizeof ui->filter);
    ui->back = 0;
}

/* ---- the limit ---- */

void ui_open_limit(struct ui *ui, const struct model *m, enum ui_scope scope)
{
    const struct model_drive *drive = ui_selected(ui, m);
    if (scope == UI_THIS && drive && !ui_marked(ui, m) && ui_row_refuses(ui, m, drive, COMMAND_LIMIT))
        return;
    ui_open(ui, UI_DIALOG_LIMIT);
    ui->scope = scope == UI_ALL || !drive ? UI_ALL : ui_marked(ui, m) ? UI_MARKED : UI_THIS;
    g_strlcpy(ui->target, drive ? drive->name : "", sizeof ui->target);
}

uint64_t ui_limit_base(const struct ui *ui, const struct model *m)
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
    uint64_t rate = command_parse_rate(ui->input, &c, NULL) && !c.is_relative ? c.rate : ui_limit_base(ui, m);
    if (!rate)
        return;
    units_format_size(command_relative_rate(rate, percent), text);
    g_strlcpy(ui->input, text, sizeof ui->input);
}

/* Enter does nothing while the text is no limit: it stays, and its line says why. */
static struct ui_action apply_limit(struct ui *ui, const struct model *m)
{
    struct command c;
    uint64_t base = ui_limit_base(ui, m);
    command_init(&c, COMMAND_LIMIT);
    if (!command_parse_rate(ui->input, &c, NULL))
        return nothing;
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

static struct ui_action key_limit(struct ui *ui, uint32_t key, const struct model *m)
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
        edit(ui, key);
    return nothing;
}

/* ---- cancel, pause, quit ---- */

void ui_open_drop(struct ui *ui, const struct model *m)
{
    const struct model_drive *row = ui_selected(ui, m);
    if (!row)
        return;
    if (!ui_marked(ui, m) && ui_row_refuses(ui, m, row, COMMAND_CANCEL))
        return;
    ui_open(ui, UI_DIALOG_DROP);
    ui->scope = ui_marked(ui, m) ? UI_MARKED : UI_THIS;
    g_strlcpy(ui->target, row->name, sizeof ui->target);
}

static struct ui_action key_drop(struct ui *ui, uint32_t key, const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_CANCEL, ui->target);
    action.command.is_confirmed = true;
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    if (key != 'c')
        return nothing;
    ui->dialog = UI_DIALOG_NONE;
    return ui->scope == UI_MARKED ? ui_on_rows(ui, m, &action.command) : action;
}

static struct ui_action key_cancel(struct ui *ui, uint32_t key, const struct model *m)
{
    if (key == UI_KEY_TAB || (key >= UI_KEY_UP && key <= UI_KEY_RIGHT)) {
        ui->keeps_partial = !ui->keeps_partial;
    } else if (key == UI_KEY_ENTER && g_str_equal(ui->input, m->guest)) {
        struct ui_action action = ui_command(COMMAND_CANCEL_ALL, "");
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

static struct ui_action key_pause_all(struct ui *ui, uint32_t key)
{
    if (key == UI_KEY_ENTER || key == 'P')
        ui->dialog = UI_DIALOG_NONE;
    return key == 'P' ? ui_command(COMMAND_PAUSE, "all") : nothing;
}

static struct ui_action key_quit(struct ui *ui, uint32_t key)
{
    if (key == 'C' && !ui->is_readonly) {
        ui_open(ui, UI_DIALOG_CANCEL);
        ui->wants_to_leave = true;
    } else if (key == UI_KEY_ENTER) {
        ui->dialog = UI_DIALOG_NONE;
    } else if (key == 'd' && ui->may_detach) {
        ui->dialog = UI_DIALOG_NONE;
        return ui_act(UI_DETACH);
    }
    return nothing;
}

/* ---- the plan ---- */

/* One up or down from where it stands, within its bounds. */
static unsigned stepped(uint32_t key, unsigned value, unsigned max)
{
    if (key == UI_KEY_UP || key == '+' || key == 'k')
        return MIN(value + 1, max);
    return (key == UI_KEY_DOWN || key == '-' || key == 'j') && value ? value - 1 : value;
}

static struct ui_action key_leftovers(struct ui *ui, uint32_t key)
{
    if (key == UI_KEY_ENTER || key == 'c')
        ui->dialog = UI_DIALOG_NONE;
    return key == 'c' ? ui_command(COMMAND_CLEANUP, "") : nothing;
}

/* What is chosen is planned at once: nothing runs yet. */
static struct ui_action key_number(struct ui *ui, uint32_t key, enum command_verb verb, unsigned value, unsigned max)
{
    struct ui_action action = ui_command(verb, "");
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    action.command.number = stepped(key, value, max);
    return action.command.number != value ? action : nothing;
}

static struct ui_action key_on_error(struct ui *ui, uint32_t key, const struct model *m)
{
    struct ui_action action = ui_command(COMMAND_STRICT, "");
    action.command.is_on = !m->is_strict;
    return key == UI_KEY_SPACE ? action : key_number(ui, key, COMMAND_RETRIES, m->retries, COMMAND_MAX_RETRIES);
}

/* ---- themes ---- */

/* Moving shows it at once; Esc puts back what was there. */
static struct ui_action show_theme(struct ui *ui, unsigned theme)
{
    struct ui_action action = ui_act(UI_SHOW_THEME);
    action.theme = theme;
    ui->choice = theme;
    return action;
}

void ui_open_themes(struct ui *ui)
{
    if (!ui->themes || !ui->themes->len) {
        ui_say(ui, MODEL_INFO, "there are no themes to choose from");
        return;
    }
    ui_open(ui, UI_DIALOG_THEME);
    ui->choice = ui->theme_before = ui->theme;
}

static struct ui_action key_theme(struct ui *ui, uint32_t key)
{
    unsigned n = ui->themes->len, at = MIN(ui->choice, n);
    if (key == UI_KEY_ENTER)
        ui->dialog = UI_DIALOG_NONE;
    if (key >= UI_KEY_ROW && key - UI_KEY_ROW < n)
        return show_theme(ui, key - UI_KEY_ROW);
    if ((key == UI_KEY_UP || key == 'k') && at > 0)
        return show_theme(ui, at - 1);
    if ((key == UI_KEY_DOWN || key == 'j') && at + 1 < n)
        return show_theme(ui, at + 1);
    return nothing;
}

/* ---- all of them ---- */

static struct ui_action close_dialog(struct ui *ui)
{
    bool is_theme_left = ui->dialog == UI_DIALOG_THEME && ui->theme_before < ui->themes->len;
    if (ui->dialog == UI_DIALOG_FILTER)
        ui->filter[0] = '\0';
    ui->dialog = UI_DIALOG_NONE;
    ui->wants_to_leave = false;
    return is_theme_left ? show_theme(ui, ui->theme_before) : nothing;
}

struct ui_action ui_key_dialog(struct ui *ui, uint32_t key, const struct model *m)
{
    if (ui->now_ms - ui->opened_ms < UI_DIALOG_DEAF_MS && ui->dialog != UI_DIALOG_FILTER)
        return nothing;
    if (key == UI_KEY_ESC || key == UI_KEY_CTRL_C)
        return close_dialog(ui);
    switch (ui->dialog) {
    case UI_DIALOG_LIMIT:
        return key_limit(ui, key, m);
    case UI_DIALOG_DROP:
        return key_drop(ui, key, m);
    case UI_DIALOG_CANCEL:
        return key_cancel(ui, key, m);
    case UI_DIALOG_PAUSE_ALL:
        return key_pause_all(ui, key);
    case UI_DIALOG_OUTPUT:
        return key_text(ui, key, COMMAND_OUTPUT);
    case UI_DIALOG_MONITOR:
        return key_text(ui, key, COMMAND_CONNECT);
    case UI_DIALOG_LEVEL:
        return key_number(ui, key, COMMAND_LEVEL, m->level, COMMAND_MAX_LEVEL);
    case UI_DIALOG_ON_ERROR:
        return key_on_error(ui, key, m);
    case UI_DIALOG_THEME:
        return key_theme(ui, key);
    case UI_DIALOG_LEFTOVERS:
        return key_leftovers(ui, key);
    case UI_DIALOG_FILTER:
        key_filter(ui, key);
        return nothing;
    default:
        return key_quit(ui, key);
    }
}
