// SPDX-License-Identifier: GPL-2.0-or-later
/* The themes there are. The one under the cursor is on the screen already. */
#include "ui/dialog.h"

#define MAX_SHOWN 8

/* Moving shows it at once; Esc puts back what was there. */
static struct ui_action show_theme(struct ui *ui, unsigned theme)
{
    struct ui_action action = ui_act(UI_SHOW_THEME);
    action.theme = theme;
    ui->choice = theme;
    return action;
}

static bool open(struct ui *ui, const struct model *m)
{
    if (!ui->themes || !ui->themes->len) {
        ui_say(ui, MODEL_INFO, "there are no themes to choose from");
        return false;
    }
    ui->choice = ui->theme_before = ui->theme;
    return true;
}

static struct ui_action key(struct ui *ui, uint32_t key, const struct model *m)
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
    return ui_act(UI_NOTHING);
}

static struct ui_action put_back(struct ui *ui)
{
    return ui->theme_before < ui->themes->len ? show_theme(ui, ui->theme_before) : ui_act(UI_NOTHING);
}

/* Just so many columns. */
static char *fitted(const char *text, int width)
{
    GString *s = g_string_new(NULL);
    while (*text && canvas_text_width(s->str) < width) {
        g_string_append_unichar(s, g_utf8_get_char(text));
        text = g_utf8_next_char(text);
    }
    for (int used = canvas_text_width(s->str); used < width; used++)
        g_string_append_c(s, ' ');
    return g_string_free(s, FALSE);
}

static void say_theme(struct dialog *d, const struct scene *s, unsigned i)
{
    const struct theme_entry *entry = &g_array_index(s->ui->themes, struct theme_entry, i);
    bool is_chosen = i == s->ui->choice, is_broken = *entry->problem;
    g_autofree char *name = fitted(entry->theme.name, 13),
                    *about = fitted(is_broken ? entry->problem : entry->theme.description, 32);
    dialog_line(d, is_chosen ? DIALOG_NEEDED : DIALOG_EXTRA, is_broken ? ROLE_TEXT_DIM : ROLE_DIALOG, "%s %s %s %s",
                is_chosen ? s->glyphs->cursor : " ", name, about, is_broken ? "! not usable" : entry->origin);
    dialog_link(d, UI_KEY_ROW + i);
}

static void say_sample(struct dialog *d, const struct scene *s)
{
    const char *const *signs = s->glyphs->states;
    dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "sample  %s run  %s done  %s pause  %s FAIL  %s wait   %s",
                signs[MODEL_RUN], signs[MODEL_OK], signs[MODEL_PAUSE], signs[MODEL_FAIL], signs[MODEL_WAIT],
                s->glyphs->name);
}

static void draw(const struct scene *s)
{
    unsigned n = s->ui->themes->len, first = table_first(MIN(s->ui->choice, n - 1), n, MAX_SHOWN);
    struct dialog d = dialog_begin("theme");
    for (unsigned i = first; i < MIN(n, first + MAX_SHOWN); i++)
        say_theme(&d, s, i);
    dialog_gap(&d);
    say_sample(&d, s);
    dialog_end(&d, s, s->canvas->width >= 40 ? "Up Down show   Enter keeps   Esc puts back" : "Enter keeps  Esc");
}

const struct dialog_kind dialog_theme = {
    .verb = COMMAND_THEME, .open = open, .key = key, .draw = draw, .close = put_back};
