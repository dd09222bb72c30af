// SPDX-License-Identifier: GPL-2.0-or-later
#include "log/last_run.h"

#include <glib.h>

#define GROUP "last"

static char *folder_of_state(void)
{
    const char *state = g_getenv("XDG_STATE_HOME"); /* not by GLib, which looks only once */

    if (state && g_path_is_absolute(state))
        return g_build_filename(state, "vmabackup", NULL);
    return g_build_filename(g_get_home_dir(), ".local", "state", "vmabackup", NULL);
}

/* A guest may be called anything. */
static char *path_of(const char *guest)
{
    g_autofree char *folder = folder_of_state();
    g_autofree char *escaped = g_uri_escape_string(guest, NULL, FALSE);
    g_autofree char *name = g_strconcat(escaped, ".last", NULL);

    return g_build_filename(folder, name, NULL);
}

bool last_run_load(const char *guest, struct last_run *last)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = path_of(guest);

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return false;
    *last = (struct last_run){
        .read = g_key_file_get_uint64(file, GROUP, "read", NULL),
        .plain = g_key_file_get_uint64(file, GROUP, "plain", NULL),
        .written = g_key_file_get_uint64(file, GROUP, "written", NULL),
        .elapsed_ms = g_key_file_get_uint64(file, GROUP, "elapsed_ms", NULL),
        .is_packed = g_key_file_get_boolean(file, GROUP, "packed", NULL),
    };
    return last->read && last->plain && last->written && last->elapsed_ms;
}

void last_run_save(const char *guest, const struct last_run *last)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = path_of(guest), *folder = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    g_key_file_set_uint64(file, GROUP, "read", last->read);
    g_key_file_set_uint64(file, GROUP, "plain", last->plain);
    g_key_file_set_uint64(file, GROUP, "written", last->written);
    g_key_file_set_uint64(file, GROUP, "elapsed_ms", last->elapsed_ms);
    g_key_file_set_boolean(file, GROUP, "packed", last->is_packed);
    if (g_mkdir_with_parents(folder, 0700) < 0 || !g_key_file_save_to_file(file, path, &error))
        g_debug("%s: %s", path, error ? error->message : "no folder");
}
