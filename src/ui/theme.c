// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/theme.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "ui/keyfile.h"

#define FORMAT 1

/* A file being read, and what to say of it. */
struct reading {
    GKeyFile *file;
    const char *text, *source;
    struct theme *theme;
    GError **error;
    enum theme_depth depth; /* of the styles being read: $names are first looked for in its own palette */
};

static const char *const role_names[] = {
#define ROLE_TEXT_OF(name, text) text,
    UI_ROLES(ROLE_TEXT_OF)
#undef ROLE_TEXT_OF
};
static const char *const ansi_names[] = {"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"};

/* ---- errors with a line ---- */

static bool refuse(const struct reading *r, const char *group, const char *key, const char *why, const char *what)
{
    g_autofree char *safe = text_make_safe(what ? what : "");
    g_set_error(r->error, VMB_ERROR, VMB_ERROR_USAGE, "%s:%u: %s%s%s%s%s%s", r->source,
                keyfile_line(r->text, group, key), key ? key : "", key ? ": " : "", why, what ? " '" : "", safe,
                what ? "'" : "");
    return false;
}

/* ---- colours ---- */

uint32_t theme_rgb(int32_t colour)
{
    static const uint8_t levels[] = {0, 95, 135, 175, 215, 255};
    if (colour >= THEME_RGB)
        return (uint32_t)colour & 0xffffff;
    unsigned cube = (unsigned)colour - 16, grey = 8 + 10 * ((unsigned)colour - 232);
    if (colour >= 232)
        return grey << 16 | grey << 8 | grey;
    return (uint32_t)levels[cube / 36] << 16 | (uint32_t)levels[cube / 6 % 6] << 8 | levels[cube % 6];
}

int theme_nearest_256(uint32_t rgb)
{
    int best = 16, best_distance = G_MAXINT;
    for (int i = 16; i < 256; i++) {
        uint32_t is = theme_rgb(i);
        int dr = (int)(is >> 16) - (int)(rgb >> 16 & 255), dg = (int)(is >> 8 & 255) - (int)(rgb >> 8 & 255);
        int db = (int)(is & 255) - (int)(rgb & 255), distance = dr * dr + dg * dg + db * db;
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return best;
}

int theme_nearest_16(uint32_t rgb)
{
    int red = (int)(rgb >> 16 & 255), green = (int)(rgb >> 8 & 255), blue = (int)(rgb & 255);
    int high = MAX(red, MAX(green, blue)), low = MIN(red, MIN(green, blue));
    if (high - low < 48) /* a grey */
        return high < 64 ? 0 : high < 160 ? 8 : high < 224 ? 7 : 15;
    int middle = (high + low) / 2, hue = (red > middle) | (green > middle) << 1 | (blue > middle) << 2;
    return high > 200 ? hue + 8 : hue;
}

static int at_depth(int32_t colour, enum theme_depth depth)
{
    if (depth == THEME_256 || colour < 16)
        return colour; /* the terminal layer takes the nearest where it has no true colour */
    return theme_nearest_16(theme_rgb(colour));
}

static bool parse_ansi(const char *name, int32_t *colour)
{
    bool is_bright = g_str_has_prefix(name, "bright-");
    for (int i = 0; i < 8; i++)
        if (g_str_equal(ansi_names[i], name + (is_bright ? strlen("bright-") : 0))) {
            *colour = i + (is_bright ? 8 : 0);
            return true;
        }
    return false;
}

static bool parse_colour(const struct reading *r, const char *name, int32_t *colour)
{
    g_autofree char *resolved = NULL;
    if (*name == '$') { /* one step only: a palette cannot loop */
        if (r->depth == THEME_16)
            resolved = g_key_file_get_string(r->file, "palette-16", name + 1, NULL);
        if (!resolved)
            resolved = g_key_file_get_string(r->file, "palette", name + 1, NULL);
        if (!resolved)
            return false;
        name = g_strstrip(resolved);
    }
    guint64 number;
    *colour = THEME_DEFAULT;
    if (g_str_equal(name, "default"))
        return true;
    if (*name == '#' && strlen(name) == 7 && strspn(name + 1, "0123456789abcdefABCDEF") == 6) {
        *colour = THEME_RGB | (int32_t)g_ascii_strtoull(name + 1, NULL, 16);
        return true;
    }
    if (g_ascii_string_to_unsigned(name, 10, 0, 255, &number, NULL)) {
        *colour = (int32_t)number;
        return true;
    }
    return parse_ansi(name, colour);
}

static bool parse_attributes(const struct reading *r, const char *group, const char *key, const char *text,
                             unsigned *attributes)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    for (unsigned i = 0; words[i]; i++) {
        const char *word = g_strstrip(words[i]);
        if (g_str_equal(word, "bold"))
            *attributes |= THEME_BOLD;
        else if (g_str_equal(word, "reverse"))
            *attributes |= THEME_REVERSE;
        else if (g_str_equal(word, "underline"))
            *attributes |= THEME_UNDERLINE;
        else if (*word && !g_str_equal(word, "none"))
            return refuse(r, group, key, "unknown attribute", word);
    }
    return true;
}

