// SPDX-License-Identifier: GPL-2.0-or-later
/* A check finds all damage and says where, sets it aside, and the next backup heals it. */
#include "base/each.h"
#include "store/check.h"
#include "unit/store_snapshots.h"

static const unsigned day1[] = {1, 2, 0, 3}, day2[] = {1, 4, 4, 0};

/* Faults as lines: "web/1970-… scsi0 65536+65536: its digest is wrong". */
static char *found(struct store_fixture *f, unsigned most, struct checked *counts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, &error);
    struct check_options options = {.most = most};
    GString *said = g_string_new(NULL);
    check(f->store, entries, &options, counts, &error);
    g_assert_no_error(error);
    for_each_in (const struct check_fault, fault, counts->faults) {
        const char *what = strrchr(fault->what, ':');
        g_string_append_printf(said, "%.2s-%s %s %u+%u%s\n", fault->entry->name + 14, fault->entry->guest,
                               fault->device ? fault->device->name : "-", (unsigned)(fault->offset / CHUNK),
                               (unsigned)(fault->len / CHUNK), what ? what : fault->what);
    }
    checked_clear(counts);
    return g_string_free(said, FALSE);
}

static void must_find(struct store_fixture *f, unsigned most, const char *expected)
{
    struct checked counts;
    g_autofree char *said = found(f, most, &counts);
    g_assert_cmpstr(said, ==, expected);
}

static void test_whole(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4), *b = make_snapshot(f, "web", 2000, day2, 4);
    for (unsigned most = 1; most < 10; most++) {
        struct checked counts;
        g_autofree char *said = found(f, most, &counts);
        g_assert_cmpstr(said, ==, "");
        g_assert_cmpuint(counts.chunks, ==, 5);
    }
    g_autoptr(snapshot) s = snapshot_load(a, NULL);
    g_assert_cmpint(s->verified, >, 0);
    g_assert_false(s->is_damaged);
}

static void test_damage(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4), *b = make_snapshot(f, "web", 2000, day2, 4);
    g_autofree char *three = path_of(f, 3, ".cacnk"), *four = path_of(f, 4, ".cacnk");
    for (unsigned most = 1; most < 10; most += 4) {
        struct checked counts;
        damage(f, 1);
        g_assert_cmpint(truncate(four, 0), ==, 0);
        unlink(three);
        g_autofree char *said = found(f, most, &counts);
        g_assert_cmpstr(said, ==,
                        "16-web scsi0 0+1: its checksum is wrong\n16-web scsi0 3+1chunk is missing\n"
                        "33-web scsi0 0+1: its checksum is wrong\n33-web scsi0 1+2: empty\n");
        g_assert_cmpuint(counts.damaged, ==, 2);
        g_assert_cmpuint(counts.set_aside, ==, 2);
        g_assert_false(has_chunk(f, 1) || has_chunk(f, 4));
        must_find(f, most,
                  "16-web scsi0 0+1chunk was set aside as damaged\n16-web scsi0 3+1chunk is missing\n"
                  "33-web scsi0 0+3chunk was set aside as damaged\n");
        g_autoptr(snapshot) s = snapshot_load(b, NULL);
        g_assert_true(s->is_damaged && !s->verified);
        /* Whoever has the bytes heals it. */
        g_autofree char *c = make_snapshot(f, "other", 3000, day1, 4), *d = make_snapshot(f, "other", 4000, day2, 4);
        must_find(f, most, "");
        g_assert_false(snapshot_is_marked(b, SNAPSHOT_DAMAGED));
        g_autoptr(snapshot) healed = snapshot_load(b, NULL);
        g_assert_cmpint(healed->verified, >, 0);
        g_assert_true(snapshot_remove(c, NULL) && snapshot_remove(d, NULL));
    }
}

/* Beside a backup: damage is told, and its chunk set aside by the next check, or written anew by the next backup. */
static void test_beside(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4);
    g_autoptr(store) other = store_open(f->dir, STORE_SHARED, NULL);
    struct checked counts;
    damage(f, 2);
    g_autofree char *said = found(f, 0, &counts);
    g_assert_cmpuint(counts.damaged, ==, 1);
    g_assert_cmpuint(counts.set_aside, ==, 0);
    g_assert_cmpuint(counts.suspected, ==, 1);
    g_assert_true(has_chunk(f, 2)); /* whoever reads it may salvage what he can */
    store_free(g_steal_pointer(&other));
    g_autofree char *again = found(f, 0, &counts);
    g_assert_cmpuint(counts.set_aside, ==, 1);
    g_autoptr(store) third = store_open(f->dir, STORE_SHARED, NULL); /* the lock is shared again */
    g_assert_nonnull(third);
}

/* Once by a backup with what was in it, once by somebody who puts the file back. */
static void test_suspected(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4), *two = path_of(f, 2, ".cacnk"), *bytes = NULL;
    g_autoptr(store) other = store_open(f->dir, STORE_SHARED, NULL);
    struct checked counts;
    gsize len;
    g_assert_true(g_file_get_contents(two, &bytes, &len, NULL));
    damage(f, 2);
    g_autofree char *said = found(f, 0, &counts), *b = make_snapshot(f, "web", 2000, day1, 4);
    must_find(f, 0, "");
    damage(f, 2);
    g_autofree char *again = found(f, 0, &counts);
    g_assert_cmpuint(counts.suspected, ==, 1);
    must_write(two, bytes, len);
    g_assert_cmpint(chmod(two, 01644), ==, 0);
    must_find(f, 0, "");
    struct stat st;
    g_assert_true(stat(two, &st) == 0 && !(st.st_mode & S_ISVTX));
}

struct meanwhile {
    struct store_fixture *f;
    char *path;
};

static void make_one_meanwhile(void *user, uint64_t read, uint64_t all)
{
    struct meanwhile *m = user;
    if (!m->path)
        m->path = make_snapshot(m->f, "web", 5000, day1, 4);
}

/* A backup that ends during the check relies on what is being set aside: it is marked as well. */
static void test_meanwhile(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4);
    struct meanwhile m = {f, NULL};
    struct check_options options = {.on_progress = make_one_meanwhile, .user = &m};
    struct checked done;
    damage(f, 2);
    g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
    g_assert_true(check(f->store, entries, &options, &done, NULL));
    g_assert_cmpuint(done.set_aside, ==, 1);
    g_assert_true(snapshot_is_marked(a, SNAPSHOT_DAMAGED) && snapshot_is_marked(m.path, SNAPSHOT_DAMAGED));
    checked_clear(&done);
    g_free(m.path);
}

static void test_files(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4), *b = make_snapshot(f, "web", 2000, day2, 4),
                    *c = make_snapshot(f, "web", 3000, day2, 4);
    g_autofree char *config = g_build_filename(a, "vmabackup.json", NULL),
                    *index = g_build_filename(b, "scsi0.caibx", NULL),
                    *manifest = g_build_filename(c, SNAPSHOT_FILE, NULL);
    must_write(config, "}", 1);
    must_write(index, "x", 1);
    unlink(manifest);
    must_find(f, 1,
              "16-web - 0+0configuration vmabackup.json is missing or was changed\n"
              "33-web scsi0 0+0: its length is none that an index has (byte 1)\n"
              "50-web - 0+0: No such file or directory\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/check/whole", test_whole);
    STORE_TEST("/store/check/damage", test_damage);
    STORE_TEST("/store/check/beside", test_beside);
    STORE_TEST("/store/check/suspected", test_suspected);
    STORE_TEST("/store/check/meanwhile", test_meanwhile);
    STORE_TEST("/store/check/files", test_files);
    return g_test_run();
}
