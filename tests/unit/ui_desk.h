// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A screen somebody sits at: keys go in, late enough that no dialog is deaf to them. */
#include <string.h>
#include "ui/screen.h"
#include "ui_scenes.h"

struct desk {
    struct model m;
    struct ui ui;
    int64_t now_ms;
};

static inline void desk_open(struct desk *d, void (*scene)(struct model *))
{
    scene(&d->m);
    ui_init(&d->ui, glyphs_find("ascii"));
    d->now_ms = 1000;
    ui_tick(&d->ui, &d->m, d->now_ms);
}

/* A key, late enough that no dialog is deaf to it. */
static inline struct ui_action press(struct desk *d, uint32_t key)
{
    d->now_ms += UI_DIALOG_DEAF_MS;
    return ui_key(&d->ui, key, &d->m, d->now_ms);
}

static inline struct ui_action type(struct desk *d, const char *text)
{
    struct ui_action last = {0};
    for (; *text; text++)
        last = press(d, (uint32_t)*text);
    return last;
}

static inline bool is_shown(struct desk *d, const char *words)
{
    struct canvas *c = canvas_new(110, 30, true);
    ui_draw(&d->ui, &d->m, SCENE_NOW_S, c);
    g_autofree char *text = canvas_dump(c);
    canvas_free(c);
    return strstr(text, words) != NULL;
}
