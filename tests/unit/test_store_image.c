// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots read as archives: from front to back, at any place, of every size, and damaged. */
#include <uv.h>

#include "base/each.h"
#include "store/snapshot_image.h"
#include "unit/store_fixture.h"
#include "vma/walk.h"

#define INSTANT    1796026220
#define MAX_DRIVES 12
static const uint8_t uuid[16] = {7, 1};

/* ---- a snapshot of what is given ---- */

struct drive {
    const char *name;
    uint8_t *bytes;
    uint64_t size;
};

struct made {
    uint32_t chunk;
    struct drive drives[MAX_DRIVES];
    unsigned n;
    char *path;
};

/* Every other megabyte and the end of it are noise. */
static void add(struct made *m, const char *name, uint64_t size)
{
    struct drive *d = &m->drives[m->n++];
    g_autofree uint8_t *some = noise(m->n, 1 << 20);
    *d = (struct drive){name, g_malloc0(MAX(size, 1)), size};
    for (uint64_t at = 0; at < size; at += 2 << 20)
        memcpy(d->bytes + at, some, MIN(1 << 20, size - at));
    memset(d->bytes + size - MIN(size, 300), 0xee, MIN(size, 300));
}

static void put_drive(struct store_fixture *f, struct made *m, struct snapshot *s, const struct drive *d)
{
    struct chunk_batch *batch = chunk_batch_new(f->store->chunks, 1);
    g_autoptr(chunk_index) x = chunk_index_new(d->size, m->chunk);
    uint64_t stored;
    for (uint64_t i = 0; i < x->n; i++) {
        struct chunk_id id;
        const uint8_t *bytes = d->bytes + i * m->chunk;
        chunk_id_of(bytes, chunk_index_len(x, i), &id);
        chunk_index_set(x, i, &id);
        g_assert_true(chunk_batch_put(batch, &id, bytes, chunk_index_len(x, i), &stored, NULL));
    }
    g_assert_true(chunk_batch_commit(batch, NULL));
    chunk_batch_free(batch);
    g_assert_true(snapshot_write_index(s, snapshot_find_device(s, d->name), x, NULL));
}

static void make(struct store_fixture *f, struct made *m)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *guest = g_build_filename(f->dir, "web-01", NULL);
    g_autoptr(snapshot) s = snapshot_new(uuid, INSTANT, m->chunk);
    g_autoptr(GBytes) conf = g_bytes_new_static("cores: 2\n", 9);
    for (unsigned i = 0; i < m->n; i++)
        snapshot_add_device(s, m->drives[i].name, m->drives[i].size);
    snapshot_set_config(s, "x.conf", conf);
    g_assert_true(snapshot_begin(s, guest, "run", NULL));
    for (unsigned i = 0; i < m->n; i++)
        put_drive(f, m, s, &m->drives[i]);
    snapshot_commit(s, f->store->chunks, &error);
    g_assert_no_error(error);
    m->path = g_strdup(s->path);
}

static void clear(struct made *m)
{
    for (unsigned i = 0; i < m->n; i++)
        g_free(m->drives[i].bytes);
    g_free(m->path);
}

static struct snapshot_image *must_open(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct snapshot_image *image = snapshot_image_open(path, &error);
    g_assert_no_error(error);
    return image;
}

/* The file of the chunk that holds this byte of drive i. */
static char *file_of(struct store_fixture *f, const struct made *m, unsigned i, uint64_t offset)
{
    struct chunk_id id;
    uint64_t from = offset / m->chunk * m->chunk;
    chunk_id_of(m->drives[i].bytes + from, MIN(m->chunk, m->drives[i].size - from), &id);
    return chunk_path(f, &id, ".cacnk");
}

/* ---- from front to back ---- */

struct reading {
    const struct made *made;
    uint8_t *got[MAX_DRIVES];
    GString *faults;
    uint64_t ram_bytes, lost;
    unsigned n_damaged; /* errors of the source */
};

static unsigned number_of(const struct reading *r, int dev_id)
{
    g_assert_cmpint(dev_id, >=, 1);
    g_assert_cmpint(dev_id, <=, (int)r->made->n);
    return (unsigned)dev_id - 1;
}

