// SPDX-License-Identifier: GPL-2.0-or-later
/* Where themes are found: the build tree, the user's folder, the system's, and the two built in. */
#include "ui/theme.h"

#include <string.h>

#include "base/error.h"

/* The paths to look in, first wins. */
static GStrv folders(void)
{
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    g_autofree char *user = g_build_filename(g_get_user_config_dir(), "vmabackup", "themes", NULL);
    g_autofree char *system = g_build_filename(VMB_DATADIR, "themes", NULL);
    g_strv_builder_add_many(found, user, system, VMB_SOURCE_THEMES, NULL);
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

bool theme_load(const char *name, struct theme *theme, GError **error)
{
    g_autofree char *path = find_file(name), *text = NULL;
    g_autoptr(GError) unread = NULL;
    if (!path && theme_builtin(name))
        return theme_parse(theme_builtin(name), name, theme, error);
    if (!path) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "theme %s: not found; there are default and mono",
                    name);
        return false;
    }
    if (!g_file_get_contents(path, &text, NULL, &unread)) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "theme %s: %s", name, unread->message);
        return false;
    }
    return theme_parse(text, path, theme, error);
}

void theme_load_builtin(struct theme *theme)
{
    g_autoptr(GError) error = NULL;
    if (!theme_parse(theme_builtin("default"), "default", theme, &error))
        g_error("the built-in theme: %s", error->message);
}

static void add_folder(const char *folder, GHashTable *names)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *file; dir && (file = g_dir_read_name(dir));)
        if (g_str_has_suffix(file, ".theme"))
            g_hash_table_add(names, g_strndup(file, strlen(file) - strlen(".theme")));
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    bool is_left_first = g_str_equal(left, "default"), is_right_first = g_str_equal(right, "default");
    return is_left_first != is_right_first ? (is_left_first ? -1 : 1) : strcmp(left, right);
}

GStrv theme_names(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) in = folders();
    g_hash_table_add(names, g_strdup("default"));
    g_hash_table_add(names, g_strdup("mono"));
    for (unsigned i = 0; in[i]; i++)
        add_folder(in[i], names);
    guint n;
    g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(names, &n);
    qsort(keys, n, sizeof *keys, by_name);
    return g_strdupv(keys);
}
