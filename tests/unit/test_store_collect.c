// SPDX-License-Identifier: GPL-2.0-or-later
/* Unused chunks are removed, used ones never; whatever the size of a range. */
#include "store/census.h"
#include "store/collect.h"
#include "unit/store_snapshots.h"

static struct collected must_collect(struct store_fixture *f, bool is_dry_run, unsigned most)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, &error);
    struct collect_options options = {.is_dry_run = is_dry_run, .most = most};
    struct collected done;
    collect(f->store, entries, &options, &done, &error);
    g_assert_no_error(error);
    return done;
}

static void test_collect(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2, 0, 3}, day2[] = {1, 4, 0, 0}, other[] = {3, 5};
    for (unsigned most = 1; most <= 16; most *= 2) {
        g_autofree char *a = make_snapshot(f, "web", 1000, day1, 4), *b = make_snapshot(f, "web", 2000, day2, 4),
                        *c = make_snapshot(f, "db", 3000, other, 2);
        g_assert_cmpuint(must_collect(f, false, most).chunks, ==, 0);
        g_assert_true(snapshot_remove(a, NULL));
        struct collected dry = must_collect(f, true, most);
        g_assert_true(has_chunk(f, 2));
        struct collected done = must_collect(f, false, most);
        g_assert_cmpuint(done.chunks, ==, 1); /* 2: the others are named by b, or by another guest */
        g_assert_cmpuint(done.kept_chunks, ==, 5);
        g_assert_cmpuint(dry.bytes, ==, done.bytes);
        g_assert_false(has_chunk(f, 2));
        g_assert_true(has_chunk(f, 0) && has_chunk(f, 1) && has_chunk(f, 3) && has_chunk(f, 4) && has_chunk(f, 5));
        g_assert_true(snapshot_remove(b, NULL) && snapshot_remove(c, NULL));
        g_assert_cmpuint(must_collect(f, false, most).chunks, ==, 5);
        g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, 0);
    }
}

/* What cannot be read names something, too. */
static void test_damaged(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2}, day2[] = {3};
    static const char *const files[] = {"scsi0.caibx", SNAPSHOT_FILE};
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *a = make_snapshot(f, "web", 1000, day1, 2), *b = make_snapshot(f, "web", 2000, day2, 1);
        g_autofree char *file = g_build_filename(a, files[i], NULL);
        g_autoptr(GError) error = NULL;
        struct collect_options options = {0};
        struct collected done;
        g_assert_true(snapshot_remove(b, NULL));
        must_write(file, "x", 1);
        g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
        g_assert_false(collect(f->store, entries, &options, &done, &error));
        g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
        g_assert_nonnull(strstr(error->message, files[i]));
        g_assert_true(has_chunk(f, 1) && has_chunk(f, 2) && has_chunk(f, 3));
        g_assert_true(snapshot_remove(a, NULL));
    }
}

/* Whoever has renamed a snapshot wants to keep it. */
static void test_renamed(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2};
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 2);
    g_autofree char *renamed = g_build_filename(f->dir, "web", "before-upgrade", NULL);
    g_assert_cmpint(rename(a, renamed), ==, 0);
    g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 0);
}

static void must_not_collect(struct store_fixture *f, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
    struct collect_options options = {0};
    struct collected done;
    g_assert_false(collect(f->store, entries, &options, &done, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, why));
    g_assert_true(has_chunk(f, 1) && has_chunk(f, 2));
}

/* Snapshots that nobody lists, wherever they were put, keep the chunks of all; and whatever else lies there does not.
 */
