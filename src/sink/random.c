// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zstd.h>

#include "base/error.h"
#include "base/transfer.h"
#include "sink/frame.h"
#include "sink/padding.h"
#include "sink/parts.h"
#include "sink/seek_table_reader.h"
#include "sink/source.h"

#define SKIM_BYTES (8u << 10) /* read at once: headers of extents that store nothing stand close together */

struct random {
    int fd;
    uint64_t size;       /* of the plain archive; of a device, all of it */
    uint64_t padding_at; /* of a plain file: zeros from here on */
    bool is_device;
    int cached_flags; /* of preadv2(), to read what needs no waiting */
    uv_loop_t *loop;
    /* Not a plain file: */
    const struct random_ops *ops;
    void *ops_user;
    struct parts *parts;
    /* A plain file: what skimming has read last. */
    uint8_t skimmed[SKIM_BYTES];
    uint64_t skimmed_at;
    size_t skimmed_len;
    /* Packed (else NULL): the frame under way in skimming. */
    struct seek_table_reader *table;
    ZSTD_DCtx *context;
    struct seek_frame frame;
    bool is_in_frame;
    uint64_t frame_plain;  /* of it, unpacked so far */
    uint64_t frame_packed; /* of it, used so far */
};

/* ---- zstd frames as parts ---- */

static bool find_frame(void *user, uint64_t offset, struct random_part *part)
{
    struct seek_frame f;
    if (!seek_table_reader_find(((struct random *)user)->table, offset, &f))
        return false;
    *part = (struct random_part){f.index, f.plain_at, f.plain_len};
    return true;
}

static char *load_frame(void *user, const struct random_part *part, uint8_t *to)
{
    const struct random *r = user;
    struct seek_frame f = seek_table_reader_frame(r->table, (uint32_t)part->index);
    g_autofree uint8_t *packed = g_malloc(f.packed_len);
    int wrong = transfer_read(r->fd, packed, f.packed_len, f.packed_at);
    if (wrong)
        return g_strdup_printf("zstd frame %u cannot be read: %s", f.index + 1,
                               wrong == ENODATA ? "the file has become shorter" : g_strerror(wrong));
    size_t n = ZSTD_decompress(to, f.plain_len, packed, f.packed_len);
    if (n == f.plain_len)
        return NULL;
    return g_strdup_printf("zstd frame %u, from byte %" G_GUINT64_FORMAT " of the file on, is damaged (%s)",
                           f.index + 1, f.packed_at, ZSTD_isError(n) ? ZSTD_getErrorName(n) : "its length is wrong");
}

static const struct random_ops packed_ops = {.find = find_frame, .load = load_frame};

/* ---- opening ---- */

static bool refuse(GError **error, const char *why)
{
    return vmb_fail(error, VMB_ERROR_FAILED, "it cannot be read at random: %s", why);
}

static bool check_form(const char *path, bool *is_packed, GError **error)
{
    g_autoptr(source_t) s = source_open(path, error);
    if (!s)
        return false;
    if (!strcmp(path, "-"))
        return refuse(error, "standard input comes only once; store it as a file");
    *is_packed = source_form(s) != SOURCE_PLAIN;
    switch (source_form(s)) {
    case SOURCE_PLAIN:
    case SOURCE_ZSTD:
        return true;
    case SOURCE_GZIP:
        return refuse(error, "gzip has no index; unpack it first: gzip -dc FILE > FILE.vma");
    case SOURCE_LZOP:
        return refuse(error, "lzop has no index; unpack it first: lzop -dc FILE > FILE.vma");
    case SOURCE_STORE:
        break;
    }
    return false;
}

static bool check_frames(const struct seek_table_reader *t, GError **error)
{
    for (uint32_t i = 0; i < seek_table_reader_count(t); i++)
        if (seek_table_reader_frame(t, i).plain_len > RANDOM_MAX_FRAME_BYTES)
            return refuse(error, "its zstd frames are too large; unpack it first: zstd -d FILE");
    return true;
}

/* A device goes on behind its archive. 0: where that ends is not known. */
static uint64_t end_of_packed(const struct random *r)
{
    uint8_t first[FRAME_LENGTH_SIZE];
    uint64_t end;
    if (!r->is_device)
        return r->size;
    if (pread(r->fd, first, sizeof first, 0) != (ssize_t)sizeof first)
        return 0;
    end = frame_read_length(first);
    return end <= r->size ? end : 0;
}

