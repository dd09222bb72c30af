// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots: made, loaded, updated, removed; and what is not what we wrote. */
#include <sys/mount.h>
#include "base/each.h"
#include "store/entries.h"
#include "store/snapshot_json.h"
#include "store/snapshot_target.h"
#include "unit/snapshot_seal.h"
#include "unit/store_fixture.h"

#define INSTANT 1796026220 /* 2026-11-30T08:10:20Z */
static const uint8_t uuid[16] = {1, 2, 3, 0xff};

static struct snapshot *begin(struct store_fixture *f, int64_t instant, const char *run)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *guest = g_build_filename(f->dir, "web-01", NULL);
    g_autoptr(GBytes) json = g_bytes_new_static("{}", 2), odd = g_bytes_new_static("a\0b", 3);
    struct snapshot *s = snapshot_new(uuid, instant, CHUNK);
    struct snapshot_device *d = snapshot_add_device(s, "scsi0", 10 * CHUNK + 512);
    d->new_bytes = 1234;
    d->bitmap = g_strdup("vmabackup-x");
    snapshot_add_device(s, "vmstate", 4711);
    snapshot_set_config(s, "vmabackup.json", json);
    snapshot_set_config(s, "pinned", odd); /* a name that is taken */
    snapshot_begin(s, guest, run, &error);
    g_assert_no_error(error);
    for_each_in (struct snapshot_device, each, s->devices) {
        g_autoptr(chunk_index) x = chunk_index_new(each->size, CHUNK);
        g_assert_true(snapshot_write_index(s, each, x, &error));
    }
    return s;
}

static char *must_commit(struct store_fixture *f, int64_t instant, const char *run)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(snapshot) s = begin(f, instant, run);
    snapshot_commit(s, f->store->chunks, &error);
    g_assert_no_error(error);
    return g_strdup(s->path);
}

static struct snapshot *must_load(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct snapshot *s = snapshot_load(path, &error);
    g_assert_no_error(error);
    return s;
}

static char *latest_of(struct store_fixture *f)
{
    g_autofree char *link = g_build_filename(f->dir, "web-01", SNAPSHOT_LATEST, NULL);
    return g_file_read_link(link, NULL);
}

static char *names_of(struct store_fixture *f)
{
    g_autoptr(GPtrArray) all = entries_load(f->store, "web-01", NULL), names = g_ptr_array_new();
    for_each_in (const struct entry, e, all)
        g_ptr_array_add(names, e->name);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

#define must_list(f, expected)                                                                                         \
    do {                                                                                                               \
        g_autofree char *names = names_of(f);                                                                          \
        g_assert_cmpstr(names, ==, expected);                                                                          \
    } while (0)
#define must_be_latest(f, expected)                                                                                    \
    do {                                                                                                               \
        g_autofree char *last = latest_of(f);                                                                          \
        g_assert_cmpstr(last, ==, expected);                                                                           \
    } while (0)

static void test_round(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = must_commit(f, INSTANT, "run1");
    g_autofree char *link = g_build_filename(f->dir, "web-01", SNAPSHOT_LATEST, NULL);
    struct stat st;
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0700);
    g_autoptr(snapshot) s = must_load(link);
    g_assert_cmpstr(s->path, ==, path);
    g_assert_cmpmem(s->uuid, 16, uuid, 16);
    g_assert_cmpint(s->instant, ==, INSTANT);
    g_assert_cmpuint(s->devices->len, ==, 2);
    const struct snapshot_device *d = snapshot_find_device(s, "scsi0");
    g_assert_cmpuint(d->size, ==, 10 * CHUNK + 512);
    g_assert_cmpuint(d->new_bytes, ==, 1234);
    g_assert_cmpstr(d->bitmap, ==, "vmabackup-x");
    g_autoptr(chunk_index) x = snapshot_load_index(s, d, NULL);
    g_assert_cmpuint(x->n, ==, 11);
    const struct snapshot_config *odd = g_ptr_array_index(s->configs, 1);
    g_assert_cmpstr(odd->name, ==, "pinned");
    g_assert_cmpmem(g_bytes_get_data(odd->bytes, NULL), g_bytes_get_size(odd->bytes), "a\0b", 3);
    g_assert_false(odd->is_damaged || s->is_pinned || s->verified);
    g_assert_true(snapshot_mark(path, SNAPSHOT_PINNED, true, NULL));
    g_autoptr(snapshot) again = must_load(path);
    g_assert_true(again->is_pinned && !again->is_damaged);
    g_assert_true(snapshot_mark(path, SNAPSHOT_PINNED, false, NULL));
    g_assert_true(snapshot_mark(path, SNAPSHOT_PINNED, false, NULL));
    g_assert_false(snapshot_is_marked(path, SNAPSHOT_PINNED));
    g_assert_cmpint(snapshot_instant_of("2026-11-30T08:10:20Z-2"), ==, INSTANT);
    g_autofree char *of = store_of_snapshot(link), *real = realpath(f->dir, NULL);
    g_assert_cmpstr(of, ==, real);
    g_assert_null(store_of_snapshot(f->dir));
}

