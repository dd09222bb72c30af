// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/archive.h"
#include <glob.h>
#include <string.h>
#include "fake/acts.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "vma/verify.h"

struct archive {
    GString *faults;
    uint8_t *images[VMA_MAX_DEVICES];
};

/* What is absent is filled with what no drive holds. */
static bool take_header(void *user, const struct vma_header *h, GError **error)
{
    struct archive *a = user;
    for (unsigned i = 1; i < VMA_MAX_DEVICES; i++) {
        size_t padded = (h->devices[i].size + FAKE_CLUSTER - 1) / FAKE_CLUSTER * FAKE_CLUSTER;
        a->images[i] = memset(g_malloc(padded + 1), 0xee, padded);
    }
    return true;
}

static bool take_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    memcpy(((struct archive *)user)->images[dev_id] + offset, bytes, len);
    return true;
}

static bool take_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    memset(((struct archive *)user)->images[dev_id] + offset, 0, len);
    return true;
}

static void take_fault(void *user, uint64_t offset, const char *text)
{
    g_string_append_printf(((struct archive *)user)->faults, "%s\n", text);
}

static char *compare_drive(const char *name, const uint8_t *image, struct fake_qemu *q, unsigned drive)
{
    for (unsigned at = 0; at < FAKE_DRIVE_SIZE; at++) {
        uint8_t wanted = fake_byte(drive, at / FAKE_CLUSTER, &q->instants[drive]);
        if (image[at] != wanted)
            return g_strdup_printf("%s: byte %u is %u instead of %u", name, at, image[at], wanted);
    }
    return NULL;
}

static char *compare(const struct archive *a, const struct vma_header *h, struct fake_qemu *q, unsigned set,
                     bool has_lost)
{
    for (unsigned drive = 0; drive < q->kind.n_drives; drive++) {
        g_autofree char *name = g_strdup_printf("dev%u", drive);
        bool is_wanted = set & (1u << drive);
        int id = vma_header_find_device(h, name);
        char *wrong = NULL;

        if (id < 0 ? is_wanted : !is_wanted && !has_lost)
            return g_strdup_printf("%s %s", name, id < 0 ? "is not there" : "is there, but lost");
        if (is_wanted && h->devices[id].size != FAKE_DRIVE_SIZE)
            return g_strdup_printf("%s has another size", name);
        if (is_wanted && (wrong = compare_drive(name, a->images[id], q, drive)))
            return wrong;
    }
    return NULL;
}

char *fake_archive_wrong(const char *path, struct fake_qemu *q, unsigned set, bool has_lost)
{
    static const struct vma_walk_ops ops = {take_header, take_data, take_zeroes, take_fault};
    g_autoptr(GString) faults = g_string_new(NULL);
    struct archive a = {.faults = faults};
    g_autoptr(vma_walk) w = vma_walk_new(&ops, &a);
    g_autofree char *bytes = NULL;
    struct vma_verify_result result;
    char *wrong = NULL;
    gsize len;

    if (!g_file_get_contents(path, &bytes, &len, NULL) || !vma_walk_feed(w, (const uint8_t *)bytes, len, NULL) ||
        !vma_walk_end(w, NULL))
        return g_strdup("it cannot be read");
    result = vma_verify_result_of(w);
    if (result.faults || !result.has_end_mark || (result.lost_devices && !has_lost))
        wrong = g_strdup_printf("%snot valid", faults->str);
    else
        wrong = compare(&a, vma_walk_header(w), q, set, has_lost);
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        g_free(a.images[i]);
    return wrong;
}

/* --- in a store --------------------------------------------------------------------------------- */

/* The only path that matches; NULL: there is none. */
static char *find_one(const char *dir, const char *pattern)
{
    g_autofree char *whole = g_build_filename(dir, pattern, NULL);
    glob_t found;
    char *path = NULL;

    if (glob(whole, 0, NULL, &found) == 0) {
        g_assert_cmpuint(found.gl_pathc, ==, 1);
        path = g_strdup(found.gl_pathv[0]);
        globfree(&found);
    }
    return path;
}

bool fake_has_snapshot(const char *dir)
{
    g_autofree char *path = find_one(dir, "*/2*Z");

    return path != NULL;
}

static uint8_t *read_image(const struct store *home, const struct snapshot *s, const struct snapshot_device *d)
{
    g_autoptr(chunk_index) x = snapshot_load_index(s, d, NULL);
    uint8_t *image = g_malloc(d->size);

    for (uint64_t i = 0; x && i < x->n; i++)
        if (!chunk_folder_read(home->chunks, &x->ids[i], image + i * x->chunk_bytes, chunk_index_len(x, i), NULL))
            memset(image + i * x->chunk_bytes, 0xee, chunk_index_len(x, i));
    return image;
}

static char *compare_snapshot(const struct store *home, const struct snapshot *s, struct fake_qemu *q, unsigned set)
{
    char *wrong = NULL;

    for (unsigned drive = 0; drive < q->kind.n_drives && !wrong; drive++) {
        g_autofree char *name = g_strdup_printf("dev%u", drive);
        const struct snapshot_device *d = snapshot_find_device(s, name);
        if (!d != !(set & (1u << drive)))
            return g_strdup_printf("%s %s", name, d ? "is there, but lost" : "is not there");
        g_autofree uint8_t *image = d && d->size == FAKE_DRIVE_SIZE ? read_image(home, s, d) : NULL;
        if (d)
            wrong = image ? compare_drive(name, image, q, drive) : g_strdup_printf("%s has another size", name);
    }
    return wrong;
}

char *fake_snapshot_wrong(const char *dir, struct fake_qemu *q, unsigned set)
{
    g_autofree char *path = find_one(dir, "*/2*Z"), *partial = find_one(dir, "*/.*.partial");
    g_autofree char *nameless = find_one(dir, "chunks.castr/tmp/*");
    g_autoptr(store) home = store_open(dir, STORE_SHARED, NULL);
    g_autoptr(snapshot) s = path && home ? snapshot_load(path, NULL) : NULL;

    if (!s || partial || nameless)
        return g_strdup_printf("%s", !s ? "it cannot be read" : "something is left beside it");
    return compare_snapshot(home, s, q, set);
}
