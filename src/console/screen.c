// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/screen.h"

#include <langinfo.h>
#include <string.h>
#include <unistd.h>

#include "ui/probe.h"
#include "ui/tty.h"

static const struct glyphs *choose_glyphs(const struct console_options *o)
{
    const char *term = g_getenv("TERM");
    return o->glyphs ? glyphs_find(o->glyphs) : glyphs_for(nl_langinfo(CODESET), term ? term : "");
}

/* Its colours at once, its signs from the next frame on. */
static void use_theme(struct screen *s, const struct theme *theme)
{
    s->theme = *theme;
    s->ui.theme = theme_place(s->themes, theme->name);
    glyphs_of_theme(s->set, &s->theme, &s->glyphs);
    if (s->term)
        term_theme(s->term, &s->theme);
}

static bool load_theme(struct screen *s, const struct console_options *o, GError **error)
{
    const char *name = o->theme ? o->theme : console_options_is_mono(o) ? "mono" : "default";
    if (o->theme)
        return theme_load(name, &s->theme, error);
    g_autoptr(GError) broken = NULL; /* one of the user's own by that name must not keep him out */
    if (!theme_load(name, &s->theme, &broken)) {
        theme_load_builtin(&s->theme);
        ui_say(&s->ui, MODEL_WARNING, "%s", broken->message);
    }
    return true;
}

/* In the background the terminal is somebody else's, and he would see the question. The Linux console's older
 * versions stumble over the one on frames. */
static void ask_terminal(struct screen *s, const struct console_options *o, bool *has_sync)
{
    bool is_linux = g_strcmp0(g_getenv("TERM"), "linux") == 0;
    bool asks_signs = !o->glyphs && !s->set->is_ascii;
    struct probe p;
    if (!tty_is_ours(s->fd) || (is_linux && !asks_signs))
        return;
    probe_run(s->fd, (asks_signs ? PROBE_SIGNS : 0) | (is_linux ? 0 : PROBE_SYNC), &p);
    *has_sync = p.has_sync;
    if (asks_signs)
        s->set = glyphs_find(probe_glyphs(&p, s->set->name));
}

static bool has_rgb(void)
{
    const char *says = g_getenv("COLORTERM");
    return g_strcmp0(says, "truecolor") == 0 || g_strcmp0(says, "24bit") == 0;
}

static void block_signals(struct screen *s)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
    sigset_t these;
    sigemptyset(&these);
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaddset(&these, numbers[i]);
    sigprocmask(SIG_BLOCK, &these, NULL);
}

void screen_is_guarded(struct screen *s)
{
    sigprocmask(SIG_SETMASK, &s->signals_before, NULL);
}

static bool open_terminal(struct screen *s, const struct console_options *o, GError **error)
{
    struct term_options options = {.type = g_getenv("TERM"),
                                   .is_mono = console_options_is_mono(o),
                                   .has_rgb = has_rgb(),
                                   .has_title = o->wants_title};
    s->fd = tty_open(error);
    if (s->fd < 0)
        return false;
    block_signals(s);
    s->before = g_new0(struct termios, 1);
    tty_raw(s->fd, s->before);
    ask_terminal(s, o, &options.has_sync);
    options.fd = s->fd;
    s->term = term_new(&options, error);
    if (!s->term)
        return false;
    s->has_mouse = o->wants_mouse;
    term_mouse(s->term, s->has_mouse);
    if (*term_stand_in(s->term))
        ui_say(&s->ui, MODEL_INFO, "TERM=%s is not known here: drawn as %s", options.type, term_stand_in(s->term));
    return true;
}

