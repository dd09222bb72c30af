// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of run states; and what is said of an image that cannot be opened again. */
#include <glib.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>
#include "qemu/access.h"
#include "qemu/runstate.h"

/* All that QEMU 11.1 knows. */
static const char *const all[] = {"debug",     "inmigrate",      "internal-error", "io-error", "paused",  "postmigrate",
                                  "prelaunch", "finish-migrate", "restore-vm",     "running",  "save-vm", "shutdown",
                                  "suspended", "watchdog",       "guest-panicked", "colo"};

static void test_known(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        g_assert_cmpstr(runstate_of(all[i])->name, ==, all[i]);
    g_assert_cmpstr(runstate_of("brand-new")->name, ==, "");
    g_assert_cmpint(runstate_of("brand-new")->place, ==, RUNSTATE_HERE);
    g_assert_nonnull(runstate_of(NULL));
}

/* QEMU 9.0 and later abort() on a background snapshot from any other. */
static void test_ram(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        bool may = g_str_equal(all[i], "running") || g_str_equal(all[i], "paused");
        g_assert_true(runstate_of(all[i])->may_move_ram == may);
        g_assert_true(may || *runstate_of(all[i])->says); /* why it is left out */
    }
    g_assert_false(runstate_of("brand-new")->may_move_ram);
}

static void test_place(void)
{
    g_assert_cmpint(runstate_of("io-error")->place, ==, RUNSTATE_HERE);
    g_assert_cmpint(runstate_of("inmigrate")->place, ==, RUNSTATE_ARRIVING);
    g_assert_cmpint(runstate_of("finish-migrate")->place, ==, RUNSTATE_LEAVING);
    g_assert_cmpint(runstate_of("colo")->place, ==, RUNSTATE_LEAVING);
    g_assert_cmpint(runstate_of("postmigrate")->place, ==, RUNSTATE_LEFT);
    g_assert_cmpint(runstate_of("save-vm")->place, ==, RUNSTATE_BUSY);
}

static void test_stops(void)
{
    g_assert_true(runstate_can_be_stopped(runstate_of("running"), 7));
    g_assert_false(runstate_can_be_stopped(runstate_of("suspended"), 8)); /* stop does nothing there */
    g_assert_true(runstate_can_be_stopped(runstate_of("suspended"), 9));
    g_assert_false(runstate_can_be_stopped(runstate_of("paused"), 10));
    g_assert_false(runstate_can_be_stopped(runstate_of("guest-panicked"), 10));
}

static void test_ours(void)
{
    static const char *const ours[] = {"paused", "prelaunch", "postmigrate", NULL};

    g_assert_true(runstate_is_ours("paused", true, false));
    g_assert_false(runstate_is_ours("paused", false, true));
    g_assert_true(runstate_is_ours("prelaunch", true, false)); /* it was reset meanwhile */
    g_assert_false(runstate_is_ours("prelaunch", false, true));
    g_assert_true(runstate_is_ours("postmigrate", false, true));
    g_assert_false(runstate_is_ours("postmigrate", true, false));
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        if (!g_strv_contains(ours, all[i]))
            g_assert_false(runstate_is_ours(all[i], true, true));
}

static void test_migrating(void)
{
    static const char *const active[] = {"setup",       "active",          "pre-switchover",  "device",
                                         "cancelling",  "postcopy-active", "postcopy-paused", "colo",
                                         "wait-unplug", "brand-new"};
    static const char *const over[] = {"none", "completed", "failed", "cancelled"};

    for (unsigned i = 0; i < G_N_ELEMENTS(active); i++)
        g_assert_true(runstate_is_migrating(active[i]));
    for (unsigned i = 0; i < G_N_ELEMENTS(over); i++)
        g_assert_false(runstate_is_migrating(over[i]));
}

/* These may ask a directory service, and QEMU may be waiting for us. */
struct passwd *getpwuid(uid_t user)
{
    g_assert_not_reached();
}

struct group *getgrgid(gid_t group)
{
    g_assert_not_reached();
}

static void describes(const char *message, const char *begin, const char *end)
{
    g_autofree char *text = access_describe(message, getpid());

    g_assert_nonnull(text);
    g_assert_true(g_str_has_prefix(text, begin));
    g_assert_true(g_str_has_suffix(text, end));
}

static void test_reopen(void)
{
    g_autofree char *dir = g_dir_make_tmp("reopen-XXXXXX", NULL), *path = g_strconcat(dir, "/it's.raw", NULL);
    g_autofree char *message = g_strdup_printf("Could not open '%s': Permission denied", path);

    describes("Could not open 'nowhere.raw': No such file or directory", "QEMU (user ",
              ") cannot open nowhere.raw for writing: No such file or directory");
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(g_chmod(path, 0640), ==, 0);
    describes(message, "QEMU (user ", " 0640) for writing: Permission denied");
    if (geteuid() == 0)
        describes(message, "QEMU (user root) cannot open ", " (root:root 0640) for writing: Permission denied");
    g_assert_null(access_describe("Could not set up vCPUs", 0));
    g_assert_null(access_describe("Could not open 'x", 0));
    g_assert_null(access_describe("': Could not open '", 0));
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runstate/known", test_known);
    g_test_add_func("/runstate/ram", test_ram);
    g_test_add_func("/runstate/place", test_place);
    g_test_add_func("/runstate/stops", test_stops);
    g_test_add_func("/runstate/ours", test_ours);
    g_test_add_func("/runstate/migrating", test_migrating);
    g_test_add_func("/backup/reopen/describe", test_reopen);
    return g_test_run();
}
