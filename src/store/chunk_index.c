// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/chunk_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/le.h"
#include "base/text.h"
#include "store/durable.h"
#include "vma/format.h"

/* casync's caformat.h */
#define INDEX_MAGIC 0x96824d9c7b129ff9u
#define TABLE_MAGIC 0xe75b9e112f17417du
#define TAIL_MAGIC  0x4b4f050e5549ecd1u
#define FLAG_NODUMP 0x8000000000000000u /* always set for blobs */
#define FLAG_SHA512 0x2000000000000000u
#define INDEX_SIZE  48u
#define HEAD_SIZE   64u
#define ITEM_SIZE   40u
#define BUFFERED    1024u /* items read and written at a time */

/* ---- in memory ---- */

static uint64_t count_of(uint64_t size, uint32_t chunk_bytes)
{
    return size / chunk_bytes + (size % chunk_bytes > 0);
}

static void set_size(struct chunk_index *x, uint64_t size)
{
    x->size = size;
    x->n = count_of(size, x->chunk_bytes);
    chunk_id_of_zeros(x->n ? chunk_index_len(x, x->n - 1) : 0, &x->end_zeros);
}

static struct chunk_index *new_empty(uint32_t chunk_bytes)
{
    struct chunk_index *x = g_new0(struct chunk_index, 1);
    x->chunk_bytes = chunk_bytes;
    chunk_id_of_zeros(chunk_bytes, &x->zeros);
    return x;
}

struct chunk_index *chunk_index_new(uint64_t size, uint32_t chunk_bytes)
{
    g_autoptr(chunk_index) x = new_empty(chunk_bytes);
    return chunk_index_resize(x, size) ? g_steal_pointer(&x) : NULL;
}

void chunk_index_free(struct chunk_index *x)
{
    if (x)
        g_free(x->ids);
    g_free(x);
}

uint32_t chunk_index_len(const struct chunk_index *x, uint64_t i)
{
    return (uint32_t)MIN(x->chunk_bytes, x->size - i * x->chunk_bytes);
}

static const struct chunk_id *zeros_at(const struct chunk_index *x, uint64_t i)
{
    return i + 1 < x->n ? &x->zeros : &x->end_zeros;
}

bool chunk_index_is_zeros(const struct chunk_index *x, uint64_t i)
{
    return chunk_id_equal(&x->ids[i], zeros_at(x, i));
}

void chunk_index_set(struct chunk_index *x, uint64_t i, const struct chunk_id *id)
{
    x->ids[i] = *id;
}

bool chunk_index_resize(struct chunk_index *x, uint64_t size)
{
    uint64_t n = count_of(size, x->chunk_bytes), kept = MIN(x->n, n);
    bool was_zeros = kept && chunk_index_is_zeros(x, kept - 1);
    struct chunk_id *ids = g_try_renew(struct chunk_id, x->ids, n);
    if (n && !ids)
        return false;
    x->ids = ids;
    set_size(x, size);
    for (uint64_t i = was_zeros ? kept - 1 : kept; i < n; i++) /* one that was the last may be a whole one now */
        x->ids[i] = *zeros_at(x, i);
    return true;
}

/* ---- writing ---- */

static void make_head(const struct chunk_index *x, uint8_t head[HEAD_SIZE])
{
    le64_put(head, INDEX_SIZE);
    le64_put(head + 8, INDEX_MAGIC);
    le64_put(head + 16, FLAG_NODUMP);
    for (unsigned at = 24; at < INDEX_SIZE; at += 8) /* least, average, most */
        le64_put(head + at, x->chunk_bytes);
    le64_put(head + 48, UINT64_MAX);
    le64_put(head + 56, TABLE_MAGIC);
}

static void make_tail(uint64_t n, uint8_t tail[ITEM_SIZE])
{
    memset(tail, 0, ITEM_SIZE);
    le64_put(tail + 16, INDEX_SIZE);
    le64_put(tail + 24, 16 + ITEM_SIZE * n + ITEM_SIZE);
    le64_put(tail + 32, TAIL_MAGIC);
}

static uint64_t end_of(const struct chunk_index *x, uint64_t i)
{
    return i * x->chunk_bytes + chunk_index_len(x, i);
}

static int write_items(const struct chunk_index *x, int fd)
{
    g_autofree uint8_t *items = g_malloc(BUFFERED * ITEM_SIZE);
    int failed = 0;
    for (uint64_t i = 0; i < x->n && !failed;) {
        uint8_t *to = items;
        for (; i < x->n && to < items + BUFFERED * ITEM_SIZE; i++, to += ITEM_SIZE) {
            le64_put(to, end_of(x, i));
            memcpy(to + 8, x->ids[i].bytes, CHUNK_ID_BYTES);
        }
        failed = durable_write_all(fd, items, (size_t)(to - items));
    }
    return failed;
}

