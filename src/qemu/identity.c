// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/identity.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "qmp/address.h"

#define KEY_LEN 16 /* of a digest: enough to be alone */

static char *digest_of(const void *bytes, size_t len)
{
    char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, len);

    digest[KEY_LEN] = '\0';
    return digest;
}

/* NULL when there is no such socket. */
static char *key_of_path(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return NULL;
    return g_strdup_printf("%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x.%lx",
                           (guint64)st.st_dev, (guint64)st.st_ino, (guint64)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

char *identity_of_monitor(const char *monitor)
{
    g_auto(qmp_address) address = {0};
    char *key = NULL;

    if (!qmp_address_parse(&address, monitor, NULL) || !address.n)
        return digest_of(monitor, strlen(monitor));
    if (!address.is_unix)
        return digest_of(&address.target[0], address.target_len[0]);
    key = key_of_path(((const struct sockaddr_un *)&address.target[0])->sun_path);
    return key ? key : digest_of(monitor, strlen(monitor));
}

/* "unix:/run/vm.qmp,server=on", while nobody is connected with "disconnected:" before it. */
static char *path_of(const char *filename, int qemu_pid)
{
    static const char idle[] = "disconnected:", unix_[] = "unix:";
    g_autofree char *path = NULL;

    if (g_str_has_prefix(filename, idle))
        filename += strlen(idle);
    if (!g_str_has_prefix(filename, unix_))
        return NULL;
    filename += strlen(unix_);
    path = g_strndup(filename, strcspn(filename, ","));
    if (*path == '/')
        return g_steal_pointer(&path);
    return qemu_pid > 0 && *path ? g_strdup_printf("/proc/%d/cwd/%s", qemu_pid, path) : NULL;
}

GPtrArray *identity_of_chardevs(const char *const *filenames, unsigned n, int qemu_pid)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *path = filenames[i] ? path_of(filenames[i], qemu_pid) : NULL;
        char *key = path ? key_of_path(path) : NULL;
        if (key)
            g_ptr_array_add(keys, key);
    }
    return keys;
}

gboolean identity_is_shared(const GPtrArray *a, const GPtrArray *b)
{
    for (unsigned i = 0; a && b && i < a->len; i++)
        if (g_ptr_array_find_with_equal_func((GPtrArray *)b, g_ptr_array_index(a, i), g_str_equal, NULL))
            return TRUE;
    return FALSE;
}

/* --- the process -------------------------------------------------------------------------------- */

/* The 22nd field of /proc/PID/stat, the 20th behind the name, which may hold anything; 0 if it cannot be read. */
static guint64 birth_of(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
    const char *rest = g_file_get_contents(path, &text, NULL, NULL) ? strrchr(text, ')') : NULL;

    for (unsigned i = 0; rest && i < 20; i++)
        rest = strchr(rest + 1, ' ');
    return rest ? g_ascii_strtoull(rest + 1, NULL, 10) : 0;
}

static gboolean is_qemu(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid), *program = g_file_read_link(path, NULL);

    return program && (strstr(program, "qemu") || strstr(program, "kvm"));
}

char *identity_of_process(int pid)
{
    g_autofree char *numbers = g_file_read_link("/proc/self/ns/pid", NULL);
    guint64 birth = pid > 0 && is_qemu(pid) ? birth_of(pid) : 0;

    return birth && numbers ? g_strdup_printf("%d %" G_GUINT64_FORMAT " %s", pid, birth, numbers) : NULL;
}

gboolean identity_is_gone(const char *process)
{
    g_autofree char *numbers = g_file_read_link("/proc/self/ns/pid", NULL);
    char theirs[64] = "";
    guint64 birth = 0;
    int pid = 0;

    if (sscanf(process, "%d %" G_GUINT64_FORMAT " %63s", &pid, &birth, theirs) != 3 || pid <= 0 ||
        g_strcmp0(numbers, theirs) != 0)
        return FALSE;
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return TRUE;
    return birth_of(pid) && birth_of(pid) != birth;
}