static bool load_table(struct random *r, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    r->table = seek_table_reader_load(r->fd, end_of_packed(r), &wrong);
    if (wrong) {
        g_propagate_error(error, g_steal_pointer(&wrong));
        return false;
    }
    if (!r->table && r->is_device)
        return refuse(error, "another program put it there, packed, so that its seek table cannot be found; "
                             "extract it, or unpack it first");
    if (!r->table)
        return refuse(error, "it has no seek table, so another program packed it; unpack it first: zstd -d FILE");
    r->size = seek_table_reader_plain_size(r->table);
    r->context = ZSTD_createDCtx();
    r->ops = &packed_ops;
    r->ops_user = r;
    return check_frames(r->table, error);
}

/* On tmpfs nothing waits, and nothing can be asked not to. */
static bool is_in_memory(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static bool open_file(struct random *r, const char *path, GError **error)
{
    struct stat st;
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &st))
        return vmb_fail(error, VMB_ERROR_FAILED, "cannot be opened: %s", g_strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return refuse(error, "it is no file; store it as one");
    r->size = (uint64_t)lseek(r->fd, 0, SEEK_END);
    r->is_device = S_ISBLK(st.st_mode);
    r->padding_at = r->is_device ? r->size : padding_start(r->fd, r->size);
    r->cached_flags = is_in_memory(r->fd) ? 0 : RWF_NOWAIT;
    return true;
}

struct random *random_open(const char *path, GError **error)
{
    bool is_packed = false;
    if (!check_form(path, &is_packed, error))
        return NULL;
    struct random *r = g_new0(struct random, 1);
    if (open_file(r, path, error) && (!is_packed || load_table(r, error)))
        return r;
    random_free(r);
    return NULL;
}

struct random *random_of_parts(const struct random_ops *ops, void *user, uint64_t size)
{
    struct random *r = g_new0(struct random, 1);
    r->fd = -1;
    r->ops = ops;
    r->ops_user = user;
    r->size = size;
    return r;
}

void random_free(struct random *r)
{
    if (!r)
        return;
    parts_free(r->parts);
    if (r->ops && r->ops->free)
        r->ops->free(r->ops_user);
    seek_table_reader_free(r->table);
    ZSTD_freeDCtx(r->context);
    if (r->fd >= 0)
        close(r->fd);
    g_free(r);
}

uint64_t random_size(const struct random *r)
{
    return r->size;
}

bool random_is_device(const struct random *r)
{
    return r->is_device;
}

/* ---- skimming ---- */

static bool fail_short(GError **error)
{
    return vmb_fail(error, VMB_ERROR_DAMAGED, "the archive is cut short");
}

static bool fail_read(GError **error)
{
    return vmb_fail(error, VMB_ERROR_FAILED, "cannot be read: %s", g_strerror(errno));
}

static bool skim_plain(struct random *r, uint64_t offset, uint8_t *to, size_t len, GError **error)
{
    while (len) {
        if (offset < r->skimmed_at || offset >= r->skimmed_at + r->skimmed_len) {
            ssize_t n = pread(r->fd, r->skimmed, SKIM_BYTES, (off_t)offset);
            if (n <= 0)
                return n ? fail_read(error) : fail_short(error);
            r->skimmed_at = offset;
            r->skimmed_len = (size_t)n;
        }
        size_t at = (size_t)(offset - r->skimmed_at), n = MIN(len, r->skimmed_len - at);
        memcpy(to, r->skimmed + at, n);
        to += n;
        offset += n;
        len -= n;
    }
    return true;
}

static bool fail_frame(const struct random *r, const char *why, GError **error)
{
    return vmb_fail(error, VMB_ERROR_DAMAGED, "zstd frame %u, from byte %" G_GUINT64_FORMAT " of the file on, is %s",
                    r->frame.index + 1, r->frame.packed_at, why);
}

/* The next bytes of the frame under way, to `to`, or nowhere (NULL). */
static bool unpack_next(struct random *r, uint8_t *to, size_t len, GError **error)
{
    uint8_t nowhere[SKIM_BYTES];
    while (len) {
        ZSTD_outBuffer out = {to ? to : nowhere, to ? len : MIN(len, sizeof nowhere), 0};
        size_t want = MIN(SKIM_BYTES, r->frame.packed_len - r->frame_packed);
        ssize_t n = pread(r->fd, r->skimmed, want, (off_t)(r->frame.packed_at + r->frame_packed));
        if (n < 0)
            return fail_read(error);
        ZSTD_inBuffer in = {r->skimmed, (size_t)n, 0};
        size_t code = ZSTD_decompressStream(r->context, &out, &in);
        if (ZSTD_isError(code))
            return fail_frame(r, "damaged", error);
        if (!out.pos && (!in.pos || code == 0))
            return fail_frame(r, "cut short", error);
        r->frame_packed += in.pos;
        r->frame_plain += out.pos;
        to = to ? to + out.pos : NULL;
        len -= out.pos;
    }
    return true;
}

