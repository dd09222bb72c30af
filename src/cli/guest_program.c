// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/guest_program.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static GPtrArray *find_all(const char *name)
{
    /* what distributions call the QEMU for their own processor */
    const char *const names[] = {name, "qemu-kvm", "kvm"};
    g_autofree char *path = g_strconcat(g_getenv("PATH") ? g_getenv("PATH") : "", ":/usr/bin:/usr/libexec", NULL);
    g_auto(GStrv) folders = g_strsplit(path, ":", -1);
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < (g_str_has_suffix(name, "x86_64") ? 3u : 1u); i++)
        for (char **folder = folders; *folder; folder++) {
            g_autofree char *file = g_build_filename(*folder, names[i], NULL);
            if (**folder == '/' && g_file_test(file, G_FILE_TEST_IS_EXECUTABLE) &&
                g_file_test(file, G_FILE_TEST_IS_REGULAR) &&
                !g_ptr_array_find_with_equal_func(found, file, g_str_equal, NULL))
                g_ptr_array_add(found, g_steal_pointer(&file));
        }
    return found;
}

unsigned guest_program_number(const char *version)
{
    unsigned major = 0, minor = 0;
    bool is_known = version && sscanf(version, "%3u.%3u", &major, &minor) == 2;
    return is_known ? major * 1000 + minor : 0;
}

unsigned guest_program_version(const char *program)
{
    g_autofree char *said = NULL;
    const char *argv[] = {program, "--version", NULL};
    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &said,
                      NULL, NULL, NULL))
        return 0;
    const char *at = said ? strstr(said, "version ") : NULL;
    return at ? guest_program_number(at + strlen("version ")) : 0;
}

char *guest_program_find(const char *name, unsigned wanted, GError **error)
{
    g_autoptr(GPtrArray) found = find_all(name);
    if (!found->len)
        return vmb_null(error, VMB_ERROR_FAILED, "%s: not found; install QEMU, or name it by --qemu", name);
    for (unsigned i = 0; wanted && i < found->len; i++) {
        unsigned version = guest_program_version(found->pdata[i]);
        if (!version || version >= wanted)
            return g_strdup(found->pdata[i]);
    }
    return g_strdup(found->pdata[0]);
}