static void test_names(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *a = must_commit(f, INSTANT, "r1"), *b = must_commit(f, INSTANT, "r2"),
                    *c = must_commit(f, INSTANT + 1, "r3"), *early = must_commit(f, INSTANT - 60, "r4");
    must_list(f, "2026-11-30T08:09:20Z 2026-11-30T08:10:20Z 2026-11-30T08:10:20Z-2 2026-11-30T08:10:21Z");
    must_be_latest(f, "2026-11-30T08:10:21Z"); /* an old one that comes later is not */
    g_assert_true(snapshot_remove(c, NULL));
    must_be_latest(f, "2026-11-30T08:10:20Z-2");
    g_assert_true(snapshot_remove(b, NULL) && snapshot_remove(a, NULL));
    must_list(f, "2026-11-30T08:09:20Z");
    g_assert_true(snapshot_remove(early, NULL));
    must_list(f, "");
    must_be_latest(f, NULL);
    g_assert_false(snapshot_is_name("2026-11-30T08:10:20Z-1") || snapshot_is_name("2026-11-30T08:10:20Z-x") ||
                   snapshot_is_name(".2026-11-30T08:10:20Z") || snapshot_is_name("latest") || snapshot_is_name("") ||
                   snapshot_is_name("2026-11-30T08:10:20") || snapshot_is_name("2026-11-30T08:10:20Z-02"));
    g_assert_cmpint(snapshot_compare_names("2026-11-30T08:10:20Z-9", "2026-11-30T08:10:20Z-10"), <, 0);
}

static void test_abort(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(snapshot) s = begin(f, INSTANT, "r1");
    g_autofree char *guest = g_path_get_dirname(s->path);
    must_list(f, "");
    snapshot_abort(s);
    g_assert_cmpuint(count_files(guest, ""), ==, 0);
    g_autofree char *path = must_commit(f, INSTANT, "r1");
    g_autoptr(snapshot) done = must_load(path);
    snapshot_abort(done); /* of one that is there it does nothing */
    must_list(f, "2026-11-30T08:10:20Z");
}