static bool on_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct reading *r = user;
    unsigned i = number_of(r, dev_id);
    uint64_t size = r->made->drives[i].size;
    if (offset < size) /* the RAM's last cluster is padded */
        memcpy(r->got[i] + offset, bytes, MIN(len, size - offset));
    return true;
}

static bool on_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    struct reading *r = user;
    memset(r->got[number_of(r, dev_id)] + offset, 0, len);
    return true;
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_string_append_printf(((struct reading *)user)->faults, "%s\n", text);
}

/* In pieces of an odd size; over damage, as long as it goes on. */
static void feed_all(struct reading *r, struct source *source, struct vma_walk *w)
{
    uint8_t piece[10007];
    g_autoptr(GError) error = NULL;
    ssize_t n;
    while ((n = source_read(source, piece, sizeof piece, &error)) != 0) {
        if (n < 0) {
            g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
            r->n_damaged++;
            r->lost += source_lost(source);
            g_assert_true(vma_walk_gap(w, source_lost(source), error->message, NULL));
            g_clear_error(&error);
        } else {
            g_assert_true(vma_walk_feed(w, piece, (size_t)n, NULL));
        }
    }
    g_assert_true(vma_walk_end(w, NULL));
}

static void read_all(struct reading *r, const struct made *m)
{
    static const struct vma_walk_ops ops = {NULL, on_data, on_zeroes, on_fault};
    g_autoptr(source_t) source = archive_open_source(m->path, NULL);
    g_autoptr(vma_walk) w = vma_walk_new(&ops, r);
    *r = (struct reading){.made = m, .faults = g_string_new(NULL)};
    for (unsigned i = 0; i < m->n; i++)
        r->got[i] = g_memdup2(m->drives[i].bytes, m->drives[i].size);
    for (unsigned i = 0; i < m->n; i++)
        memset(r->got[i], 0x55, m->drives[i].size);
    g_assert_nonnull(source);
    feed_all(r, source, w);
    g_assert_cmpint(source_position(source), ==, source_size(source));
    g_assert_cmpstr(source_form_name(source_form(source)), ==, "store");
    r->ram_bytes = vma_check_result(vma_walk_check(w))->seen.vmstate_bytes;
    g_assert_true(vma_check_result(vma_walk_check(w))->has_digests);
    g_assert_true(vma_check_result(vma_walk_check(w))->has_end_mark);
}

static void reading_clear(struct reading *r)
{
    for (unsigned i = 0; i < r->made->n; i++)
        g_free(r->got[i]);
    g_string_free(r->faults, TRUE);
}

static void must_equal(const struct reading *r, unsigned i, uint64_t from, uint64_t to)
{
    const struct drive *d = &r->made->drives[i];
    g_assert_cmpmem(r->got[i] + from, to - from, d->bytes + from, to - from);
}

/* ---- sizes ---- */

static void test_sizes(struct store_fixture *f, gconstpointer data)
{
    static const uint64_t sizes[] = {512,
                                     4096,
                                     65536 - 512,
                                     65536,
                                     65536 + 512,
                                     (1 << 20) - 512,
                                     (1 << 20) + 512,
                                     59 * 65536,
                                     59 * 65536 + 512,
                                     118 * 65536 - 4096,
                                     9 << 20};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
    static const uint32_t chunks[] = {64 << 10, 256 << 10, 1 << 20, 16 << 20};
    for (unsigned k = 0; k < G_N_ELEMENTS(chunks); k++) {
        struct made m = {.chunk = chunks[k]};
        struct reading r;
        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
            add(&m, names[i], sizes[i]);
        add(&m, "vmstate", 3 * 59 * 65536 + 17); /* the archive begins with it all the same */
        make(f, &m);
        read_all(&r, &m);
        g_assert_cmpstr(r.faults->str, ==, "");
        g_assert_cmpint(r.ram_bytes, ==, 3 * 59 * 65536 + 17);
        for (unsigned d = 0; d < m.n; d++)
            must_equal(&r, d, 0, m.drives[d].size);
        reading_clear(&r);
        clear(&m);
    }
}

