// SPDX-License-Identifier: GPL-2.0-or-later
/* Where themes are found: the user's folder, the system's, and those built in. */
#include "ui/theme.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const char *const origins[] = {"yours", "system"};

/* The folders to look in, as in origins[]: the first wins. */
static GStrv folders(void)
{
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    g_autofree char *user = g_build_filename(g_get_user_config_dir(), "vmabackup", "themes", NULL);
    g_autofree char *system = g_build_filename(VMB_DATADIR, "themes", NULL);
    g_strv_builder_add_many(found, user, system, NULL);
    return g_strv_builder_end(found);
}

static char *find_file(const char *name)
{
    if (strchr(name, '/'))
        return g_strdup(name);
    g_auto(GStrv) in = folders();
    g_autofree char *file = g_strconcat(name, ".theme", NULL);
    for (unsigned i = 0; in[i]; i++) {
        g_autofree char *path = g_build_filename(in[i], file, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            return g_steal_pointer(&path);
    }
    return NULL;
}

static void set_not_found(const char *name, GError **error)
{
    g_autoptr(GString) there = g_string_new(NULL);
    for (unsigned i = 0; theme_builtin_name(i); i++)
        g_string_append_printf(there, "%s%s", i ? " " : "", theme_builtin_name(i));
    g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "theme %s: not found; there are %s", name, there->str);
}

bool theme_load(const char *name, struct theme *theme, GError **error)
{
    g_autofree char *path = find_file(name), *text = NULL;
    g_autoptr(GError) unread = NULL;
    if (!path && theme_builtin(name))
        return theme_parse(theme_builtin(name), name, theme, error);
    if (!path) {
        set_not_found(name, error);
        return false;
    }
    if (!g_file_get_contents(path, &text, NULL, &unread))
        return vmb_fail(error, VMB_ERROR_USAGE, "theme %s: %s", name, unread->message);
    return theme_parse(text, path, theme, error);
}

void theme_load_builtin(struct theme *theme)
{
    g_autoptr(GError) error = NULL;
    if (!theme_parse(theme_builtin("default"), "default", theme, &error))
        g_error("the built-in theme: %s", error->message);
}

/* ---- the list ---- */

/* "night.theme:14: state-run: …" beside the name as "line 14: state-run: …". */
static void set_problem(struct theme_entry *entry, const GError *error)
{
    const char *colon = strstr(error->message, ".theme:");
    g_autofree char *text = colon ? g_strconcat("line ", colon + strlen(".theme:"), NULL) : g_strdup(error->message);
    text_copy(entry->problem, sizeof entry->problem, text);
}

unsigned theme_place(const GArray *list, const char *name)
{
    unsigned at = 0;
    while (at < list->len && !g_str_equal(g_array_index(list, struct theme_entry, at).theme.name, name))
        at++;
    return at;
}

/* A file that says what is built in anyway, as an installed one does, is no other theme. */
static const char *origin_of(const char *name, const char *path)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) in = folders();
    if (!path || (g_file_get_contents(path, &text, NULL, NULL) && g_strcmp0(text, theme_builtin(name)) == 0))
        return "built in";
    return g_str_has_prefix(path, in[0]) ? origins[0] : origins[1];
}

static void add_entry(GArray *list, const char *name)
{
    struct theme_entry entry = {.problem = ""};
    g_autofree char *path = find_file(name);
    g_autoptr(GError) error = NULL;
    text_copy(entry.origin, sizeof entry.origin, origin_of(name, path));
    if (!theme_load(name, &entry.theme, &error)) {
        set_problem(&entry, error);
        text_copy(entry.theme.name, sizeof entry.theme.name, name);
    }
    g_array_append_val(list, entry);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_folder(GArray *list, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *file; dir && (file = g_dir_read_name(dir));)
        if (g_str_has_suffix(file, ".theme"))
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(".theme")));
    g_ptr_array_sort(names, by_name);
    for (unsigned i = 0; i < names->len; i++)
        if (theme_place(list, names->pdata[i]) == list->len)
            add_entry(list, names->pdata[i]);
}

/* Asked for by its path, it stands for any other of its name. */
static void add_file(GArray *list, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    if (g_str_has_suffix(name, ".theme"))
        name[strlen(name) - strlen(".theme")] = '\0';
    unsigned at = theme_place(list, name);
    if (at < list->len)
        g_array_remove_index(list, at);
    add_entry(list, path);
    struct theme_entry *entry = &g_array_index(list, struct theme_entry, list->len - 1);
    text_copy(entry->theme.name, sizeof entry->theme.name, name);
    text_copy(entry->origin, sizeof entry->origin, "this file");
}

GArray *theme_list(const char *file)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct theme_entry));
    g_auto(GStrv) in = folders();
    for (unsigned i = 0; theme_builtin_name(i); i++)
        add_entry(list, theme_builtin_name(i));
    for (unsigned i = 0; in[i]; i++)
        add_folder(list, in[i]);
    if (file)
        add_file(list, file);
    return list;
}
