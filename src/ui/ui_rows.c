// SPDX-License-Identifier: GPL-2.0-or-later
/* What is done to rows of the table: to the selected one, or to all that are marked. */

#include "model/drive_state.h"
#include "ui/ui_inside.h"

static const struct ui_action nothing;

struct ui_action ui_command(enum command_verb verb, const char *target)
{
    struct ui_action action = {.does = UI_COMMAND};
    command_init(&action.command, verb);
    g_strlcpy(action.command.target, target, sizeof action.command.target);
    return action;
}

const struct model_drive *ui_selected(const struct ui *ui, const struct model *m)
{
    return ui->selected < m->n_drives ? &m->drives[ui->selected] : NULL;
}

/* ---- which rows ---- */

static bool is_alive(const struct model_drive *row)
{
    return row->state == MODEL_RUN || row->state == MODEL_PAUSE || row->state == MODEL_RETRY;
}

bool ui_row_is_open(const struct model_drive *row)
{
    return row->is_included && (is_alive(row) || row->state == MODEL_WAIT || row->state == MODEL_FAIL);
}

/* What more than its state decides, the rules below ask. */
static bool may(const struct model_drive *row, enum drive_may verb)
{
    return row->is_included && drive_shown_may(row->state, row->keeps_instant, verb);
}

static const char *why_not_in_motion(const struct model_drive *row)
{
    return row->is_vmstate ? "cannot be paused" : may(row, DRIVE_MAY_PAUSE) ? NULL : "is not being copied";
}

static const char *why_no_pause(const struct model *m, const struct model_drive *row)
{
    const char *why = why_not_in_motion(row);
    return why || !row->paused.by_operator ? why : "is paused already";
}

static const char *why_no_resume(const struct model *m, const struct model_drive *row)
{
    const char *why = why_not_in_motion(row);
    return why || row->paused.by_operator ? why : "is not paused";
}

static const char *why_no_cancel(const struct model *m, const struct model_drive *row)
{
    if (model_is_saved(row->state))
        return "is saved already";
    if (!row->is_included ||
        (row->is_vmstate ? !is_alive(row) : row->state != MODEL_WAIT && !may(row, DRIVE_MAY_CANCEL)))
        return "is not being saved";
    if (m->sink.is_pipe)
        return "is in a pipe already: only the whole backup can be cancelled";
    return m->phase != MODEL_COPY && !row->is_vmstate ? "does not move yet: only the whole backup can be cancelled"
                                                      : NULL;
}

/* One that was cancelled can be had again, too. */
static const char *why_no_retry(const struct model *m, const struct model_drive *row)
{
    if (!may(row, DRIVE_MAY_RETRY))
        return "has not failed";
    if (row->may_retry)
        return NULL;
    return m->sink.is_pipe ? "cannot begin again: the target is a pipe" : "cannot be taken again";
}

static const char *why_no_limit(const struct model *m, const struct model_drive *row)
{
    if (row->takes_no_limit && row->is_included)
        return "cannot be slowed: a background snapshot that waits stops the guest";
    return ui_row_is_open(row) ? NULL : "is not being copied";
}

static const struct {
    const char *(*why_not)(const struct model *m, const struct model_drive *row);
} rules[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define ROW(f)                                 .why_not = f,
#include "model/command_list.h"
};

/* What follows its name in a sentence; NULL: it is not refused. */
static const char *refusal(const struct model *m, const struct model_drive *row, enum command_verb verb)
{
    return rules[verb].why_not ? rules[verb].why_not(m, row) : NULL;
}

bool ui_row_takes(const struct model *m, const struct model_drive *row, enum command_verb verb)
{
    return !refusal(m, row, verb);
}

unsigned ui_rows_that_take(const struct model *m, enum command_verb verb)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n_drives; i++)
        n += ui_row_takes(m, &m->drives[i], verb);
    return n;
}

bool ui_row_refuses(struct ui *ui, const struct model *m, const struct model_drive *row, enum command_verb verb)
{
    const char *why = refusal(m, row, verb);
    if (why)
        ui_say(ui, MODEL_WARNING, "%s %s", row->name, why);
    return why != NULL;
}

unsigned ui_marked(const struct ui *ui, const struct model *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        n += ui->marked[i];
    return n;
}

