// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/owner.h"

#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

char *owner_user(uid_t user)
{
    FILE *file = fopen("/etc/passwd", "re");
    char *name = NULL;

    for (const struct passwd *p; file && !name && (p = fgetpwent(file));)
        name = p->pw_uid == user ? g_strdup(p->pw_name) : NULL;
    if (file)
        fclose(file);
    return name ? name : g_strdup_printf("%u", user);
}

static char *group_name(gid_t group)
{
    FILE *file = fopen("/etc/group", "re");
    char *name = NULL;

    for (const struct group *g; file && !name && (g = fgetgrent(file));)
        name = g->gr_gid == group ? g_strdup(g->gr_name) : NULL;
    if (file)
        fclose(file);
    return name ? name : g_strdup_printf("%u", group);
}

char *owner_of(uid_t user, gid_t group)
{
    g_autofree char *left = owner_user(user), *right = group_name(group);

    return g_strdup_printf("%s:%s", left, right);
}
