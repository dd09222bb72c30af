// SPDX-License-Identifier: GPL-2.0-or-later
/* The themes there are. The one under the cursor is on the screen already. */
#include "ui/dialog.h"

#define MAX_SHOWN 8

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

void dialog_theme(const struct scene *s)
{
    unsigned n = s->ui->themes->len, first = table_first(MIN(s->ui->choice, n - 1), n, MAX_SHOWN);
    struct dialog d = dialog_begin("theme");
    for (unsigned i = first; i < MIN(n, first + MAX_SHOWN); i++)
        say_theme(&d, s, i);
    dialog_gap(&d);
    say_sample(&d, s);
    dialog_end(&d, s, s->canvas->width >= 40 ? "Up Down show   Enter keeps   Esc puts back" : "Enter keeps  Esc");
}
