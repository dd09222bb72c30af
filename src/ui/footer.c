// SPDX-License-Identifier: GPL-2.0-or-later
/* The last two lines: what to know right now, and which keys do something. */
#include "ui/screen.h"
#include "ui/ui_inside.h"

#include <string.h>

/* ---- message ---- */

static enum ui_role level_role(enum model_level level)
{
    return level == MODEL_ERROR || level == MODEL_WARNING ? ROLE_TOAST : ROLE_MESSAGE;
}

static void say_plan(const struct scene *s, struct pen *pen)
{
    char key[KEY_NAME_LEN];
    if (s->m->left.n) {
        pen_text(pen, ROLE_TOAST, "no backup can begin before %s has cleaned up", keymap_of(COMMAND_CLEANUP, key));
        pen_try(pen, ROLE_TOAST, " what a dead one left: %s", s->m->left.what);
        return;
    }
    if (s->ui->is_readonly)
        pen_text(pen, ROLE_TOAST, "read-only: begin is for another console");
    else
        pen_text(pen, ROLE_TOAST, "%s begins the backup", keymap_of(COMMAND_BEGIN, key));
    if (!s->ui->is_readonly)
        pen_try(pen, ROLE_MESSAGE, "   nothing has been changed in QEMU yet");
}

static void say_connect(const struct scene *s, struct pen *pen)
{
    if (s->m->phase == MODEL_CONNECT_FAILED)
        pen_text(pen, ROLE_MESSAGE, "next try in %u s (attempt %u)", (unsigned)((s->m->link.retry_in_ms + 999) / 1000),
                 s->m->link.attempt);
    else
        pen_text(pen, ROLE_MESSAGE, s->m->left.is_cleaning ? "cleaning up what a dead backup left" : "connecting");
}

/* What to press about a row that has failed, or is about to be tried again. */
static void say_failed(const struct scene *s, struct pen *pen)
{
    char time[FIGURE_LEN], retry[KEY_NAME_LEN], drop[KEY_NAME_LEN], why[KEY_NAME_LEN];
    keymap_of(COMMAND_RETRY, retry);
    keymap_of(COMMAND_CANCEL, drop);
    for (unsigned i = 0; i < s->m->n_drives; i++) {
        const struct model_drive *row = &s->m->drives[i];
        if (row->state == MODEL_FAIL) {
            pen_text(pen, ROLE_TOAST, "%s failed: ", row->name);
            if (!s->ui->is_readonly && ui_row_takes(s->m, row, COMMAND_RETRY) && *retry)
                pen_text(pen, ROLE_TOAST, "%s retry, ", retry);
            if (!s->ui->is_readonly && ui_row_takes(s->m, row, COMMAND_CANCEL) && *drop)
                pen_text(pen, ROLE_TOAST, "%s drop, ", drop);
            pen_text(pen, ROLE_TOAST, "%s why   ", keymap_of(COMMAND_DETAIL, why));
        } else if (row->state == MODEL_RETRY && row->retry_in_ms) {
            pen_text(pen, ROLE_TOAST, "%s is tried again in %s   ", row->name, units_format_ms(row->retry_in_ms, time));
        }
    }
}

/* The failed rows and what each wants, then what holds others back. */
static void say_rows(const struct scene *s, struct pen *pen)
{
    char limit[FIGURE_LEN], note[MODEL_TEXT_LEN];
    int begin = pen->x;
    say_failed(s, pen);
    for (unsigned i = 0; i < s->m->n_drives; i++) {
        const struct model_drive *row = &s->m->drives[i];
        if (row->state == MODEL_RUN && row->is_limit_binding)
            pen_try(pen, ROLE_MESSAGE, "%s limited to %s (binding)   ", row->name,
                    units_format_rate(row->limit, limit));
        else if (row->state == MODEL_PAUSE && row->paused.by_operator)
            pen_try(pen, ROLE_MESSAGE, "%s paused: guest writes still copy   ", row->name);
    }
    if (pen->x == begin && s->ui->selected < s->m->n_drives) { /* no room for a sentence, or nothing to be said */
        table_note(s, s->ui->selected, note, sizeof note);
        if (*note)
            pen_text(pen, ROLE_MESSAGE, "%s: %s", s->m->drives[s->ui->selected].name, note);
    }
}

