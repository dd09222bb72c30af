// SPDX-License-Identifier: GPL-2.0-or-later
#include "rescue/places.h"

#include <sys/stat.h>
#include <unistd.h>

#include "rescue/journal.h"

struct search {
    GStrvBuilder *found;
    GHashTable *seen; /* "device:inode": one folder may have several names */
    bool for_all;
};

static void add(struct search *s, const char *folder)
{
    struct stat st;
    bool is_ours =
        lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || (s->for_all && geteuid() == 0));
    if (is_ours && g_hash_table_add(s->seen, g_strdup_printf("%lx:%lx", (gulong)st.st_dev, (gulong)st.st_ino)))
        g_strv_builder_add(s->found, folder);
}

/* Of every user who is logged in, or only of ours. */
static void add_logins(struct search *s)
{
    g_autofree char *ours = g_strdup_printf("%u", geteuid());
    g_autoptr(GDir) users = g_dir_open("/run/user", 0, NULL);
    for (const char *user; users && (user = g_dir_read_name(users));) {
        g_autofree char *folder = g_build_filename("/run/user", user, "vmabackup", NULL);
        if (s->for_all || g_str_equal(user, ours))
            add(s, folder);
    }
}

/* The environment names a place of its own. */
static bool is_apart(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *usual = g_strdup_printf("/run/user/%u", geteuid());
    return runtime && *runtime && !g_str_equal(runtime, usual);
}

GStrv places_of_runs(bool for_all)
{
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *present = journal_folder(NULL),
                    *temporary = g_strdup_printf("%s/vmabackup-%u", g_get_tmp_dir(), geteuid());
    struct search s = {.found = found, .seen = seen, .for_all = for_all};
    if (present)
        add(&s, present);
    if (!is_apart()) {
        add(&s, "/run/vmabackup");
        add_logins(&s);
        add(&s, temporary);
    }
    return g_strv_builder_end(found);
}
