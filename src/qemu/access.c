// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/access.h"

#include <glib.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/owner.h"
#include "base/text.h"

/* As it is now: the credentials of the monitor's socket are those of QEMU's start. */
static char *user_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid), *text = NULL;
    const char *line = g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "\nUid:") : NULL;
    unsigned real, effective;

    if (!line || sscanf(line, "\nUid: %u %u", &real, &effective) != 2)
        return g_strdup("");
    g_autofree char *user = owner_user(effective);
    return g_strdup_printf(" (user %s)", user);
}

/* " (root:root 0644)", or "". QEMU has just failed at this file, so it is known here; no server is asked again. */
static char *mode_of(const char *file, pid_t pid)
{
    g_autofree char *path = *file == '/' ? g_strdup(file) : g_strdup_printf("/proc/%d/cwd/%s", (int)pid, file);
    struct statx st;

    if (pid <= 0 || statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) !=
                        0) /* not known, as by a monitor of another host */
        return g_strdup("");
    g_autofree char *owner = owner_of(st.stx_uid, st.stx_gid);
    return g_strdup_printf(" (%s %04o)", owner, st.stx_mode & 07777);
}

char *access_describe(const char *message, pid_t pid)
{
    static const char before[] = "Could not open '", after[] = "': ";
    const char *begin = strstr(message, before), *end = NULL;

    for (const char *at = begin; at && (at = strstr(at, after)); at += strlen(after))
        end = at; /* a name may have quotes of its own */
    if (!begin || !end)
        return NULL;
    begin += strlen(before);
    if (end < begin)
        return NULL;
    g_autofree char *file = g_strndup(begin, (gsize)(end - begin)), *user = user_of(pid), *mode = mode_of(file, pid);
    char *text = g_strdup_printf("QEMU%s cannot open %s%s for writing: %s", user, file, mode, end + strlen(after));
    text_make_safe_inplace(text);
    return text;
}