/* ---- roles ---- */

/* "fg;bg;attributes"; in roles-mono only attributes. */
static bool parse_style(const struct reading *r, const char *group, const char *key, struct theme_style *style)
{
    g_autofree char *value = g_key_file_get_string(r->file, group, key, NULL);
    *style = (struct theme_style){THEME_DEFAULT, THEME_DEFAULT, 0};
    if (!value)
        return refuse(r, group, key, "not a readable value", NULL);
    if (g_str_equal(group, "roles-mono"))
        return parse_attributes(r, group, key, value, &style->attributes);
    g_auto(GStrv) parts = g_strsplit(value, ";", -1);
    unsigned n = g_strv_length(parts);
    if (n > 3)
        return refuse(r, group, key, "more than foreground;background;attributes", NULL);
    for (unsigned i = 0; i < MIN(n, 2); i++)
        if (!parse_colour(r, g_strstrip(parts[i]), i ? &style->bg : &style->fg))
            return refuse(r, group, key, "unknown colour", parts[i]);
    return n < 3 || parse_attributes(r, group, key, parts[2], &style->attributes);
}

/* The key that decides a role: its own, its family's ("state-*"), "text"; NULL when the group has none of
 * them. */
static char *deciding_key(const struct reading *r, const char *group, const char *role)
{
    const char *dash = strchr(role, '-');
    g_autofree char *family = dash ? g_strndup(role, (gsize)(dash - role)) : NULL;
    g_autofree char *wildcard = family ? g_strconcat(family, "-*", NULL) : NULL;
    const char *candidates[] = {role, wildcard, family, "text"};
    for (unsigned i = 0; i < G_N_ELEMENTS(candidates); i++)
        if (candidates[i] && g_key_file_has_key(r->file, group, candidates[i], NULL))
            return g_strdup(candidates[i]);
    return NULL;
}

/* Where there are few colours: a line of its own, else what [roles] says, with that depth's palette. */
static bool read_few(struct reading *r, const char *key, enum ui_role role)
{
    struct theme_style *few = &r->theme->styles[THEME_16][role];
    bool has_own = g_key_file_has_key(r->file, "roles-16", role_names[role], NULL), is_good = true;
    r->depth = THEME_16;
    if (has_own)
        is_good = parse_style(r, "roles-16", role_names[role], few);
    else if (key)
        is_good = parse_style(r, "roles", key, few);
    r->depth = THEME_256;
    few->fg = at_depth(few->fg, THEME_16);
    few->bg = at_depth(few->bg, THEME_16);
    return is_good;
}

static bool read_role(struct reading *r, enum ui_role role)
{
    struct theme_style *full = &r->theme->styles[THEME_256][role];
    g_autofree char *key = deciding_key(r, "roles", role_names[role]);
    if (key && !parse_style(r, "roles", key, full))
        return false;
    struct theme_style *mono = &r->theme->styles[THEME_MONO][role];
    *mono = (struct theme_style){THEME_DEFAULT, THEME_DEFAULT, full->attributes};
    if (!read_few(r, key, role))
        return false;
    return !g_key_file_has_key(r->file, "roles-mono", role_names[role], NULL) ||
           parse_style(r, "roles-mono", role_names[role], mono);
}

static bool is_role(const char *key)
{
    for (unsigned i = 0; i < UI_ROLES_END; i++)
        if (g_str_equal(role_names[i], key))
            return true;
    return g_str_has_suffix(key, "-*");
}

/* A role of a later version must not make a theme unusable. */
static void note_unknown_roles(const struct reading *r)
{
    g_auto(GStrv) keys = g_key_file_get_keys(r->file, "roles", NULL, NULL);
    for (unsigned i = 0; keys && keys[i]; i++)
        if (!is_role(keys[i]))
            g_snprintf(r->theme->warning, sizeof r->theme->warning, "%s:%u: unknown role '%s' ignored", r->source,
                       keyfile_line(r->text, "roles", keys[i]), keys[i]);
}

