// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/term_inside.h"

#include <term.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "ui/term_type.h"
#include "ui/tty.h"

#define ESCAPE_MS     25  /* a lone Esc must feel instant, */
#define ESCAPE_SSH_MS 100 /* but over a network a key's bytes may come apart */
#define LAST_WORDS_MS 200
#define TITLE_KEEP    "\033[22;2t" /* on the terminal's stack */
#define TITLE_BACK    "\033[23;2t"
#define SYNC_ON       "\033[?2026h"
#define SYNC_OFF      "\033[?2026l"

#ifdef __SANITIZE_ADDRESS__
/* curses keeps a block of its own to the end; the rest is held to account. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:new_prescr\n";
}
#endif

/* ---- beginning ---- */

/* Without the padding ($<5>), which only curses knows how to wait for. */
static void append_capability(GString *to, const char *name)
{
    const char *at = tigetstr(name);
    if (!at || at == (const char *)-1)
        return;
    while (*at) {
        const char *padding = g_str_has_prefix(at, "$<") ? strchr(at, '>') : NULL;
        if (padding)
            at = padding + 1;
        else
            g_string_append_c(to, *at++);
    }
}

static void make_farewell(struct term_screen *t, bool has_title)
{
    static const char *const names[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    g_autoptr(GString) all = g_string_new(t->has_sync ? SYNC_OFF : NULL);
    if (tigetstr("kmous") > (char *)0 && tigetstr("kmous") != (char *)-1)
        g_string_append(all, "\033[?1006;1002;1000l");
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        append_capability(all, names[i]);
    if (has_title)
        g_string_append(all, TITLE_BACK);
    g_strlcpy(t->farewell, all->str, sizeof t->farewell);
}

static bool can_place(void)
{
    const char *cup = tigetstr("cup");
    return cup && cup != (const char *)-1 && *cup;
}

static void begin_colours(struct term_screen *t, bool is_mono)
{
    t->depth = THEME_MONO;
    if (is_mono || !has_colors() || start_color() == ERR)
        return;
    use_default_colors();
    t->depth = COLORS >= 256 ? THEME_256 : COLORS >= 8 ? THEME_16 : THEME_MONO;
}

static bool open_files(struct term_screen *t, GError **error)
{
    int in = fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
    t->frame_fd = memfd_create("frame", MFD_CLOEXEC);
    t->in = in < 0 ? NULL : fdopen(in, "r");
    t->out = t->frame_fd < 0 ? NULL : fdopen(t->frame_fd, "w");
    if (t->in && t->out)
        return true;
    return vmb_fail(error, VMB_ERROR_FAILED, "terminal: %s", g_strerror(errno));
}

/* The entry that takes any colour, of the same kind of terminal; often not installed. */
static const char *direct_type(const char *type)
{
    if (g_str_has_prefix(type, "tmux") || g_str_has_prefix(type, "screen"))
        return "tmux-direct";
    return g_str_has_prefix(type, "xterm") ? "xterm-direct" : NULL;
}

/* newterm(), not initscr(): that one ends the program when it does not know the terminal. */
static SCREEN *new_screen(struct term_screen *t, const struct term_options *o, const char *type)
{
    const char *direct = o->has_rgb && !o->is_mono ? direct_type(type) : NULL;
    SCREEN *screen = direct ? newterm(direct, t->out, t->in) : NULL;
    g_auto(GStrv) types = term_types(type);
    t->is_direct = screen != NULL;
    for (char **next = types; !screen && *next; next++) {
        screen = newterm(*next, t->out, t->in);
        g_strlcpy(t->stand_in, next == types ? "" : *next, sizeof t->stand_in);
    }
    return screen;
}

/* NULL: it is not there. */
static void set_variable(const char *name, const char *value)
{
    if (value)
        g_setenv(name, value, TRUE);
    else
        g_unsetenv(name);
}

/* What curses writes to is a file, which has no size: it goes by the environment. resizeterm() would come too late,
 * since newterm() tells the terminal which of its lines are scrolled. */
static SCREEN *new_screen_of(struct term_screen *t, const struct term_options *o, const char *type)
{
    int width = o->width, height = o->height;
    g_autofree char *height_before = g_strdup(g_getenv("LINES")), *width_before = g_strdup(g_getenv("COLUMNS"));
    if (width || tty_size(t->fd, &width, &height)) {
        g_autofree char *height_text = g_strdup_printf("%d", height), *width_text = g_strdup_printf("%d", width);
        set_variable("LINES", height_text);
        set_variable("COLUMNS", width_text);
    }
    SCREEN *screen = new_screen(t, o, type);
    set_variable("LINES", height_before);
    set_variable("COLUMNS", width_before);
    return screen;
}

static bool open_screen(struct term_screen *t, const struct term_options *o, GError **error)
{
    set_escdelay(g_getenv("SSH_CONNECTION") ? ESCAPE_SSH_MS : ESCAPE_MS);
    const char *type = o->type ? o->type : "";
    t->has_sync = o->has_sync;
    t->screen = new_screen_of(t, o, type);
    if (t->screen && can_place())
        return true;
    return vmb_fail(error, VMB_ERROR_FAILED,
                    "terminal type '%s': %s; set TERM (for example to xterm), or use --plain, which begins at once",
                    type,
                    t->screen ? "nothing can be placed on its screen" : "neither it nor one like it is known here");
}

struct term_screen *term_new(const struct term_options *options, GError **error)
{
    struct term_screen *t = g_new0(struct term_screen, 1);
    t->fd = options->fd;
    t->pending = g_byte_array_new();
    if (!open_files(t, error) || !open_screen(t, options, error)) {
        term_free(t);
        return NULL;
    }
    t->keys = newpad(1, 1);
    keypad(t->keys, TRUE);
    nodelay(t->keys, TRUE);
    begin_colours(t, options->is_mono);
    make_farewell(t, options->has_title);
    return t;
}

/* ---- colours ---- */

static attr_t curses_attributes(unsigned attributes)
{
    return (attributes & THEME_BOLD ? A_BOLD : 0) | (attributes & THEME_REVERSE ? A_REVERSE : 0) |
           (attributes & THEME_UNDERLINE ? A_UNDERLINE : 0);
}

/* Eight colours, or all but no bright ones: bold says "bright". */
static bool lacks_bright(const struct term_screen *t)
{
    return t->is_direct || (t->depth == THEME_16 && COLORS < 16);
}

static int curses_colour(const struct term_screen *t, int32_t colour)
{
    if (t->is_direct && colour >= 16) /* below 8 even there the terminal's own are meant */
        return MAX((int)theme_rgb(colour), 8);
    if (colour >= THEME_RGB) /* never init_color(): it would rewrite the user's palette */
        return theme_nearest_256((uint32_t)colour & 0xffffff);
    return lacks_bright(t) && colour >= 8 ? colour - 8 : colour;
}

void term_theme(struct term_screen *t, const struct theme *theme)
{
    for (enum ui_role role = 0; role < UI_ROLES_END; role++) {
        const struct theme_style *style = theme_style(theme, t->depth, role);
        int pair = 0;
        t->attributes[role] = curses_attributes(style->attributes);
        if (lacks_bright(t) && style->fg >= 8 && style->fg < 16)
            t->attributes[role] |= A_BOLD;
        if (t->depth != THEME_MONO && (style->fg != THEME_DEFAULT || style->bg != THEME_DEFAULT))
            pair = alloc_pair(curses_colour(t, style->fg), curses_colour(t, style->bg));
        t->pairs[role] = (short)MAX(pair, 0);
    }
}

/* ---- frames ---- */

/* Takes what curses has written out of its file. */
static void collect(struct term_screen *t)
{
    fflush(t->out);
    off_t len = lseek(t->frame_fd, 0, SEEK_CUR);
    if (len <= 0)
        return;
    guint at = t->pending->len;
    g_byte_array_set_size(t->pending, at + (guint)len);
    ssize_t got = pread(t->frame_fd, t->pending->data + at, (size_t)len, 0);
    g_byte_array_set_size(t->pending, at + (guint)MAX(got, 0));
    if (t->has_sync) {
        g_byte_array_prepend(t->pending, (const guint8 *)SYNC_ON, strlen(SYNC_ON));
        g_byte_array_append(t->pending, (const guint8 *)SYNC_OFF, strlen(SYNC_OFF));
    }
    if (ftruncate(t->frame_fd, 0) < 0 || lseek(t->frame_fd, 0, SEEK_SET) < 0)
        g_warning("terminal: its frame file: %s", g_strerror(errno));
}

/* Neighbours of one role go to curses as one text. */
static void put_line(const struct term_screen *t, const struct canvas *c, int y)
{
    g_autoptr(GString) run = g_string_new(NULL);
    const struct canvas_cell *cells = &c->cells[y * c->width];
    move(y, 0);
    for (int x = 0; x < c->width;) {
        uint8_t role = cells[x].role;
        g_string_truncate(run, 0);
        for (; x < c->width && cells[x].role == role; x++)
            g_string_append(run, cells[x].glyph);
        attr_set(t->attributes[role], t->pairs[role], NULL);
        addstr(run->str);
    }
}

static void put_cursor(const struct canvas *c)
{
    bool is_typing = c->cursor_x >= 0;
    leaveok(stdscr, !is_typing);
    curs_set(is_typing ? 1 : 0);
    if (is_typing)
        move(c->cursor_y, c->cursor_x);
}

bool term_draw(struct term_screen *t, const struct canvas *c)
{
    if (t->pending->len)
        return false;
    attr_set(t->attributes[ROLE_TEXT], t->pairs[ROLE_TEXT], NULL);
    erase();
    for (int y = 0; y < MIN(c->height, LINES); y++)
        put_line(t, c, y);
    put_cursor(c);
    wnoutrefresh(stdscr);
    doupdate();
    collect(t);
    return true;
}

bool term_pump(struct term_screen *t)
{
    while (t->pending->len) {
        ssize_t n = write(t->fd, t->pending->data, t->pending->len);
        if (n > 0)
            g_byte_array_remove_range(t->pending, 0, (guint)n);
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && errno == EAGAIN)
            return false;
        else
            g_byte_array_set_size(t->pending, 0); /* nobody there: tty_is_gone() tells the rest */
    }
    return true;
}

