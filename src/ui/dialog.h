// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A box in the middle of the screen; private to src/ui. Where there is no room for all of it, the frame goes
 * first, then the lines that only explain: the question, the input and the keys stay.
 *
 *     struct dialog d = dialog_begin("speed limit: scsi1");
 *     dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "now %s", …);
 *     dialog_input(&d, "new limit ", ui->input, 15, "= 157 286 400 B/s", true);
 *     dialog_end(&d, scene, "Enter apply   Esc leave as it is");
 */
#include "ui/screen.h"
#include "ui/ui_inside.h"

#define DIALOG_MAX_LINES 12
#define DIALOG_WIDTH     64

enum dialog_worth { DIALOG_EXTRA, DIALOG_NEEDED };

struct dialog_line {
    char text[DIALOG_WIDTH * 5]; /* UTF-8 */
    enum ui_role role;
    enum dialog_worth worth;
    int input_x, input_width; /* of an input field, 0 wide = none */
    int cursor;               /* within it */
    bool is_good;
    uint32_t link; /* the key that a press on it is, 0 = none */
};
struct dialog {
    const char *title;
    struct dialog_line lines[DIALOG_MAX_LINES];
    int n;
};

struct dialog dialog_begin(const char *title);
void dialog_line(struct dialog *d, enum dialog_worth worth, enum ui_role role, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* A press on the last line is that key. */
void dialog_link(struct dialog *d, uint32_t key);
/* An empty line. */
void dialog_gap(struct dialog *d);
/* "label [ text      ] after" */
void dialog_input(struct dialog *d, const char *label, const char *text, int width, const char *after, bool is_good);
/* Changes ui->input; true when the key belonged to the text. */
bool dialog_edit(struct ui *ui, uint32_t key);
/* The key that does it, or Enter, which does not: either closes the dialog. */
bool dialog_says_yes(struct ui *ui, uint32_t key, uint32_t yes);
void dialog_end(const struct dialog *d, const struct scene *s, const char *keys);
