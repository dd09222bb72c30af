// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/ui.h"

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

bool ui_is_moving(const struct model *m)
{
    return m->phase != MODEL_DONE || m->end.reading;
}
