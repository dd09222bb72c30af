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

static bool refuse(const struct config *c, const char *group, const char *key, const char *why, GError **error)
{
    g_autofree char *line = g_strdup_printf("%s:%u: %s%s%s", c->source, keyfile_line(c->text, group, key),
                                            key ? key : "", key ? ": " : "", why);
    g_autofree char *safe = text_make_safe(line);
    return vmb_fail(error, VMB_ERROR_USAGE, "%s", safe);
}

static void take_text(const struct config *c, const char *key, char **value)
{
    if (!*value)
        *value = g_key_file_get_string(c->file, "screen", key, NULL);
}

/* What the command line has switched on stays on. */
static bool take_switch(const struct config *c, const char *key, gboolean *value, GError **error)
{
    g_autoptr(GError) bad = NULL;
    gboolean is_on = g_key_file_get_boolean(c->file, "screen", key, &bad);
    if (g_error_matches(bad, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE))
        return refuse(c, "screen", key, "is true or false", error);
    *value |= is_on;
    return true;
}

/* "theme, glyphs and bell" */
static char *list(const GPtrArray *names)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < names->len; i++)
        g_string_append_printf(text, "%s%s", !i ? "" : i + 1 < names->len ? ", " : " and ", (char *)names->pdata[i]);
    return g_string_free(text, FALSE);
}

static bool check_names(const struct config *c, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(c->file, "screen", NULL, NULL);
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    for (unsigned i = 0; i < console_option_table_len; i++)
        if (console_option_table[i].is_in_config)
            g_ptr_array_add(known, (char *)console_option_table[i].entry.long_name);
    g_autofree char *names = list(known), *why = g_strdup_printf("unknown; there are %s", names);
    for (unsigned i = 0; keys && keys[i]; i++)
        if (!g_ptr_array_find_with_equal_func(known, keys[i], g_str_equal, NULL))
            return refuse(c, "screen", keys[i], why, error);
    return true;
}

/* What the command line says stays. */
static bool take_engine(const struct config *c, struct backup_options *o, GError **error)
{
    g_autofree char *word = g_key_file_get_string(c->file, "backup", "engine", NULL);
    enum engine engine = o->engine;
    if (word && !engine_from_word(word, &engine))
        return refuse(c, "backup", "engine", "is push or pull", error);
    if (!o->is_engine_given)
        o->engine = engine;
    return true;
}

static bool take_track(const struct config *c, struct backup_options *o, GError **error)
{
    g_autofree char *word = g_key_file_get_string(c->file, "backup", "track", NULL);
    bool no_track = o->no_track;
    if (word && !backup_options_track_from_word(word, &no_track))
        return refuse(c, "backup", "track", "is auto or no", error);
    if (!o->is_track_given)
        o->no_track = no_track;
    return true;
}

/* Of the other options of a backup none is of all guests. */
static bool take_backup(const struct config *c, struct backup_options *o, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(c->file, "backup", NULL, NULL);
    for (unsigned i = 0; keys && keys[i]; i++)
        if (strcmp(keys[i], "engine") != 0 && strcmp(keys[i], "track") != 0)
            return refuse(c, "backup", keys[i], "unknown; there are engine and track", error);
    return take_engine(c, o, error) && take_track(c, o, error);
}

static bool take(const struct config *c, struct console_options *o, GError **error)
{
    if (!check_names(c, error))
        return false;
    for (unsigned i = 0; i < console_option_table_len; i++) {
        const struct console_option *option = &console_option_table[i];
        const char *key = option->entry.long_name;
        if (option->is_in_config && console_option_is_text(option))
            take_text(c, key, console_option_field(option, o));
        else if (option->is_in_config && !take_switch(c, key, console_option_field(option, o), error))
            return false;
    }
    return take_backup(c, &o->backup, error) && keymap_load(c->file, c->text, c->source, error);
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
        return vmb_fail(error, VMB_ERROR_USAGE, "%s", unread->message);
    }
    c.text = text;
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL))
        return refuse(&c, "screen", NULL, "neither [group] nor key=value; comments need a line of their own", error);
    return take(&c, o, error);
}