static bool skim_packed(struct random *r, uint64_t offset, uint8_t *to, size_t len, GError **error)
{
    while (len) {
        bool is_ahead = r->is_in_frame && offset >= r->frame.plain_at + r->frame_plain &&
                        offset < r->frame.plain_at + r->frame.plain_len;
        if (!is_ahead) {
            if (!seek_table_reader_find(r->table, offset, &r->frame))
                return fail_short(error);
            ZSTD_DCtx_reset(r->context, ZSTD_reset_session_only);
            r->is_in_frame = true;
            r->frame_plain = r->frame_packed = 0;
        }
        uint64_t skip = offset - r->frame.plain_at - r->frame_plain;
        size_t n = (size_t)MIN(len, r->frame.plain_at + r->frame.plain_len - offset);
        if (!unpack_next(r, NULL, skip, error) || !unpack_next(r, to, n, error)) {
            r->is_in_frame = false;
            return false;
        }
        to += n;
        offset += n;
        len -= n;
    }
    return true;
}

bool random_skim(struct random *r, uint64_t offset, void *to, size_t len, GError **error)
{
    return r->table ? skim_packed(r, offset, to, len, error) : skim_plain(r, offset, to, len, error);
}

/* Packed: only of an archive that was padded before it was packed. */
bool random_is_padding(struct random *r, uint64_t offset, GError **error)
{
    uint8_t bytes[SKIM_BYTES];
    if (!r->table)
        return offset >= r->padding_at;
    for (size_t n; offset < r->size; offset += n) {
        n = (size_t)MIN(sizeof bytes, r->size - offset);
        if (!random_skim(r, offset, bytes, n, error) || padding_run(bytes, n) < n)
            return false;
    }
    return true;
}

/* ---- reading ---- */

struct reading {
    struct random *random;
    random_done done;
    void *user;
    uv_work_t work;
    unsigned n_left; /* of parts: copies that are to come, and one for the call that asks for them */
    int error;
    unsigned n;
    struct random_piece pieces[];
};

void random_start(struct random *r, uv_loop_t *loop, random_fault fault, void *user)
{
    r->loop = loop;
    if (r->ops)
        r->parts = parts_new(loop, r->ops, r->ops_user, fault, user);
}

/* What lies in the page cache needs no thread: a copy is quicker than a message. */
static bool read_cached(const struct random *r, const struct random_piece *pieces, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct iovec to = {pieces[i].to, pieces[i].len};
        if (preadv2(r->fd, &to, 1, (off_t)pieces[i].offset, r->cached_flags) != (ssize_t)pieces[i].len)
            return false;
    }
    return true;
}

static void read_in_worker(uv_work_t *work)
{
    struct reading *x = work->data;
    for (unsigned i = 0; i < x->n && !x->error; i++)
        x->error = transfer_read(x->random->fd, x->pieces[i].to, x->pieces[i].len, x->pieces[i].offset);
    if (x->error == ENODATA)
        x->error = EIO;
}

static void on_read(uv_work_t *work, int status)
{
    struct reading *x = work->data;
    x->done(x->user, x->error);
    g_free(x);
}

static void on_copied(void *user, int error)
{
    struct reading *x = user;
    if (error)
        x->error = error;
    if (--x->n_left > 0)
        return;
    x->done(x->user, x->error);
    g_free(x);
}

static void copy_piece(struct reading *x, struct random_piece p)
{
    const struct random *r = x->random;
    struct random_part part;
    while (p.len) {
        if (!r->ops->find(r->ops_user, p.offset, &part)) {
            x->error = EIO;
            return;
        }
        size_t at = (size_t)(p.offset - part.at), n = MIN(p.len, part.len - at);
        x->n_left++;
        parts_copy(r->parts, &part, at, n, p.to, on_copied, x);
        p.to += n;
        p.offset += n;
        p.len -= n;
    }
}

void random_read(struct random *r, const struct random_piece *pieces, unsigned n, random_done done, void *user)
{
    if (!r->ops && read_cached(r, pieces, n)) {
        done(user, 0);
        return;
    }
    struct reading *x = g_malloc0(sizeof *x + n * sizeof *pieces);
    x->random = r;
    x->done = done;
    x->user = user;
    x->work.data = x;
    x->n = n;
    memcpy(x->pieces, pieces, n * sizeof *pieces);
    if (!r->ops) {
        uv_queue_work(r->loop, &x->work, read_in_worker, on_read);
        return;
    }
    x->n_left = 1;
    for (unsigned i = 0; i < n; i++)
        copy_piece(x, x->pieces[i]);
    on_copied(x, 0);
}
