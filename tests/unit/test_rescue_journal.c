// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal: one run per guest, what a dead one has left, whose it is. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/error.h"
#include "rescue/journal.h"

struct fixture {
    char *dir;
    char *socket[2];              /* two monitors */
    struct journal_record record; /* as a run tells it */
};

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    close(fd);
}

static void fixture_up(struct fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("journal-XXXXXX", NULL);
    g_setenv("XDG_RUNTIME_DIR", f->dir, TRUE);
    for (unsigned i = 0; i < G_N_ELEMENTS(f->socket); i++) {
        f->socket[i] = g_strdup_printf("%s/%u.sock", f->dir, i);
        make_socket(f->socket[i]);
    }
    f->record = (struct journal_record){.monitor = f->socket[0], .run_id = (char *)"0123abcd"};
    f->record.capabilities = g_ptr_array_new_with_free_func(g_free);
}

static void fixture_down(struct fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", f->dir);

    g_assert_cmpint(system(command), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(f->socket); i++)
        g_free(f->socket[i]);
    g_ptr_array_unref(f->record.capabilities);
    g_free(f->dir);
}

static struct journal *must_open(const char *monitor, const char *run_id)
{
    g_autoptr(GError) error = NULL;
    struct journal *j = journal_open(monitor, run_id, "writing x", &error);

    g_assert_no_error(error);
    return j;
}