static void test_strays(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2};
    static const char *const strays[] = {"1970-01-01T00:16:40Z", "before",      ".web/1970-01-01T00:16:40Z",
                                         "a\nb/before",          "web/.before", "web/old/1970-01-01T00:16:40Z",
                                         "archive/web/before"};
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 2), *elsewhere = g_build_filename(f->folder, "x", NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(strays); i++) {
        g_autofree char *moved = g_build_filename(f->dir, strays[i], NULL), *above = g_path_get_dirname(moved);
        g_autofree char *shown = g_strdelimit(g_strdup(strays[i]), "\n", '?');
        g_assert_true(g_mkdir_with_parents(above, 0700) == 0 && rename(a, moved) == 0);
        must_not_collect(f, shown);
        g_assert_cmpint(rename(moved, a), ==, 0);
        g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 0);
    }
    g_assert_cmpint(rename(a, elsewhere), ==, 0);
    g_assert_cmpint(symlink(elsewhere, a), ==, 0);
    must_not_collect(f, "a symbolic link");
    g_autofree char *guest = g_path_get_dirname(a), *link = g_build_filename(f->dir, "link", NULL);
    g_assert_true(unlink(a) == 0 && rename(elsewhere, a) == 0 && rename(guest, elsewhere) == 0);
    g_assert_cmpint(symlink(elsewhere, guest), ==, 0);
    must_not_collect(f, "bk/web: a symbolic link");
    g_assert_true(unlink(guest) == 0 && rename(elsewhere, guest) == 0);
    g_assert_true(symlink("web", link) == 0); /* its neighbour */
    g_autofree char *empty = g_build_filename(guest, ".notes", NULL), *key = g_build_filename(f->dir, "key", NULL);
    g_assert_true(mkdir(empty, 0700) == 0 && symlink("/dev/null", key) == 0);
    g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 0);
}

static bool count_down(void *user)
{
    return (*(unsigned *)user)-- > 0;
}

static void test_interrupted(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2, 3}, day2[] = {2, 4};
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 3), *b = make_snapshot(f, "web", 2000, day2, 2);
    struct collected done = {.is_ended_early = true};
    g_assert_true(snapshot_remove(a, NULL));
    for (unsigned questions = 0; done.is_ended_early; questions++) {
        g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
        unsigned left = questions;
        struct collect_options options = {.most = 1, .go_on = count_down, .user = &left};
        g_assert_true(collect(f->store, entries, &options, &done, NULL));
        g_assert_true(has_chunk(f, 2) && has_chunk(f, 4));
        g_assert_true(questions || (has_chunk(f, 1) && has_chunk(f, 3)));
        g_assert_cmpuint(questions, <, 100);
    }
    g_assert_false(has_chunk(f, 1) || has_chunk(f, 3));
}

/* What was set aside goes when it is whole again, or when nobody names it. */
static void test_set_aside(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2};
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 2), *aside = path_of(f, 1, ".bad"),
                    *whole = path_of(f, 1, ".cacnk");
    g_assert_cmpint(rename(whole, aside), ==, 0);
    g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 0);
    g_autofree char *b = make_snapshot(f, "web", 2000, day1, 2); /* writes it anew */
    g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 1);
    g_assert_true(has_chunk(f, 1) && !g_file_test(aside, G_FILE_TEST_EXISTS));
    g_assert_cmpint(rename(whole, aside), ==, 0);
    g_assert_true(snapshot_remove(a, NULL) && snapshot_remove(b, NULL));
    g_assert_cmpuint(must_collect(f, false, 0).chunks, ==, 2);
    g_assert_false(g_file_test(aside, G_FILE_TEST_EXISTS));
}

static uint32_t owner_of(const struct census *c, unsigned seed)
{
    g_autofree uint8_t *bytes = g_malloc(CHUNK);
    struct chunk_id id;
    chunk_of(seed, bytes, &id);
    for (guint i = 0; i < c->chunks->len; i++)
        if (chunk_id_equal(&census_chunk(c, i)->id, &id))
            return census_chunk(c, i)->owner;
    g_assert_not_reached();
}

static void test_owners(struct store_fixture *f, gconstpointer data)
{
    static const unsigned day1[] = {1, 2, 2}, day2[] = {2, 3};
    g_autofree char *a = make_snapshot(f, "web", 1000, day1, 3), *b = make_snapshot(f, "web", 2000, day2, 2);
    g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
    struct census *c = census_new(f->store, entries);
    static const uint32_t owners[] = {0, 1, CENSUS_MANY, 2};
    g_assert_true(census_next(c, NULL) && census_walk(c, census_count, NULL, NULL, NULL));
    g_assert_cmpuint(c->chunks->len, ==, 3);
    for (unsigned seed = 1; seed < 4; seed++)
        g_assert_cmpuint(owner_of(c, seed), ==, owners[seed]);
    g_assert_false(census_next(c, NULL));
    census_free(c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/collect/collect", test_collect);
    STORE_TEST("/store/collect/damaged", test_damaged);
    STORE_TEST("/store/collect/renamed", test_renamed);
    STORE_TEST("/store/collect/strays", test_strays);
    STORE_TEST("/store/collect/interrupted", test_interrupted);
    STORE_TEST("/store/collect/set-aside", test_set_aside);
    STORE_TEST("/store/collect/owners", test_owners);
    return g_test_run();
}