size_t term_pending(const struct term_screen *t)
{
    return t->pending->len;
}

void term_redraw(struct term_screen *t)
{
    clearok(curscr, TRUE);
}

void term_resize(struct term_screen *t, int width, int height)
{
    resizeterm(height, width);
    clearok(curscr, TRUE);
}

/* ---- beside the frames ---- */

static void send_aside(struct term_screen *t, const char *bytes)
{
    if (!t->pending->len)
        g_byte_array_append(t->pending, (const guint8 *)bytes, (guint)strlen(bytes));
}

void term_title(struct term_screen *t, const char *title)
{
    g_autofree char *bytes = g_strdup_printf("%s\033]2;%s\033\\", t->has_title ? "" : TITLE_KEEP, title);
    if (t->pending->len)
        return;
    t->has_title = true;
    send_aside(t, bytes);
}

void term_bell(struct term_screen *t)
{
    send_aside(t, "\a");
}

/* ---- leaving ---- */

void term_leave(struct term_screen *t)
{
    if (isendwin())
        return;
    endwin();
    collect(t);
    if (t->has_title)
        g_byte_array_append(t->pending, (const guint8 *)TITLE_BACK, strlen(TITLE_BACK));
    t->has_title = false;
    tty_write_all(t->fd, (const char *)t->pending->data, t->pending->len, LAST_WORDS_MS);
    g_byte_array_set_size(t->pending, 0);
    term_redraw(t);
}

const char *term_stand_in(const struct term_screen *t)
{
    return t->stand_in;
}

const char *term_farewell(const struct term_screen *t)
{
    return t->farewell;
}

void term_free(struct term_screen *t)
{
    if (t->screen) {
        if (t->keys)
            term_leave(t);
        if (t->keys)
            delwin(t->keys);
        delscreen(t->screen);
    }
    if (t->in)
        fclose(t->in);
    if (t->out)
        fclose(t->out);
    g_byte_array_unref(t->pending);
    g_free(t);
}
