// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/term_type.h"

#include <stdbool.h>
#include <string.h>

/* A family is its name, alone or with more behind a sign: "st" is of "st", "stterm" is not. */
static const struct family {
    const char *names, *entries; /* with blanks between them */
} families[] = {
    {"tmux", "tmux-256color screen-256color screen"},
    {"screen", "screen-256color screen"},
    {"rxvt urxvt", "rxvt-unicode-256color rxvt xterm"},
    {"linux fbterm kmscon", "linux"},
    {"vt100 vt102 vt220 vt320 vt340 vt420", "vt220 vt100"},
    {"xterm alacritty contour eterm foot ghostty gnome iterm iterm2 kitty konsole mintty mlterm mosh nsterm "
     "putty rio st "
     "terminator terminology vte warp wezterm zellij",
     "xterm-256color xterm"},
};

static bool is_of(const char *type, const char *name)
{
    size_t len = strlen(name);
    return g_ascii_strncasecmp(type, name, len) == 0 && !g_ascii_isalnum(type[len]);
}

static const struct family *family_of(const char *type)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
        g_auto(GStrv) names = g_strsplit(families[i].names, " ", -1);
        for (char **name = names; *name; name++)
            if (is_of(type, *name))
                return &families[i];
    }
    return NULL;
}

char **term_types(const char *type)
{
    const struct family *family = family_of(type);
    g_autofree char *all = g_strconcat(type, family ? " " : "", family ? family->entries : "", NULL);
    return *type && !strchr(type, ' ') ? g_strsplit(all, " ", -1) : g_new0(char *, 1);
}