static void must_not_begin(const char *guest_folder, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(snapshot) s = snapshot_new(uuid, INSTANT, CHUNK);
    g_assert_false(snapshot_begin(s, guest_folder, "run", &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_nonnull(strstr(error->message, why));
}

/* Where snapshots would not be listed none is made. */
static void test_no_guest(struct store_fixture *f, gconstpointer data)
{
    static const char *const names[] = {".web", "a\nb", "lost+found", "chunks.castr"};
    g_autofree char *guest = g_build_filename(f->dir, "web-01", NULL), *file = g_build_filename(f->dir, "file", NULL);
    g_assert_cmpint(symlink(f->folder, guest), ==, 0);
    must_not_begin(guest, "web-01: must be a folder, not a symbolic link");
    g_assert_cmpuint(count_files(f->folder, SNAPSHOT_PARTIAL), ==, 0);
    must_write(file, "", 0);
    must_not_begin(file, "must be a folder");
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *folder = g_build_filename(f->dir, names[i], NULL);
        must_not_begin(folder, "no name");
    }
    unlink(guest);
}

static void commit_of(struct store_fixture *f, int64_t instant, const char *description)
{
    g_autofree char *folder = g_build_filename(f->dir, "a_b", NULL);
    g_autoptr(snapshot) s = snapshot_new(uuid, instant, CHUNK);
    g_autoptr(GBytes) bytes = g_bytes_new(description, strlen(description));
    snapshot_set_config(s, "vmabackup.json", bytes);
    g_assert_true(snapshot_begin(s, folder, "r", NULL) && snapshot_commit(s, f->store->chunks, NULL));
}

/* "a b" and "a/b" come to the same folder: the second is refused. What is no guest's, or imported, is not asked for. */
static void test_same_folder(struct store_fixture *f, gconstpointer data)
{
    static const char *const anybodys[] = {"x", "{}", "{\"guest\":7}", "{\"guest\":\"web\"}"};
    g_autoptr(GError) error = NULL;
    g_assert_true(snapshot_target_is_of(f->dir, "a b", NULL, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(anybodys); i++) {
        commit_of(f, INSTANT + i, anybodys[i]);
        g_assert_true(snapshot_target_is_of(f->dir, "a b", NULL, NULL));
    }
    commit_of(f, INSTANT + 60, "{\"guest\":\"a b\"}");
    g_assert_true(snapshot_target_is_of(f->dir, "a b", NULL, NULL) && snapshot_target_is_of(f->dir, "a", NULL, NULL));
    g_assert_false(snapshot_target_is_of(f->dir, "a/b", NULL, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_nonnull(strstr(error->message, "folder a_b holds another guest, \"a b\"; rename \"a/b\""));
}

/* Guests without a name, which are called after their monitors. */
static void test_nameless(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    commit_of(f, INSTANT, "{\"guest\":\"a b\"}");
    g_assert_true(snapshot_target_is_of(f->dir, "a b", "/run/1/a b", NULL));
    commit_of(f, INSTANT + 1, "{\"guest\":\"a b\",\"nameless_at\":\"/run/1/a b\"}");
    g_assert_true(snapshot_target_is_of(f->dir, "a b", "/run/1/a b", NULL));
    g_assert_true(snapshot_target_is_of(f->dir, "a b", NULL, NULL));
    g_assert_false(snapshot_target_is_of(f->dir, "a b", "/run/2/a b", &error));
    g_assert_nonnull(strstr(error->message, "another monitor, /run/1/a b"));
}

struct changer {
    const char *path;
    int64_t when;
};

static gpointer change_often(gpointer user)
{
    const struct changer *c = user;
    for (unsigned i = 0; i < 50; i++) {
        g_assert_true(snapshot_set_verified(c->path, c->when + i, NULL));
        g_assert_true(snapshot_mark(c->path, SNAPSHOT_DAMAGED, i % 2, NULL));
    }
    return NULL;
}

/* By several at once: each manifest is a whole one, and nothing is left over. */
static void test_verified(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = must_commit(f, INSTANT, "r1"), *guest = g_path_get_dirname(path);
    struct changer changers[4];
    GThread *threads[G_N_ELEMENTS(changers)];
    g_assert_true(snapshot_set_verified(path, INSTANT + 5, NULL));
    g_autoptr(snapshot) s = must_load(path);
    g_assert_cmpint(s->verified, ==, INSTANT + 5);
    for (unsigned i = 0; i < G_N_ELEMENTS(changers); i++) {
        changers[i] = (struct changer){path, INSTANT + 100 * i};
        threads[i] = g_thread_new("change", change_often, &changers[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(changers); i++)
        g_thread_join(threads[i]);
    g_autoptr(snapshot) last = must_load(path);
    g_assert_cmpint(last->verified % 100, ==, (INSTANT + 49) % 100);
    g_assert_true(last->is_damaged);
    g_autoptr(GDir) dir = g_dir_open(guest, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));)
        g_assert_cmpint(*name, !=, '.');
    g_assert_true(snapshot_set_verified(path, 0, NULL));
    g_autoptr(snapshot) never = must_load(path);
    g_assert_cmpint(never->verified, ==, 0);
}

static gpointer pin(gpointer path)
{
    return GINT_TO_POINTER(snapshot_mark(path, SNAPSHOT_PINNED, true, NULL));
}

/* Whoever was told that it is pinned still has it, however close somebody was to its removal. */
static void test_pinned(struct store_fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *path = must_commit(f, INSTANT + i, "r1");
        g_autoptr(GError) error = NULL;
        GThread *pinning = g_thread_new("pin", pin, path);
        bool is_removed = snapshot_remove(path, &error), is_pinned = g_thread_join(pinning);
        g_assert_true(is_removed != is_pinned);
        g_assert_true(is_removed || g_error_matches(error, VMB_ERROR, VMB_ERROR_HELD));
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS) == is_pinned);
    }
}

static void put_in(const char *folder, const char *elsewhere)
{
    g_autofree char *deep = g_build_filename(folder, "notes", "deep", NULL), *file = g_build_filename(deep, "x", NULL),
                    *link = g_build_filename(folder, "link", NULL);
    g_assert_cmpint(g_mkdir_with_parents(deep, 0700), ==, 0);
    must_write(file, "x", 1);
    g_assert_cmpint(symlink(elsewhere, link), ==, 0);
}

/* Whatever somebody has laid into it goes with it; a link's target does not. */
static void test_foreign(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = must_commit(f, INSTANT, "r1"), *guest = g_path_get_dirname(path);
    g_autofree char *removed = g_build_filename(guest, SNAPSHOT_REMOVED "x", NULL),
                    *file = g_build_filename(guest, SNAPSHOT_REMOVED "file", NULL),
                    *manifest = g_build_filename(guest, ".manifest-01234567", NULL),
                    *kept = g_build_filename(f->folder, "kept", NULL), *kept_file = g_build_filename(kept, "x", NULL);
    g_assert_cmpint(mkdir(kept, 0700), ==, 0);
    must_write(kept_file, "x", 1);
    put_in(path, "../../../kept");
    put_in(removed, "../../../kept");
    must_write(file, "", 0);
    must_write(manifest, "", 0);
    g_assert_true(snapshot_remove(path, NULL) && snapshot_tidy(guest, NULL));
    g_assert_cmpint(rmdir(guest), ==, 0); /* nothing is left in it */
    g_assert_true(g_file_test(kept_file, G_FILE_TEST_EXISTS));
}

/* What dead runs left goes with the exclusive lock. */
static void test_leftovers(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = must_commit(f, INSTANT, "r1");
    g_autoptr(snapshot) dead = begin(f, INSTANT + 1, "r2");
    g_autofree char *guest = g_path_get_dirname(path);
    g_autofree char *removed = g_build_filename(guest, SNAPSHOT_REMOVED "2026-11-29T08:10:20Z", NULL);
    g_assert_cmpint(mkdir(removed, 0700), ==, 0);
    g_autofree char *chunks = g_build_filename(f->dir, "chunks.castr", NULL);
    struct chunk_folder *theirs = chunk_folder_open(chunks, NULL);
    struct chunk_batch *b = chunk_batch_new(theirs, 1);
    struct chunk_id id;
    uint64_t stored;
    chunk_id_of("abc", 3, &id);
    g_assert_true(chunk_batch_put(b, &id, "abc", 3, &stored, NULL));
    g_assert_null(store_open(f->dir, STORE_EXCLUSIVE, &error)); /* it lives */
    g_assert_error(error, VMB_ERROR, VMB_ERROR_HELD);
    store_free(g_steal_pointer(&f->store));
    f->store = store_open(f->dir, STORE_EXCLUSIVE, NULL);
    g_assert_nonnull(f->store);
    g_assert_false(g_file_test(dead->path, G_FILE_TEST_EXISTS) || g_file_test(removed, G_FILE_TEST_EXISTS));
    must_list(f, "2026-11-30T08:10:20Z");
    g_autofree char *tmp = g_build_filename(chunks, "tmp", NULL);
    g_assert_false(g_file_test(tmp, G_FILE_TEST_EXISTS));
    chunk_batch_free(b);
    chunk_folder_free(theirs);
}

/* What is mounted in it is somebody else's: that stays, is told of, and holds nothing else up. */
static void test_mounted(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = must_commit(f, INSTANT, "r1"), *guest = g_path_get_dirname(path);
    g_autofree char *mine = g_build_filename(f->folder, "mine", NULL), *file = g_build_filename(mine, "x", NULL);
    g_autofree char *removed = g_build_filename(guest, SNAPSHOT_REMOVED "x", NULL),
                    *mounted = g_build_filename(removed, "mounted", NULL);
    g_autoptr(snapshot) dead = begin(f, INSTANT + 1, "r2");
    g_assert_true(mkdir(mine, 0700) == 0 && g_mkdir_with_parents(mounted, 0700) == 0);
    must_write(file, "x", 1);
    if (mount(mine, mounted, NULL, MS_BIND, NULL) < 0) {
        g_test_skip("nothing can be mounted here");
        return;
    }
    bool ok = snapshot_tidy(guest, &error), is_kept = g_file_test(file, G_FILE_TEST_EXISTS);
    g_assert_cmpint(umount(mounted), ==, 0);
    g_assert_true(!ok && is_kept);
    g_assert_nonnull(strstr(error->message, "mounted: cannot be removed"));
    g_assert_false(g_file_test(dead->path, G_FILE_TEST_EXISTS));
    g_assert_true(snapshot_tidy(guest, NULL));
}

/* ---- hostile ---- */

static void must_not_load(const char *path, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(snapshot_load(path, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, why));
}

static void test_damaged(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = must_commit(f, INSTANT, "r1"), *file = g_build_filename(path, SNAPSHOT_FILE, NULL);
    g_autofree char *text = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(file, &text, &len, NULL));
    for (gsize at = 0; at < len; at++) {
        char was = text[at];
        text[at] ^= 1; /* a blank becomes a '!', a digit another one */
        must_write(file, text, len);
        must_not_load(path, SNAPSHOT_FILE);
        text[at] = was;
    }
    must_write(file, text, len / 2);
    must_not_load(path, SNAPSHOT_FILE);
    unlink(file);
    must_not_load(path, "No such file");
    must_write(file, text, len);
    g_autofree char *moved = g_build_filename(f->dir, "web-01", "2026-11-30T08:10:21Z", NULL);
    g_assert_cmpint(rename(path, moved), ==, 0);
    must_not_load(moved, "another instant");
}