/* No larger than our own archives: what is zero within a chunk is not stored, and extents are full. */
static void test_is_as_small_as_an_archive(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    uint8_t piece[65536];
    uint64_t plain = 0;
    add(&m, "scsi0", 100 << 20);
    memset(m.drives[0].bytes, 0, m.drives[0].size);
    m.drives[0].bytes[(1 << 20) + 5000] = 1;
    m.drives[0].bytes[(77 << 20) + 5000] = 1;
    make(f, &m);
    struct snapshot_image *image = must_open(m.path);
    uint64_t header = g_bytes_get_size(image->header), extents = (1600 + 58) / 59 + 1;
    g_autoptr(source_t) source = snapshot_image_source(image);
    for (ssize_t n; (n = source_read(source, piece, sizeof piece, NULL)) > 0;)
        plain += (uint64_t)n;
    g_assert_cmpint(plain, ==, header + extents * 512 + 2 * 4096);
    g_assert_cmpint(source_size(source), ==, 2 << 20);
    clear(&m);
}

/* ---- damage ---- */

static void test_chunk_is_missing(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    struct reading r;
    add(&m, "scsi0", 20 << 20);
    add(&m, "scsi1", 3 << 20);
    for (unsigned i = 0; i < 20; i++)
        m.drives[0].bytes[(i << 20) + 77] = (uint8_t)(i + 1); /* all differ */
    make(f, &m);
    g_autofree char *first = file_of(f, &m, 0, 4 << 20), *second = file_of(f, &m, 0, 5 << 20);
    g_assert_cmpint(unlink(first), ==, 0);
    must_write(second, "x", 1);
    read_all(&r, &m);
    g_assert_cmpint(r.n_damaged, ==, 2);
    g_assert_cmpint(r.lost, ==, 2 << 20);
    must_equal(&r, 0, 0, 4 << 20);
    must_equal(&r, 0, 6 << 20, 20 << 20);
    must_equal(&r, 1, 0, 3 << 20);
    g_assert_cmpint(r.got[0][4 << 20], ==, 0x55);
    g_assert_nonnull(strstr(r.faults->str, "device scsi0, bytes 4194304 to 5242879: chunk "));
    g_assert_nonnull(strstr(r.faults->str, first));
    g_assert_nonnull(strstr(r.faults->str, "device scsi0, bytes 5242880 to 6291455: chunk "));
    g_assert_nonnull(strstr(r.faults->str, "32 of its 320 clusters are missing, the first is cluster 64"));
    reading_clear(&r);
    clear(&m);
}

static void change_file(const struct made *m, const char *name, size_t at)
{
    g_autofree char *path = g_build_filename(m->path, name, NULL), *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    bytes[at] ^= 1;
    must_write(path, bytes, len);
}

static void test_index_has_changed(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    struct reading r;
    add(&m, "scsi0", 20 << 20);
    add(&m, "scsi1", 3 << 20);
    make(f, &m);
    change_file(&m, "scsi0.caibx", 64 + 40 * 2 + 8); /* the name of the third chunk */
    read_all(&r, &m);
    g_assert_cmpint(r.n_damaged, ==, 2); /* the index, and the chunk that it names now */
    g_assert_nonnull(strstr(r.faults->str, "device scsi0: index "));
    must_equal(&r, 0, 0, 2 << 20);
    must_equal(&r, 0, 3 << 20, 20 << 20);
    must_equal(&r, 1, 0, 3 << 20);
    reading_clear(&r);
    clear(&m);
}

static void test_index_is_missing(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    struct reading r;
    add(&m, "scsi0", 2 << 20);
    add(&m, "scsi1", 3 << 20);
    make(f, &m);
    g_autofree char *path = g_build_filename(m.path, "scsi0.caibx", NULL);
    g_assert_cmpint(unlink(path), ==, 0);
    read_all(&r, &m);
    g_assert_cmpint(r.n_damaged, ==, 1);
    g_assert_nonnull(strstr(r.faults->str, "device scsi0: index "));
    must_equal(&r, 1, 0, 3 << 20);
    reading_clear(&r);
    clear(&m);
}