/* What is worse than a failed drive: the guest suffers, or nothing can move. True when something was said. */
static bool say_trouble(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char size[FIGURE_LEN], need[FIGURE_LEN], limit[KEY_NAME_LEN], pause[KEY_NAME_LEN], cancel[KEY_NAME_LEN];
    keymap_of(COMMAND_CANCEL_ALL, cancel);
    if (m->link.is_lost)
        pen_text(pen, ROLE_TOAST, "no answer from QEMU: tried again%s; the figures are the last known",
                 m->link.retry_in_ms ? " in a moment" : "");
    else if (m->sink.is_full)
        pen_text(pen, ROLE_TOAST, "target full: needs %s, free %s; it goes on by itself",
                 figure_size(m->sink.need_bytes, "space", need), figure_size(m->sink.free_bytes, "?", size));
    else if (facts_impact(&m->impact) == FACTS_IMPACT_HIGH)
        pen_text(pen, ROLE_TOAST, "the guest's writes suffer: %s limits the backup, %s pauses it, %s cancels it",
                 keymap_of(COMMAND_LIMIT_ALL, limit), keymap_of(COMMAND_TOGGLE_PAUSE_ALL, pause), cancel);
    else if (m->sink.stuck_ms > 5000)
        pen_text(pen, ROLE_TOAST, "the target has not answered for %s: look at its disk, or %s cancels",
                 units_format_ms(m->sink.stuck_ms, size), cancel);
    else
        return false;
    return true;
}

static void say_reading(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    bool is_check = m->end.reading == MODEL_READING_TO_VERIFY;
    char share[FIGURE_LEN], rate[FIGURE_LEN], left[FIGURE_LEN], key[KEY_NAME_LEN];
    pen_text(pen, ROLE_MESSAGE, "%s %s", is_check ? "verifying" : "sha256",
             figure_percent(m->end.read_done, m->end.read_total, s->glyphs->none, share));
    pen_try(pen, ROLE_MESSAGE, ", %s", figure_rate(m->end.read_rate, s->glyphs->none, rate));
    if (m->eta_ms != MODEL_UNKNOWN)
        pen_try(pen, ROLE_MESSAGE, ", left %s", figure_estimate(m->eta_ms, "", left));
    pen_try(pen, ROLE_MESSAGE, "   %s stops it", keymap_of(is_check ? COMMAND_VERIFY : COMMAND_CHECKSUM, key));
}

/* The screen above tells the outcome, unless it is too small for it. */
static void say_done(const struct scene *s, struct pen *pen)
{
    static const char *const meanings[] = {
        "all saved",
        "failed, nothing usable",
        "usage",
        "finished, incomplete",
        "cancelled",
        "monitor or guest gone",
        "target cannot be written",
        "another backup holds this guest",
        "damage found",
    };
    int status = s->m->end.exit_status;
    const char *meaning = status >= 0 && status < (int)G_N_ELEMENTS(meanings) ? meanings[status] : "ended by a signal";
    char key[KEY_NAME_LEN];
    keymap_of(COMMAND_QUIT, key);
    if (s->m->end.reading)
        say_reading(s, pen);
    else if (s->canvas->height < 4)
        pen_text(pen, ROLE_MESSAGE, "%s", s->m->end.outcome);
    else
        pen_text(pen, ROLE_MESSAGE,
                 s->canvas->width >= 60 ? "Exit status will be %d (%s): %s quits" : "exit %d: %s  %s quits", status,
                 meaning, key);
}

static void say_situation(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    if (m->phase <= MODEL_CONNECT_FAILED)
        say_connect(s, pen);
    else if (m->phase == MODEL_PLAN)
        say_plan(s, pen);
    else if (m->phase == MODEL_DONE)
        say_done(s, pen);
    else if (!say_trouble(s, pen))
        say_rows(s, pen);
}