bool chunk_index_write(const struct chunk_index *x, int fd, GError **error)
{
    uint8_t head[HEAD_SIZE], tail[ITEM_SIZE];
    make_head(x, head);
    make_tail(x->n, tail);
    int failed = durable_write_all(fd, head, sizeof head);
    failed = failed ? failed : write_items(x, fd);
    failed = failed ? failed : durable_write_all(fd, tail, sizeof tail);
    return !failed || durable_fail(error, "index", NULL, "cannot be written", failed);
}

/* ---- reading ---- */

struct reading {
    FILE *file;
    uint64_t size, at, room;
    struct chunk_id_sum *sum; /* of what was taken */
    struct chunk_index *x;
    GError **error;
};

static bool damaged(struct reading *r, uint64_t at, const char *what)
{
    return vmb_fail(r->error, VMB_ERROR_DAMAGED, "%s (byte %" G_GUINT64_FORMAT ")", what, at);
}

static bool take(struct reading *r, void *to, size_t len)
{
    if (fread(to, 1, len, r->file) == len) {
        chunk_id_add(r->sum, to, len);
        r->at += len;
        return true;
    }
    if (ferror(r->file))
        return vmb_fail(r->error, vmb_error_of_read(errno), "cannot be read: %s", g_strerror(errno));
    return damaged(r, r->at, "ends early");
}

static bool read_head(struct reading *r)
{
    uint8_t head[HEAD_SIZE];
    if (!take(r, head, sizeof head))
        return false;
    uint64_t chunk = le64_get(head + 24);
    if (le64_get(head) != INDEX_SIZE || le64_get(head + 8) != INDEX_MAGIC)
        return damaged(r, 0, "no index of a blob (.caibx)");
    if (le64_get(head + 16) & FLAG_SHA512)
        return damaged(r, 16, "its chunks are not named by SHA-256");
    if (le64_get(head + 32) != chunk || le64_get(head + 40) != chunk || !chunk_id_is_size(chunk))
        return damaged(r, 24, "its chunks are not all of one size, a power of two from 64 KiB to 16 MiB");
    if (le64_get(head + 48) != UINT64_MAX || le64_get(head + 56) != TABLE_MAGIC)
        return damaged(r, 48, "no table of chunks where one should be");
    r->x = new_empty((uint32_t)chunk);
    return true;
}

/* Grows by what was found to be right: a file's length alone, which costs nobody anything, takes no memory. */
static bool add_id(struct reading *r, const uint8_t *item)
{
    struct chunk_index *x = r->x;
    if (x->n == r->room) {
        uint64_t room = MAX(64, r->room * 2);
        struct chunk_id *ids = g_try_renew(struct chunk_id, x->ids, room);
        if (!ids)
            return vmb_fail(r->error, VMB_ERROR_FAILED, "too large for this machine's memory");
        x->ids = ids;
        r->room = room;
    }
    memcpy(x->ids[x->n++].bytes, item + 8, CHUNK_ID_BYTES);
    return true;
}

static bool read_items(struct reading *r, uint64_t n)
{
    uint8_t item[ITEM_SIZE];
    uint64_t end = 0, chunk = r->x->chunk_bytes;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = r->at, start = end;
        if (!take(r, item, sizeof item))
            return false;
        end = le64_get(item);
        if (start != i * chunk || end <= start || end - start > chunk || end > VMA_MAX_DEVICE_SIZE)
            return damaged(r, at, "a chunk is not where it should be");
        if (!add_id(r, item))
            return false;
    }
    set_size(r->x, end);
    return true;
}

static bool read_tail(struct reading *r, uint64_t n)
{
    uint8_t tail[ITEM_SIZE], expected[ITEM_SIZE];
    uint64_t at = r->at;
    make_tail(n, expected);
    return take(r, tail, sizeof tail) && (!memcmp(tail, expected, sizeof tail) || damaged(r, at, "its end is wrong"));
}

static bool read_all(struct reading *r)
{
    if (r->size < HEAD_SIZE + ITEM_SIZE || (r->size - HEAD_SIZE) % ITEM_SIZE)
        return damaged(r, r->size, "its length is none that an index has");
    uint64_t n = (r->size - HEAD_SIZE) / ITEM_SIZE - 1;
    return read_head(r) && read_items(r, n) && read_tail(r, n);
}

static FILE *open_file(const char *path, uint64_t *size, GError **error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* it might be a FIFO */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file)
        return vmb_null(error, errno == ENOENT ? VMB_ERROR_DAMAGED : VMB_ERROR_FAILED, "cannot be opened: %s",
                        g_strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (uint64_t)st.st_size;
        return file;
    }
    fclose(file);
    return vmb_null(error, VMB_ERROR_DAMAGED, "not a file");
}

struct chunk_index *chunk_index_load(const char *path, GError **error)
{
    struct reading r = {.sum = chunk_id_begin(), .error = error};
    g_autofree char *safe = text_make_safe(path);
    r.file = open_file(path, &r.size, error);
    bool ok = r.file && read_all(&r);
    if (r.file)
        fclose(r.file);
    chunk_id_end(r.sum, ok ? &r.x->file : NULL);
    if (ok)
        return r.x;
    chunk_index_free(r.x);
    g_prefix_error(error, "index %s: ", safe);
    return NULL;
}