struct ui_action ui_mark(struct ui *ui, const struct model *m, int n)
{
    if (ui->selected < MIN(m->n_drives, UI_MAX_ROWS))
        ui->marked[ui->selected] = !ui->marked[ui->selected];
    return nothing;
}

struct ui_action ui_mark_all(struct ui *ui, const struct model *m, int n)
{
    bool has_none = !ui_marked(ui, m);
    for (unsigned i = 0; i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        ui->marked[i] = has_none && m->drives[i].is_included;
    return nothing;
}

/* ---- one command for several ---- */

static bool is_next(const struct ui *ui, const struct model *m, unsigned row)
{
    if (ui->batch.is_undo)
        return ui->undo.has[row];
    return ui->marked[row] && ui_row_takes(m, &m->drives[row], ui->batch.command.verb);
}

bool ui_more(struct ui *ui, const struct model *m, struct ui_action *action)
{
    while (ui->batch.is_on && ui->batch.next < MIN(m->n_drives, UI_MAX_ROWS)) {
        unsigned row = ui->batch.next++;
        if (!is_next(ui, m, row))
            continue;
        *action = (struct ui_action){.does = UI_COMMAND, .command = ui->batch.command};
        g_strlcpy(action->command.target, m->drives[row].name, sizeof action->command.target);
        if (ui->batch.is_undo)
            action->command.rate = ui->undo.limits[row];
        return true;
    }
    ui->batch.is_on = false;
    return false;
}

static struct ui_action begin_batch(struct ui *ui, const struct model *m, const struct command *c, bool is_undo)
{
    struct ui_action first = nothing;
    ui->batch = (struct ui_batch){.is_on = true, .is_undo = is_undo, .command = *c};
    ui_more(ui, m, &first);
    return first;
}

struct ui_action ui_on_rows(struct ui *ui, const struct model *m, const struct command *c)
{
    const struct model_drive *row = ui_selected(ui, m);
    struct ui_action action = {.does = UI_COMMAND, .command = *c};
    if (ui_marked(ui, m)) {
        action = begin_batch(ui, m, c, false);
        if (!action.does)
            ui_say(ui, MODEL_WARNING, "none of the marked drives can do that now");
        return action;
    }
    if (!row)
        return nothing;
    g_strlcpy(action.command.target, row->name, sizeof action.command.target);
    return action;
}

/* ---- pause and retry ---- */

static bool is_any_marked_to(const struct ui *ui, const struct model *m, enum command_verb verb)
{
    for (unsigned i = 0; i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        if (ui->marked[i] && ui_row_takes(m, &m->drives[i], verb))
            return true;
    return false;
}

struct ui_action ui_toggle_pause(struct ui *ui, const struct model *m, int n)
{
    const struct model_drive *row = ui_selected(ui, m);
    struct command c;
    command_init(&c, COMMAND_PAUSE);
    if (ui_marked(ui, m)) {
        if (!is_any_marked_to(ui, m, COMMAND_PAUSE))
            c.verb = COMMAND_RESUME;
        return ui_on_rows(ui, m, &c);
    }
    if (!row)
        return nothing;
    if (ui_row_takes(m, row, COMMAND_RESUME))
        c.verb = COMMAND_RESUME;
    return ui_row_refuses(ui, m, row, c.verb) ? nothing : ui_on_rows(ui, m, &c);
}

struct ui_action ui_retry(struct ui *ui, const struct model *m, int n)
{
    const struct model_drive *row = ui_selected(ui, m);
    struct command c;
    command_init(&c, COMMAND_RETRY);
    if (!ui_marked(ui, m) && row && ui_row_refuses(ui, m, row, COMMAND_RETRY))
        return nothing;
    return ui_on_rows(ui, m, &c);
}

/* ---- limits ---- */

static void note_old(struct ui *ui, const struct model *m, unsigned row)
{
    if (row >= MIN(m->n_drives, UI_MAX_ROWS) || !ui_row_takes(m, &m->drives[row], COMMAND_LIMIT))
        return;
    ui->undo.has[row] = true;
    ui->undo.limits[row] = m->drives[row].limit_wanted;
}

static void note_old_limits(struct ui *ui, const struct model *m, enum ui_scope scope, unsigned target)
{
    ui->undo = (struct ui_undo){.until_ms = ui->now_ms + UI_UNDO_MS, .is_for_all = scope == UI_ALL};
    ui->undo.all = m->global_limit;
    for (unsigned i = 0; scope == UI_MARKED && i < MIN(m->n_drives, UI_MAX_ROWS); i++)
        if (ui->marked[i])
            note_old(ui, m, i);
    if (scope == UI_THIS)
        note_old(ui, m, target);
}

struct ui_action ui_limit(struct ui *ui, const struct model *m, const struct command *c, enum ui_scope scope)
{
    struct ui_action action = {.does = UI_COMMAND, .command = *c};
    unsigned target = ui->selected;
    ui->asked_until_ms = ui->now_ms + UI_ASKED_MS;
    if (scope == UI_MARKED) {
        note_old_limits(ui, m, scope, target);
        return begin_batch(ui, m, c, false);
    }
    if (scope == UI_ALL) {
        g_strlcpy(action.command.target, "all", sizeof action.command.target);
    } else if (*c->target) {
        const struct model_drive *row = model_find_drive(m, c->target);
        target = row ? (unsigned)(row - m->drives) : UI_MAX_ROWS;
    } else if (ui_selected(ui, m)) {
        g_strlcpy(action.command.target, ui_selected(ui, m)->name, sizeof action.command.target);
    }
    note_old_limits(ui, m, scope, target);
    return action;
}

/* Ten percent up or down; pressed again before QEMU has answered it goes on from there. */
struct ui_action ui_nudge(struct ui *ui, const struct model *m, int percent)
{
    const struct model_drive *row = ui_selected(ui, m);
    struct command c;
    char old_text[UNITS_LEN], new_text[UNITS_LEN];
    command_init(&c, COMMAND_LIMIT);
    if (ui_marked(ui, m)) {
        c.is_relative = true;
        c.percent = percent;
        return ui_limit(ui, m, &c, UI_MARKED);
    }
    if (!row || ui_row_refuses(ui, m, row, COMMAND_LIMIT))
        return nothing;
    bool goes_on = ui->nudged_until_ms > ui->now_ms && ui->nudged_row == ui->selected;
    uint64_t base = goes_on ? ui->nudged : row->limit_wanted ? row->limit_wanted : row->data_rate;
    if (!base) {
        ui_say(ui, MODEL_INFO, "%s has no limit and no data moves: s sets one", row->name);
        return nothing;
    }
    struct ui_undo before = ui->undo;
    c.rate = ui->nudged = command_relative_rate(base, percent);
    ui->nudged_row = ui->selected;
    ui->nudged_until_ms = ui->now_ms + UI_NUDGE_MS;
    struct ui_action action = ui_limit(ui, m, &c, UI_THIS);
    if (goes_on) /* one z takes all of it back */
        ui->undo = before;
    ui->undo.until_ms = ui->now_ms + UI_UNDO_MS;
    ui_say(ui, MODEL_INFO, "%s limit %s > %s   (z undoes)", row->name,
           row->limit_wanted ? units_format_size(row->limit_wanted, old_text) : "none",
           units_format_size(c.rate, new_text));
    return action;
}

struct ui_action ui_lift_limit(struct ui *ui, const struct model *m, int n)
{
    const struct model_drive *row = ui_selected(ui, m);
    struct command c;
    command_init(&c, COMMAND_LIMIT);
    if (ui_marked(ui, m))
        return ui_limit(ui, m, &c, UI_MARKED);
    if (!row || ui_row_refuses(ui, m, row, COMMAND_LIMIT))
        return nothing;
    if (!row->limit_wanted) {
        ui_say(ui, MODEL_INFO,
               row->limit ? "%s only has its share of the whole backup's limit: S changes that" : "%s has no limit",
               row->name);
        return nothing;
    }
    return ui_limit(ui, m, &c, UI_THIS);
}

struct ui_action ui_take_back(struct ui *ui, const struct model *m, int n)
{
    struct ui_action action = ui_command(COMMAND_LIMIT, "all");
    bool is_for_all = ui->undo.is_for_all;
    if (ui->undo.until_ms <= ui->now_ms) {
        ui_say(ui, MODEL_INFO, "nothing to undo: only a limit, for 10 s");
        return nothing;
    }
    ui->undo.until_ms = ui->nudged_until_ms = 0;
    ui->asked_until_ms = ui->now_ms + UI_ASKED_MS;
    ui_say(ui, MODEL_INFO, "the limit before is asked for again");
    action.command.rate = ui->undo.all;
    return is_for_all ? action : begin_batch(ui, m, &action.command, true);
}