bool screen_open(struct screen *s, const struct console_options *o, GError **error)
{
    int width = 80, height = 24;
    *s = (struct screen){.fd = -1};
    sigprocmask(SIG_SETMASK, NULL, &s->signals_before);
    s->set = choose_glyphs(o);
    ui_init(&s->ui, &s->glyphs);
    s->theme_file = o->theme && strchr(o->theme, '/') ? o->theme : NULL;
    s->ui.themes = s->themes = theme_list(s->theme_file);
    s->ui.is_readonly = o->is_readonly;
    s->ui.now_ms = g_get_monotonic_time() / 1000;
    if (!load_theme(s, o, error) || !open_terminal(s, o, error)) {
        screen_close(s);
        return false;
    }
    tty_guard(s->fd, s->before, term_farewell(s->term));
    tty_size(s->fd, &width, &height);
    use_theme(s, &s->theme);
    s->canvas = canvas_new(width, height, s->ui.glyphs->is_ascii);
    return true;
}

void screen_close(struct screen *s)
{
    g_clear_pointer(&s->term, term_free);
    g_clear_pointer(&s->canvas, canvas_free);
    g_clear_pointer(&s->themes, g_array_unref);
    if (s->before) {
        tty_restore(s->fd, s->before);
        tty_unguard();
    }
    g_clear_pointer(&s->before, g_free);
    screen_is_guarded(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void screen_suspend(struct screen *s)
{
    term_leave(s->term);
    tty_restore(s->fd, s->before);
}

void screen_resume(struct screen *s)
{
    struct termios ignored;
    tty_raw(s->fd, &ignored);
    screen_resize(s);
}

void screen_resize(struct screen *s)
{
    int width = s->canvas->width, height = s->canvas->height;
    tty_size(s->fd, &width, &height);
    canvas_resize(s->canvas, width, height);
    term_resize(s->term, width, height);
}

bool screen_draw(struct screen *s, const struct model *m)
{
    ui_tick(&s->ui, m, g_get_monotonic_time() / 1000);
    if (term_pending(s->term))
        return false;
    ui_draw(&s->ui, m, g_get_real_time() / G_USEC_PER_SEC, s->canvas);
    return term_draw(s->term, s->canvas);
}

static unsigned moved(const GArray *from, unsigned at, const GArray *to)
{
    return at < from->len ? theme_place(to, g_array_index(from, struct theme_entry, at).theme.name) : to->len;
}

void screen_take_themes(struct screen *s, GArray *themes)
{
    g_autoptr(GArray) before = s->themes;
    s->ui.themes = s->themes = themes;
    s->ui.choice = moved(before, s->ui.choice, themes);
    s->ui.theme_before = moved(before, s->ui.theme_before, themes);
    s->ui.theme = moved(before, s->ui.theme, themes);
    if (s->ui.theme == themes->len)
        return;
    const struct theme_entry *entry = &g_array_index(themes, struct theme_entry, s->ui.theme);
    if (*entry->problem)
        screen_show_theme(s, s->ui.theme);
    else
        use_theme(s, &entry->theme);
}

bool screen_key(struct screen *s, uint32_t *key)
{
    do {
        int x, y;
        if (!term_key(s->term, key))
            return false;
        term_press(s->term, &x, &y);
        if (*key == UI_KEY_PRESS)
            *key = canvas_link_at(s->canvas, x, y);
    } while (!*key);
    return true;
}

void screen_show_theme(struct screen *s, unsigned index)
{
    const struct theme_entry *entry = &g_array_index(s->themes, struct theme_entry, index);
    const char *name = entry->theme.name, *warning = entry->theme.warning;
    if (*entry->problem) { /* the one that is there stays */
        ui_say(&s->ui, MODEL_WARNING, "%s.theme: %s", name, entry->problem);
        return;
    }
    use_theme(s, &entry->theme);
    ui_say(&s->ui, *warning ? MODEL_WARNING : MODEL_INFO, "theme %s%s%s", name, *warning ? "   " : "", warning);
}

void screen_toggle_mouse(struct screen *s)
{
    s->has_mouse = !s->has_mouse;
    term_mouse(s->term, s->has_mouse);
    ui_say(&s->ui, MODEL_INFO, "%s",
           s->has_mouse ? "the mouse is ours: Shift selects text" : "the mouse is the terminal's");
}
