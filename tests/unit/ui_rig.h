// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A terminal in memory: frames go through curses and a socket into libvterm. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vterm.h>

#include "ui/term.h"
#include "ui_scenes.h"

struct rig {
    int ours, theirs; /* ends of the "terminal" */
    struct term_screen *term;
    struct canvas *canvas;
    struct ui ui;
    VTerm *vterm;
};

static inline struct rig rig_open_with(struct term_options options, const char *glyphs)
{
    struct rig r = {0};
    int width = options.width, height = options.height;
    int pair[2];
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), ==, 0);
    r.ours = pair[0];
    r.theirs = pair[1];
    options.fd = r.ours;
    r.term = term_new(&options, &error);
    g_assert_no_error(error);
    struct theme theme;
    theme_load_builtin(&theme);
    term_theme(r.term, &theme);
    ui_init(&r.ui, glyphs_find(glyphs));
    r.canvas = canvas_new(width, height, r.ui.glyphs->is_ascii);
    r.vterm = vterm_new(height, width);
    vterm_set_utf8(r.vterm, !r.ui.glyphs->is_ascii);
    vterm_screen_enable_altscreen(vterm_obtain_screen(r.vterm), 1);
    vterm_screen_reset(vterm_obtain_screen(r.vterm), 1);
    return r;
}

static inline struct rig rig_open(int width, int height, const char *glyphs, const char *type, bool is_mono)
{
    return rig_open_with((struct term_options){.type = type, .width = width, .height = height, .is_mono = is_mono},
                         glyphs);
}

static inline void rig_close(struct rig *r)
{
    term_free(r->term);
    canvas_free(r->canvas);
    vterm_free(r->vterm);
    close(r->ours);
    close(r->theirs);
}

/* Everything the terminal was sent, shown by libvterm. Returns the bytes. */
static inline size_t receive(struct rig *r)
{
    char bytes[4096];
    ssize_t n;
    size_t total = 0;
    while ((n = read(r->theirs, bytes, sizeof bytes)) > 0) {
        vterm_input_write(r->vterm, bytes, (size_t)n);
        total += (size_t)n;
    }
    return total;
}

static inline size_t frame(struct rig *r, const struct model *m, int64_t wall_s)
{
    size_t total = 0;
    ui_draw(&r->ui, m, wall_s, r->canvas);
    g_assert_true(term_draw(r->term, r->canvas));
    bool is_done;
    do {
        is_done = term_pump(r->term);
        total += receive(r);
    } while (!is_done);
    return total;
}

/* What the terminal shows, as canvas_dump() writes it. */
static inline char *shown(struct rig *r)
{
    VTermScreen *screen = vterm_obtain_screen(r->vterm);
    GString *out = g_string_new(NULL);
    for (int y = 0; y < r->canvas->height; y++) {
        for (VTermPos at = {.row = y, .col = 0}; at.col < r->canvas->width;) {
            VTermScreenCell cell;
            vterm_screen_get_cell(screen, at, &cell);
            g_string_append_unichar(out, cell.chars[0] ? cell.chars[0] : ' ');
            at.col += MAX(cell.width, 1);
        }
        while (out->len && out->str[out->len - 1] == ' ')
            g_string_truncate(out, out->len - 1);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}