static void test_configuration_has_changed(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    struct reading r;
    add(&m, "scsi0", 2 << 20);
    make(f, &m);
    change_file(&m, "x.conf", 0);
    read_all(&r, &m);
    g_assert_cmpstr(r.faults->str, ==, "configuration x.conf: its file is missing, or was changed\n");
    must_equal(&r, 0, 0, 2 << 20);
    reading_clear(&r);
    clear(&m);
}

static void test_json_is_damaged(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    g_autoptr(GError) error = NULL;
    add(&m, "scsi0", 2 << 20);
    make(f, &m);
    change_file(&m, SNAPSHOT_FILE, 40);
    g_assert_null(archive_open_source(m.path, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    clear(&m);
}

/* ---- at any place ---- */

static struct vma_index_run must_run(const struct snapshot_image *image, uint64_t offset, uint64_t max, uint64_t len,
                                     bool is_data)
{
    struct vma_index_run run = snapshot_image_run(image, 1, offset, max);
    g_assert_cmpint(run.len, ==, len);
    g_assert_cmpint(run.at != 0, ==, is_data);
    return run;
}

/* By the index alone: no file is there. */
static void test_runs_of_16_tib(void)
{
    const uint64_t tib = UINT64_C(1) << 40, mib = 1 << 20;
    struct snapshot_device scsi0 = {.name = (char *)"scsi0", .size = 16 * tib - 512};
    struct image_device d = {.dev_id = 1, .is = &scsi0, .base = mib};
    g_autoptr(GPtrArray) devices = g_ptr_array_new();
    struct snapshot_image image = {.devices = devices};
    struct chunk_id id = {{1}};
    d.index = chunk_index_new(scsi0.size, mib);
    g_ptr_array_add(devices, &d);
    chunk_index_set(d.index, 15 * 1048576, &id);
    chunk_index_set(d.index, 15 * 1048576 + 1, &id);
    chunk_index_set(d.index, d.index->n - 1, &id);
    must_run(&image, 0, scsi0.size, 15 * tib, false);
    must_run(&image, 12345, 1000, 1000, false);
    struct vma_index_run run = must_run(&image, 15 * tib + 5, 8 * mib, 2 * mib - 5, true);
    g_assert_cmpint(run.at, ==, d.base + 15 * tib + 5);
    must_run(&image, 15 * tib + 2 * mib - 1, 100, 1, true);
    must_run(&image, 15 * tib + 2 * mib, scsi0.size, tib - 3 * mib, false);
    must_run(&image, scsi0.size - 1000, 1000, 1000, true);
    must_run(&image, 16 * tib - mib, mib - 512, mib - 512, true);
    chunk_index_free(d.index);
}

struct asking {
    uv_loop_t loop;
    int error, n_done;
    GString *faults;
};

static void on_read(void *user, int error)
{
    struct asking *a = user;
    a->error = error;
    a->n_done++;
}

static void on_random_fault(void *user, const char *text)
{
    g_string_append_printf(((struct asking *)user)->faults, "%s\n", text);
}

/* The status of reading this range of a drive. */
static int ask(struct asking *a, struct random *r, const struct snapshot_image *image, int dev_id, uint64_t offset,
               size_t len, uint8_t *to)
{
    int n = a->n_done;
    struct vma_index_run run = snapshot_image_run(image, dev_id, offset, len);
    g_assert_cmpint(run.len, ==, len);
    random_read(r, &(struct random_piece){run.at, len, to}, 1, on_read, a);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(a->n_done, ==, n + 1);
    return a->error;
}

static void test_any_place(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 64 << 10};
    struct asking a = {.faults = g_string_new(NULL)};
    g_autofree uint8_t *to = g_malloc(1 << 20);
    add(&m, "scsi0", (1 << 20) - 512);
    add(&m, "scsi1", (1 << 20) - 512);
    make(f, &m);
    uv_loop_init(&a.loop);
    struct snapshot_image *image = must_open(m.path);
    struct random *r = snapshot_image_random(image);
    random_start(r, &a.loop, on_random_fault, &a);
    for (int id = 1; id <= 2; id++) {
        const struct drive *d = &m.drives[id - 1];
        g_assert_cmpint(ask(&a, r, image, id, 0, d->size, to), ==, 0);
        g_assert_cmpmem(to, d->size, d->bytes, d->size);
        g_assert_cmpint(ask(&a, r, image, id, 65000, 1000, to), ==, 0);
        g_assert_cmpmem(to, 1000, d->bytes + 65000, 1000);
        g_assert_cmpint(ask(&a, r, image, id, d->size - 1, 1, to), ==, 0);
        g_assert_cmpint(to[0], ==, 0xee);
    }
    random_free(r);
    g_assert_cmpstr(a.faults->str, ==, "");
    g_assert_cmpint(uv_loop_close(&a.loop), ==, 0);
    g_string_free(a.faults, TRUE);
    clear(&m);
}

static void test_any_place_but_one(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 64 << 10};
    struct asking a = {.faults = g_string_new(NULL)};
    g_autofree uint8_t *to = g_malloc(1 << 20);
    add(&m, "scsi0", 1 << 20);
    make(f, &m);
    g_autofree char *gone = file_of(f, &m, 0, 128 << 10);
    g_assert_cmpint(unlink(gone), ==, 0);
    uv_loop_init(&a.loop);
    struct snapshot_image *image = must_open(m.path);
    struct random *r = snapshot_image_random(image);
    random_start(r, &a.loop, on_random_fault, &a);
    g_assert_cmpint(ask(&a, r, image, 1, 100 << 10, 100 << 10, to), !=, 0);
    g_assert_nonnull(strstr(a.faults->str, "device scsi0, bytes 131072 to 196607: chunk "));
    g_assert_cmpint(ask(&a, r, image, 1, 192 << 10, 100 << 10, to), ==, 0);
    g_assert_cmpmem(to, 100 << 10, m.drives[0].bytes + (192 << 10), 100 << 10);
    random_free(r);
    g_assert_cmpint(uv_loop_close(&a.loop), ==, 0);
    g_string_free(a.faults, TRUE);
    clear(&m);
}

