// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/dialog.h"

#include <string.h>

#include "ui/pane.h"

struct dialog dialog_begin(const char *title)
{
    return (struct dialog){.title = title};
}

static struct dialog_line *add(struct dialog *d, enum dialog_worth worth, enum ui_role role)
{
    g_assert(d->n < DIALOG_MAX_LINES);
    struct dialog_line *line = &d->lines[d->n++];
    *line = (struct dialog_line){.role = role, .worth = worth, .is_good = true};
    return line;
}

void dialog_line(struct dialog *d, enum dialog_worth worth, enum ui_role role, const char *format, ...)
{
    struct dialog_line *line = add(d, worth, role);
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    model_set(line->text, "%s", text);
}

void dialog_link(struct dialog *d, uint32_t key)
{
    d->lines[d->n - 1].link = key;
}

void dialog_gap(struct dialog *d)
{
    add(d, DIALOG_EXTRA, ROLE_DIALOG);
}

/* The end of what is typed, as many columns as fit: that is where the cursor is. */
static const char *visible_end(const char *text, int width)
{
    while (canvas_text_width(text) > width)
        text = g_utf8_next_char(text);
    return text;
}

void dialog_input(struct dialog *d, const char *label, const char *text, int width, const char *after, bool is_good)
{
    struct dialog_line *line = add(d, DIALOG_NEEDED, ROLE_DIALOG);
    const char *seen = visible_end(text, width - 1);
    int used = canvas_text_width(seen);
    model_set(line->text, "%s[ %s%*s ] %s", label, seen, width - used, "", after);
    line->input_x = canvas_text_width(label) + 2;
    line->input_width = width;
    line->cursor = used;
    line->is_good = is_good;
}

bool dialog_edit(struct ui *ui, uint32_t key)
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

bool dialog_says_yes(struct ui *ui, uint32_t key, uint32_t yes)
{
    if (key == UI_KEY_ENTER || key == yes)
        ui->dialog = UI_DIALOG_NONE;
    return key == yes;
}

/* ---- placing ---- */

struct box {
    int x, y, width, height;
    bool has_frame;
    bool is_shown[DIALOG_MAX_LINES];
};

/* Title and keys take a line each, frame or not. */
static struct box place(const struct dialog *d, const struct canvas *c)
{
    struct box box = {.has_frame = c->width >= 44 && c->height >= 10};
    int room = c->height - 2, shown = 0;
    box.width = box.has_frame ? MIN(DIALOG_WIDTH, c->width) : c->width;
    for (enum dialog_worth worth = DIALOG_NEEDED;; worth = DIALOG_EXTRA) {
        for (int i = 0; i < d->n; i++)
            if (d->lines[i].worth == worth && shown < room) {
                box.is_shown[i] = true;
                shown++;
            }
        if (worth == DIALOG_EXTRA)
            break;
    }
    box.height = shown + 2;
    box.x = (c->width - box.width) / 2;
    box.y = box.has_frame ? (c->height - box.height) / 2 : 0;
    return box;
}

static void draw_frame(const struct scene *s, const struct box *b)
{
    struct canvas *c = s->canvas;
    if (b->has_frame)
        pane_frame(s, b->x, b->y, b->width, b->height);
    else /* nothing else beside it: it could not be told apart */
        canvas_fill(c, 0, 0, c->width, c->height, ROLE_DIALOG, " ");
}

static void draw_line(const struct scene *s, int x, int y, int width, const struct dialog_line *line)
{
    canvas_put(s->canvas, x, y, width, line->role, line->text);
    canvas_link(s->canvas, x, y, width, line->link);
    if (!line->input_width)
        return;
    int field = MIN(line->input_width, MAX(width - line->input_x, 0));
    canvas_paint(s->canvas, x + line->input_x, y, field, line->is_good ? ROLE_INPUT : ROLE_INPUT_BAD);
    s->canvas->cursor_x = MIN(x + line->input_x + line->cursor, s->canvas->width - 1);
    s->canvas->cursor_y = y;
}

void dialog_end(const struct dialog *d, const struct scene *s, const char *keys)
{
    struct box b = place(d, s->canvas);
    int inset = b.has_frame ? 2 : 0, y = b.y + 1;
    canvas_unlink(s->canvas, s->canvas->height); /* it wants its answer first */
    draw_frame(s, &b);
    struct pen title = pen_at(s->canvas, b.x + inset, b.y, b.width - 2 * inset);
    pen_text(&title, ROLE_DIALOG_TITLE, b.has_frame ? " %s " : "%s", d->title);
    for (int i = 0; i < d->n && y < s->canvas->height; i++)
        if (b.is_shown[i])
            draw_line(s, b.x + inset, y++, b.width - 2 * inset, &d->lines[i]);
    if (b.y + b.height > s->canvas->height || b.height < 2)
        return;
    struct pen hint = pen_at(s->canvas, b.x + inset, b.y + b.height - 1, b.width - 2 * inset);
    pen_text(&hint, ROLE_DIALOG, b.has_frame ? " %s " : "%s", keys);
}
