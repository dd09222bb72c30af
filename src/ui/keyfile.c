// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/keyfile.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

static bool is_group(const char *line, const char *group)
{
    size_t len = strlen(line);
    return group && strlen(group) == len - 2 && strncmp(line + 1, group, len - 2) == 0;
}

unsigned keyfile_line(const char *text, const char *group, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool is_inside = false;
    for (unsigned i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);
        size_t len = strlen(line);
        if (*line == '[' && line[len - 1] == ']')
            is_inside = is_group(line, group);
        else if (!key && *line && *line != '#' && !strchr(line, '='))
            return i + 1;
        else if (key && is_inside && g_str_has_prefix(line, key) && strchr("= \t", line[strlen(key)]))
            return i + 1;
    }
    return 1;
}
