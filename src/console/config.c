// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/config.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "ui/keyfile.h"
#include "ui/keymap.h"

/* A file being read, and what to call it. */
struct config {
    GKeyFile *file;
    const char *text, *source;
};

static bool refuse(const struct config *c, const char *key, const char *why, GError **error)
{
    g_autofree char *line = g_strdup_printf("%s:%u: %s%s%s", c->source, keyfile_line(c->text, "screen", key),
                                            key ? key : "", key ? ": " : "", why);
    g_autofree char *safe = text_make_safe(line);
    g_set_error_literal(error, VMB_ERROR, VMB_ERROR_USAGE, safe);
    return false;
}

static bool take_text(const struct config *c, const char *key, char **value)
{
    if (!*value)
        *value = g_key_file_get_string(c->file, "screen", key, NULL);
    return true;
}

/* What the command line has switched on stays on. */
static bool take_switch(const struct config *c, const char *key, gboolean *value, GError **error)
{
    g_autoptr(GError) bad = NULL;
    gboolean is_on = g_key_file_get_boolean(c->file, "screen", key, &bad);
    if (g_error_matches(bad, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE))
        return refuse(c, key, "is true or false", error);
    *value |= is_on;
    return true;
}

static bool check_names(const struct config *c, GError **error)
{
    static const char *const known[] = {"theme", "glyphs", "color", "mouse", "title", "bell", NULL};
    g_auto(GStrv) keys = g_key_file_get_keys(c->file, "screen", NULL, NULL);
    for (unsigned i = 0; keys && keys[i]; i++)
        if (!g_strv_contains(known, keys[i]))
            return refuse(c, keys[i], "unknown; there are theme, glyphs, color, mouse, title and bell", error);
    return true;
}

static bool take(const struct config *c, struct console_options *o, GError **error)
{
    return check_names(c, error) && take_text(c, "theme", &o->theme) && take_text(c, "glyphs", &o->glyphs) &&
           take_text(c, "color", &o->color) && take_switch(c, "mouse", &o->wants_mouse, error) &&
           take_switch(c, "title", &o->wants_title, error) && take_switch(c, "bell", &o->wants_bell, error) &&
           keymap_load(c->file, c->text, c->source, error);
}

bool config_load(struct console_options *o, GError **error)
{
    g_autofree char *path = g_build_filename(g_get_user_config_dir(), "vmabackup", "config", NULL), *text = NULL;
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) unread = NULL;
    struct config c = {.file = file, .source = path};
    if (!g_file_get_contents(path, &text, NULL, &unread)) {
        if (g_error_matches(unread, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return true;
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "%s", unread->message);
        return false;
    }
    c.text = text;
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL))
        return refuse(&c, NULL, "neither [group] nor key=value; comments need a line of their own", error);
    return take(&c, o, error);
}