static void must_be_held(const char *monitor)
{
    g_autoptr(GError) error = NULL, again = NULL;

    g_assert_null(journal_open(monitor, "ffffffff", "writing x", &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_HELD);
    g_assert_nonnull(strstr(error->message, "run 0123abcd"));
    g_assert_false(journal_check_free(monitor, &again));
    g_assert_error(again, VMB_ERROR, VMB_ERROR_HELD);
}

static unsigned files_in(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "vmabackup", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    while (dir && g_dir_read_name(dir))
        n++;
    return n;
}

static void test_one_run_per_guest(struct fixture *f, gconstpointer data)
{
    g_autofree char *linked = g_build_filename(f->dir, "another name", NULL);
    g_autofree char *prefixed = g_strconcat("unix:", f->socket[0], NULL);
    struct journal *j = must_open(f->socket[0], "0123abcd"), *other;

    g_assert_cmpint(symlink(f->socket[0], linked), ==, 0);
    must_be_held(f->socket[0]);
    must_be_held(linked);
    must_be_held(prefixed);
    other = must_open(f->socket[1], "99999999"); /* another guest */
    journal_close(other, true);
    journal_close(j, true);
    g_assert_true(journal_check_free(f->socket[0], NULL));
    g_assert_cmpuint(files_in(f->dir), ==, 0);
    journal_close(must_open(f->socket[0], "0123abcd"), true);
}

static const struct journal_record *only_record(GPtrArray *records)
{
    g_assert_cmpuint(records->len, ==, 1);
    return g_ptr_array_index(records, 0);
}

static void must_be_alive(struct fixture *f, bool is_alive)
{
    g_autoptr(GPtrArray) records = journal_read_all(NULL);

    g_assert_cmpint(only_record(records)->is_alive, ==, is_alive);
    g_assert_nonnull(strstr(only_record(records)->holder, "writing x"));
}

/* Whoever is killed holds nothing any more. */
static void test_dead_holder(struct fixture *f, gconstpointer data)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct journal *j = journal_open(f->socket[0], f->record.run_id, "writing x", NULL);
        _exit(j && journal_write(j, &f->record, NULL) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    must_be_alive(f, false);
    journal_close(must_open(f->socket[0], "99999999"), true);
}

static void test_records(struct fixture *f, gconstpointer data)
{
    struct journal *j = must_open(f->socket[0], f->record.run_id);
    g_autoptr(GPtrArray) records = NULL;
    const struct journal_record *r;

    f->record.does_migrate = f->record.did_we_stop = f->record.has_capabilities = f->record.has_params = true;
    f->record.max_bandwidth = INT64_C(1) << 40;
    f->record.downtime_limit_ms = 300;
    f->record.n_exports = 7;
    g_ptr_array_add(f->record.capabilities, g_strdup("auto-converge"));
    g_assert_true(journal_write(j, &f->record, NULL));
    must_be_alive(f, true);
    journal_close(j, false); /* something is left in QEMU */

    records = journal_read_all(f->socket[0]);
    r = only_record(records);
    g_assert_cmpstr(r->run_id, ==, "0123abcd");
    g_assert_true(r->is_of_monitor && !r->is_alive && r->did_we_stop && r->does_migrate && r->has_params &&
                  r->has_capabilities);
    g_assert_cmpint(r->max_bandwidth, ==, INT64_C(1) << 40);
    g_assert_cmpint(r->downtime_limit_ms, ==, 300);
    g_assert_cmpuint(r->n_exports, ==, 7);
    g_assert_cmpstr(g_ptr_array_index(r->capabilities, 0), ==, "auto-converge");
    journal_forget(r);
    g_assert_cmpuint(files_in(f->dir), ==, 0);
}

/* A guest has two monitors: the record of a run that came by the other one is found, but told apart. */
static void test_other_monitor(struct fixture *f, gconstpointer data)
{
    struct journal *j = must_open(f->socket[0], f->record.run_id);
    g_autoptr(GPtrArray) records = NULL;

    g_assert_true(journal_write(j, &f->record, NULL));
    records = journal_read_all(f->socket[1]);
    g_assert_false(only_record(records)->is_of_monitor);
    g_assert_true(only_record(records)->is_alive);
    g_assert_false(only_record(records)->has_params);
    journal_close(j, true);
}

static void test_rewritten(struct fixture *f, gconstpointer data)
{
    struct journal *j = must_open(f->socket[0], f->record.run_id);

    for (unsigned i = 0; i < 4; i++) {
        g_autoptr(GPtrArray) records = NULL;
        f->record.did_we_stop = i % 2;
        g_assert_true(journal_write(j, &f->record, NULL));
        records = journal_read_all(f->socket[0]);
        g_assert_cmpint(only_record(records)->did_we_stop, ==, i % 2);
    }
    g_assert_cmpuint(files_in(f->dir), ==, 2); /* it and the lock: nothing half written stays */
    journal_close(j, true);
}

/* What lies there may be anything. */
static void test_rubbish(struct fixture *f, gconstpointer data)
{
    static const char *const texts[] = {"", "{", "[]",
                                        "{\"run\":7,\"sockets\":{},\"capabilities\":[1,null],\"key\":null}",
                                        "{\"sockets\":[1,{\"qdev\":[]}],\"max-bandwidth\":\"x\"}"};

    journal_close(must_open(f->socket[0], "0123abcd"), true); /* makes the folder */
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = g_strdup_printf("%s/vmabackup/%u.json", f->dir, i);
        g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
    }
    g_autoptr(GPtrArray) records = journal_read_all(f->socket[0]);
    g_assert_cmpuint(records->len, ==, 2); /* those that are objects */
    for (unsigned i = 0; i < records->len; i++)
        g_assert_false(((const struct journal_record *)g_ptr_array_index(records, i))->is_of_monitor);
}

static void test_foreign_folder(struct fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(f->dir, "vmabackup", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(symlink("/tmp", path), ==, 0); /* somebody else laid it out */
    g_assert_null(journal_open(f->socket[0], "0123abcd", "writing x", &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, test) g_test_add("/rescue/journal/" path, struct fixture, NULL, fixture_up, test, fixture_down)
    ADD("one-run-per-guest", test_one_run_per_guest);
    ADD("dead-holder", test_dead_holder);
    ADD("records", test_records);
    ADD("other-monitor", test_other_monitor);
    ADD("rewritten", test_rewritten);
    ADD("rubbish", test_rubbish);
    ADD("foreign-folder", test_foreign_folder);
    return g_test_run();
}