static void must_not_load_index(const struct snapshot *s, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(snapshot_load_index(s, g_ptr_array_index(s->devices, 0), &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, why));
}

/* The manifest says what the files beside it are; the rest can still be used. */
static void test_damaged_files(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = must_commit(f, INSTANT, "r1"), *index = g_build_filename(path, "scsi0.caibx", NULL);
    g_autofree char *config = g_build_filename(path, "vmabackup.json", NULL), *bytes = NULL;
    gsize len;
    g_autoptr(snapshot) s = must_load(path);
    g_assert_true(g_file_get_contents(index, &bytes, &len, NULL));
    bytes[64 + 8] ^= 1;
    must_write(index, bytes, len);
    must_not_load_index(s, "digest is wrong");
    must_write(index, bytes, len - 40);
    must_not_load_index(s, "scsi0.caibx");
    g_autofree char *other = g_build_filename(path, "vmstate.caibx", NULL);
    g_assert_cmpint(rename(other, index), ==, 0);
    must_not_load_index(s, "another size");
    must_write(config, "{]", 2);
    g_autoptr(snapshot) changed = must_load(path);
    g_assert_true(((struct snapshot_config *)g_ptr_array_index(changed->configs, 0))->is_damaged);
    unlink(config);
    g_autoptr(snapshot) missing = must_load(path);
    g_assert_true(((struct snapshot_config *)g_ptr_array_index(missing->configs, 0))->is_damaged);
}