/* ---- what it is ---- */

static void test_what_it_is(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *nowhere = g_build_filename(f->folder, "a", "b", "c", NULL);
    g_autofree char *json = g_build_filename(nowhere, SNAPSHOT_FILE, NULL);
    g_assert_null(archive_open_source(f->dir, &error));
    g_assert_nonnull(strstr(error->message, "name a snapshot"));
    g_clear_error(&error);
    g_assert_cmpint(g_mkdir_with_parents(nowhere, 0700), ==, 0);
    g_assert_null(archive_open_source(nowhere, &error));
    g_assert_nonnull(strstr(error->message, "directory"));
    g_clear_error(&error);
    must_write(json, "{}", 2);
    g_assert_null(archive_open_source(nowhere, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "in no store"));
}

/* Nothing is collected while it is read. */
static void test_lock(struct store_fixture *f, gconstpointer data)
{
    struct made m = {.chunk = 1 << 20};
    g_autoptr(GError) error = NULL;
    add(&m, "scsi0", 2 << 20);
    make(f, &m);
    g_clear_pointer(&f->store, store_free);
    struct source *source = archive_open_source(m.path, NULL);
    g_assert_nonnull(source);
    g_assert_null(store_open(f->dir, STORE_EXCLUSIVE, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_HELD);
    source_free(source);
    f->store = store_open(f->dir, STORE_EXCLUSIVE, NULL);
    g_assert_nonnull(f->store);
    clear(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/image/sizes", test_sizes);
    STORE_TEST("/store/image/is-as-small-as-an-archive", test_is_as_small_as_an_archive);
    STORE_TEST("/store/image/chunk-is-missing", test_chunk_is_missing);
    STORE_TEST("/store/image/index-has-changed", test_index_has_changed);
    STORE_TEST("/store/image/index-is-missing", test_index_is_missing);
    STORE_TEST("/store/image/configuration-has-changed", test_configuration_has_changed);
    STORE_TEST("/store/image/json-is-damaged", test_json_is_damaged);
    g_test_add_func("/store/image/runs-of-16-tib", test_runs_of_16_tib);
    STORE_TEST("/store/image/any-place", test_any_place);
    STORE_TEST("/store/image/any-place-but-one", test_any_place_but_one);
    STORE_TEST("/store/image/what-it-is", test_what_it_is);
    STORE_TEST("/store/image/lock", test_lock);
    return g_test_run();
}