static void footer_message(const struct scene *s, int y)
{
    const struct ui *ui = s->ui;
    int x = s->canvas->width >= 30 ? 1 : 0;
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - x);
    const struct dialog_kind *dialog = dialogs_open(ui);
    if (dialog && dialog->draw_line)
        dialog->draw_line(s, &pen);
    else if (*ui->message && ui->message_until_ms > ui->now_ms)
        pen_text(&pen, level_role(ui->message_level), "%s", ui->message);
    else
        say_situation(s, &pen);
}

/* ---- keys ---- */

static bool has_nearby(const struct scene *s, enum command_verb verb)
{
    return s->m->link.n_nearby > 0;
}

static bool has_leftovers(const struct scene *s, enum command_verb verb)
{
    return s->m->left.n > 0;
}

static bool has_no_leftovers(const struct scene *s, enum command_verb verb)
{
    return !s->m->left.n;
}

static bool may_pull(const struct scene *s, enum command_verb verb)
{
    return *s->m->engine.word && !*s->m->engine.obstacle;
}

static bool has_archive(const struct scene *s, enum command_verb verb)
{
    return s->m->end.archive_bytes && !s->m->sink.is_pipe && !s->ui->is_visitor;
}

static bool is_own_run(const struct scene *s, enum command_verb verb)
{
    return !s->ui->is_visitor;
}

static bool has_row(const struct scene *s, enum command_verb verb)
{
    return ui_rows_that_take(s->m, verb) > 0;
}

static bool has_row_to_pause(const struct scene *s, enum command_verb verb)
{
    return has_row(s, COMMAND_PAUSE) || has_row(s, COMMAND_RESUME);
}

/* A key that would do nothing is not offered; pressed all the same, it says why. */
static const struct {
    bool (*has_use)(const struct scene *s, enum command_verb verb);
} offers[COMMAND_VERBS] = {
#define COMMAND(verb, word, help, phases, ...) [COMMAND_##verb] = {__VA_ARGS__},
#define OFFER(f)                               .has_use = f,
#include "model/command_list.h"
};

static bool is_in_bar(const struct scene *s, const struct command_entry *entry)
{
    return entry->label && (entry->phases & COMMAND_IN(s->m->phase)) && !(entry->changes && s->ui->is_readonly) &&
           (!offers[entry->verb].has_use || offers[entry->verb].has_use(s, entry->verb));
}

/* "?Help", "s Limit", or on a narrow screen the key and the beginning of its word. */
static char *item_text(const struct scene *s, const struct command_entry *entry)
{
    char key[KEY_NAME_LEN];
    keymap_first(entry, key);
    return g_strdup_printf("%s%s%s", key, strcmp(key, "?") == 0 ? "" : " ", s->canvas->width >= 20 ? entry->label : "");
}

/* As many as fit, what is worth most first. */
static void footer_keys(const struct scene *s, int y)
{
    int x = s->canvas->width >= 30 ? 1 : 0;
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - 2 * x);
    char key[KEY_NAME_LEN];
    if (s->canvas->width >= 60)
        pen_right(&pen, ROLE_KEY_LABEL, " %s", command_entry_of(COMMAND_QUIT)->label);
    pen_right(&pen, ROLE_KEY, " %s", keymap_first(command_entry_of(COMMAND_QUIT), key));
    canvas_link(s->canvas, pen.end + 1, y, s->canvas->width, keymap_key(key));
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        if (!is_in_bar(s, entry) || entry->verb == COMMAND_QUIT)
            continue;
        g_autofree char *text = item_text(s, entry);
        if (canvas_text_width(text) > pen_room(&pen))
            break;
        int begin = pen.x;
        pen_text(&pen, ROLE_KEY, "%s", keymap_first(entry, key));
        pen_text(&pen, ROLE_KEY_LABEL, "%s", text + strlen(key));
        canvas_link(s->canvas, begin, y, pen.x - begin, keymap_key(key));
        pen_gap(&pen, 2);
    }
}

int footer(const struct scene *s)
{
    int height = s->canvas->height;
    if (height >= 4)
        footer_keys(s, --height);
    if (height >= 2)
        footer_message(s, --height);
    return height;
}