/* A manifest with a good digest, of which a piece is another. */
static void must_not_parse(const char *from, const char *to)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(snapshot) s = snapshot_new(uuid, INSTANT, CHUNK);
    g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
    for (unsigned i = 0; i < 2; i++) {
        struct snapshot_device *d = snapshot_add_device(s, i ? "scsi1" : "scsi0", 512);
        d->digest = g_strnfill(64, 'a');
    }
    snapshot_set_config(s, "c0", json);
    snapshot_set_config(s, "c1", json);
    g_autofree char *text = snapshot_to_json(s);
    g_auto(GStrv) parts = g_strsplit(text, from, 2);
    g_assert_nonnull(parts[1]);
    g_autofree char *changed = g_strjoinv(to, parts), *sealed = snapshot_seal(changed);
    g_assert_nonnull(sealed);
    g_assert_null(snapshot_from_json(sealed, strlen(sealed), &error));
    g_assert_nonnull(error);
}

static void test_hostile(void)
{
    static const char *const changes[][2] = {
        {"\"scsi1\"", "\"scsi0\""},
        {"\"scsi1\"", "\"../x\""},
        {"\"scsi1\"", "\"\""},
        {"\"scsi1\"", "\"a\\u0000b\""},
        {"\"scsi1\"", "\"a\\u001bb\""},
        {"\"scsi1\"", "7"},
        {"scsi1.caibx", "../../x.caibx"},
        {"\"size\": 512", "\"size\": 0"},
        {"\"size\": 512", "\"size\": 513"},
        {"\"size\": 512", "\"size\": -512"},
        {"\"size\": 512", "\"size\": 1e9"},
        {"\"size\": 512", "\"size\": 99999999999999999999999"},
        {"\"new_bytes\": 0", "\"new_bytes\": -1"},
        {"\"chunk\": 65536", "\"chunk\": 65537"},
        {"\"chunk\": 65536", "\"chunk\": 32768"},
        {"\"chunk\": 65536", "\"chunk\": 33554432"},
        {"\"file\": \"c1\"", "\"file\": \"c0\""},
        {"\"file\": \"c1\"", "\"file\": \"../c0\""},
        {"\"file\": \"c1\"", "\"file\": \".c1\""},
        {"\"name\": \"c1\"", "\"name\": \"c0\""},
        {"\"format\": 1", "\"format\": 2"},
        {"\"format\": 1", "\"format\": \"1\""},
        {"2026-11-30T08:10:20Z", "2026-11-30T08:10:20+00:00"},
        {"2026-11-30T08:10:20Z", "2026-13-30T08:10:20Z"},
        {"01020", "0102x"},
        {"\"devices\"", "\"drives\""},
        {"aaaaaaaa", "AAAAAAAA"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++)
        must_not_parse(changes[i][0], changes[i][1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/snapshot/round", test_round);
    STORE_TEST("/store/snapshot/names", test_names);
    STORE_TEST("/store/snapshot/abort", test_abort);
    STORE_TEST("/store/snapshot/no-guest", test_no_guest);
    STORE_TEST("/store/snapshot/same-folder", test_same_folder);
    STORE_TEST("/store/snapshot/nameless", test_nameless);
    STORE_TEST("/store/snapshot/verified", test_verified);
    STORE_TEST("/store/snapshot/pinned", test_pinned);
    STORE_TEST("/store/snapshot/foreign", test_foreign);
    STORE_TEST("/store/snapshot/leftovers", test_leftovers);
    STORE_TEST("/store/snapshot/mounted", test_mounted);
    STORE_TEST("/store/snapshot/damaged", test_damaged);
    STORE_TEST("/store/snapshot/damaged-files", test_damaged_files);
    g_test_add_func("/store/snapshot/hostile", test_hostile);
    return g_test_run();
}
