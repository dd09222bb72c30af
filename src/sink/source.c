// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/error.h"

#define IN_SIZE (256u << 10)

struct source {
    int fd;
    bool is_borrowed; /* standard input */
    enum source_form form;
    uint64_t position, size;

    uint8_t *in; /* read from fd: the start of a plain archive, or compressed bytes */
    size_t in_at, in_len;
    bool is_at_eof;

    ZSTD_DStream *zstd;
    bool is_in_frame; /* the frame under way has not ended */
    GError *fault;    /* met behind bytes that were still good; the next read returns it */
};

static bool fail_errno(GError **error, const char *what)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "%s: %s", what, g_strerror(errno));
    return false;
}

/* read(2) until len bytes are there or the end has come; -1 with error set. */
static ssize_t read_fully(struct source *s, uint8_t *to, size_t len, GError **error)
{
    size_t done = 0;
    while (done < len && !s->is_at_eof) {
        ssize_t n = read(s->fd, to + done, len - done);
        if (n < 0) {
            fail_errno(error, "cannot be read");
            return -1;
        }
        s->is_at_eof = n == 0;
        done += (size_t)n;
        s->position += (uint64_t)n;
    }
    return (ssize_t)done;
}

static bool refill(struct source *s, GError **error)
{
    ssize_t n = read_fully(s, s->in, IN_SIZE, error);
    if (n < 0)
        return false;
    s->in_at = 0;
    s->in_len = (size_t)n;
    return true;
}

/* ---- opening ---- */

static bool starts_with(const struct source *s, const char *magic, size_t len)
{
    return s->in_len >= len && !memcmp(s->in, magic, len);
}

static bool is_zstd(const struct source *s)
{
    bool is_skippable = s->in_len >= 4 && (s->in[0] & 0xf0) == 0x50 && !memcmp(s->in + 1, "\x2a\x4d\x18", 3);
    return is_skippable || starts_with(s, "\x28\xb5\x2f\xfd", 4);
}

static bool recognize(struct source *s, GError **error)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *name, *command;
    } foreign[] = {
        {"\x1f\x8b", 2, "gzip", "gzip -dc"},
        {"\x89LZO\0\r\n\x1a\n", 9, "lzop", "lzop -dc"},
        {"\xfd"
         "7zXZ\0",
         6, "xz", "xz -dc"},
        {"BZh", 3, "bzip2", "bzip2 -dc"},
        {"\x04\x22\x4d\x18", 4, "lz4", "lz4 -dc"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(foreign); i++)
        if (starts_with(s, foreign[i].magic, foreign[i].len)) {
            g_set_error(
                error, VMB_ERROR, VMB_ERROR_FAILED,
                "it is compressed with %s, which is not read directly; pipe it: %s FILE | vmabackup … -",
                foreign[i].name, foreign[i].command);
            return false;
        }
    s->form = is_zstd(s) ? SOURCE_ZSTD : SOURCE_PLAIN;
    if (s->form == SOURCE_ZSTD)
        s->zstd = ZSTD_createDStream();
    return true;
}

static bool open_file(struct source *s, const char *path, GError **error)
{
    struct stat st;
    s->is_borrowed = !strcmp(path, "-");
    s->fd = s->is_borrowed ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0 || fstat(s->fd, &st))
        return fail_errno(error, "cannot be opened");
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail_errno(error, "cannot be read");
    }
    if (S_ISREG(st.st_mode)) {
        s->size = (uint64_t)st.st_size;
        posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return true;
}

struct source *source_open(const char *path, GError **error)
{
    g_autoptr(source_t) s = g_new0(struct source, 1);
    s->in = g_malloc(IN_SIZE);
    if (!open_file(s, path, error) || !refill(s, error) || !recognize(s, error))
        return NULL;
    return g_steal_pointer(&s);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    if (!s->is_borrowed && s->fd >= 0)
        close(s->fd);
    ZSTD_freeDStream(s->zstd);
    g_clear_error(&s->fault);
    g_free(s->in);
    g_free(s);
}

/* ---- reading ---- */

static ssize_t read_plain(struct source *s, uint8_t *to, size_t len, GError **error)
{
    size_t n = MIN(len, s->in_len - s->in_at); /* what was read to recognize it */
    memcpy(to, s->in + s->in_at, n);
    s->in_at += n;
    ssize_t more = read_fully(s, to + n, len - n, error);
    return more < 0 ? -1 : (ssize_t)n + more;
}

static bool fail_zstd(size_t code, GError **error)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "its compressed data is damaged (zstd: %s)",
                ZSTD_getErrorName(code));
    return false;
}

/* One step of the decompressor: takes from `in`, adds to `out`. False at the end (no error set) or on errors.
 */
static bool decompress_step(struct source *s, ZSTD_outBuffer *out, GError **error)
{
    if (s->in_at == s->in_len && !refill(s, error))
        return false;
    ZSTD_inBuffer in = {s->in, s->in_len, s->in_at};
    size_t had = out->pos, code = ZSTD_decompressStream(s->zstd, out, &in);
    bool has_moved = in.pos > s->in_at || out->pos > had;
    s->in_at = in.pos;
    if (ZSTD_isError(code))
        return fail_zstd(code, error);
    if (has_moved) /* 0: the frame is over, and another may follow */
        s->is_in_frame = code != 0;
    else if (s->is_in_frame)
        g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                    "it is cut short: its compressed data ends in the middle");
    return has_moved;
}

static ssize_t read_zstd(struct source *s, void *to, size_t len, GError **error)
{
    ZSTD_outBuffer out = {to, len, 0};
    while (!s->fault && out.pos < out.size && decompress_step(s, &out, &s->fault))
        ;
    if (!s->fault || out.pos)
        return (ssize_t)out.pos;
    g_propagate_error(error, g_error_copy(s->fault));
    return -1;
}

ssize_t source_read(void *source, void *buffer, size_t len, GError **error)
{
    struct source *s = source;
    return s->form == SOURCE_ZSTD ? read_zstd(s, buffer, len, error) : read_plain(s, buffer, len, error);
}

enum source_form source_form(const struct source *s)
{
    return s->form;
}

uint64_t source_position(const struct source *s)
{
    return s->position;
}

uint64_t source_size(const struct source *s)
{
    return s->size;
}