/* ---- signs ---- */

static bool is_one_column(const char *sign)
{
    gunichar c = g_utf8_get_char(sign);
    return g_unichar_isprint(c) && !g_unichar_iswide(c) && !g_unichar_iszerowidth(c);
}

/* A sign that would break the layout is left out, and said. */
static bool take_sign(const struct reading *r, const char *key, const char *sign, char out[THEME_SIGN_LEN])
{
    if (g_utf8_validate(sign, -1, NULL) && g_utf8_strlen(sign, -1) == 1 && is_one_column(sign))
        return text_copy(out, THEME_SIGN_LEN, sign);
    g_snprintf(r->theme->warning, sizeof r->theme->warning, "%s:%u: sign '%s' is not one column wide, ignored",
               r->source, keyfile_line(r->text, "glyphs", key), key);
    return false;
}

static void read_bar(const struct reading *r)
{
    struct theme_signs *signs = &r->theme->signs;
    g_autofree char *bar = g_key_file_get_string(r->file, "glyphs", "bar", NULL);
    if (!bar)
        return;
    signs->n_bar = 0;
    for (const char *at = bar; *at && signs->n_bar < G_N_ELEMENTS(signs->bar); at = g_utf8_next_char(at)) {
        g_autofree char *sign = g_strndup(at, (gsize)(g_utf8_next_char(at) - at));
        if (!take_sign(r, "bar", sign, signs->bar[signs->n_bar++])) {
            signs->n_bar = 0;
            return;
        }
    }
}

static void read_signs(const struct reading *r)
{
    struct theme_signs *signs = &r->theme->signs;
    const struct {
        const char *key;
        char *sign;
    } keys[] = {
        {"wait", signs->states[MODEL_WAIT]},
        {"run", signs->states[MODEL_RUN]},
        {"pause", signs->states[MODEL_PAUSE]},
        {"retry", signs->states[MODEL_RETRY]},
        {"done", signs->states[MODEL_OK]},
        {"warn", signs->states[MODEL_WARN]},
        {"fail", signs->states[MODEL_FAIL]},
        {"cancel", signs->states[MODEL_CANCELLED]},
        {"skipped", signs->states[MODEL_SKIPPED]},
        {"bar-empty", signs->bar_empty},
        {"cursor", signs->cursor},
        {"rule", signs->rule},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *sign = g_key_file_get_string(r->file, "glyphs", keys[i].key, NULL);
        if (sign)
            take_sign(r, keys[i].key, sign, keys[i].sign);
    }
    read_bar(r);
}

/* ---- the whole ---- */

static bool read_all(struct reading *r)
{
    g_autoptr(GError) bad = NULL;
    if (!g_key_file_load_from_data(r->file, r->text, strlen(r->text), G_KEY_FILE_NONE, &bad))
        return refuse(r, NULL, NULL, "neither [group] nor key=value; comments need a line of their own", NULL);
    if (g_key_file_get_integer(r->file, "theme", "format", NULL) != FORMAT)
        return refuse(r, "theme", "format", "must be 1", NULL);
    for (enum ui_role role = 0; role < UI_ROLES_END; role++)
        if (!read_role(r, role))
            return false;
    g_autofree char *title = g_key_file_get_string(r->file, "theme", "name", NULL);
    g_autofree char *description = g_key_file_get_string(r->file, "theme", "description", NULL);
    text_copy(r->theme->title, sizeof r->theme->title, title);
    text_copy(r->theme->description, sizeof r->theme->description, description);
    read_signs(r);
    note_unknown_roles(r);
    return true;
}

bool theme_parse(const char *text, const char *source, struct theme *theme, GError **error)
{
    struct theme fresh = {.name = ""};
    const char *builtin = theme_builtin("default");
    if (text != builtin) /* what a theme leaves out is as built in */
        theme_load_builtin(&fresh);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *base = g_path_get_basename(source);
    struct reading r = {
        .file = file, .text = text, .source = base, .theme = &fresh, .error = error, .depth = THEME_256};
    fresh.warning[0] = '\0';
    if (!read_all(&r))
        return false;
    if (g_str_has_suffix(base, ".theme"))
        base[strlen(base) - strlen(".theme")] = '\0';
    text_copy(fresh.name, sizeof fresh.name, base);
    *theme = fresh;
    return true;
}

const struct theme_style *theme_style(const struct theme *theme, enum theme_depth depth, enum ui_role role)
{
    g_assert(depth < THEME_DEPTHS && role < UI_ROLES_END);
    return &theme->styles[depth][role];
}
