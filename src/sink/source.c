// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/source.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
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

    ZSTD_DStream *zstd; /* or: */
    GConverter *gzip;
    bool is_in_frame; /* the zstd frame or gzip member under way has not ended */
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

static enum source_form form_of(const struct source *s)
{
    bool is_skippable = s->in_len >= 4 && (s->in[0] & 0xf0) == 0x50 && !memcmp(s->in + 1, "\x2a\x4d\x18", 3);
    if (is_skippable || starts_with(s, "\x28\xb5\x2f\xfd", 4))
        return SOURCE_ZSTD;
    return starts_with(s, "\x1f\x8b", 2) ? SOURCE_GZIP : SOURCE_PLAIN;
}

static bool recognize(struct source *s, GError **error)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *name, *command;
    } foreign[] = {
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
    s->form = form_of(s);
    if (s->form == SOURCE_ZSTD)
        s->zstd = ZSTD_createDStream();
    else if (s->form == SOURCE_GZIP)
        s->gzip = G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
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
    g_clear_object(&s->gzip);
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

static bool fail_packed(const char *why, GError **error)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "its compressed data is damaged (%s)", why);
    return false;
}

/* Where packed bytes come from and plain ones go. */
struct step {
    const uint8_t *in;
    size_t in_len, in_used;
    uint8_t *out;
    size_t out_len, out_used;
};

static bool step_zstd(struct source *s, struct step *step, GError **error)
{
    ZSTD_inBuffer in = {step->in, step->in_len, 0};
    ZSTD_outBuffer out = {step->out, step->out_len, 0};
    size_t code = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(code))
        return fail_packed(ZSTD_getErrorName(code), error);
    step->in_used = in.pos;
    step->out_used = out.pos;
    if (in.pos || out.pos) /* 0: the frame is over, and another may follow */
        s->is_in_frame = code != 0;
    return true;
}

static bool step_gzip(struct source *s, struct step *step, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    GConverterResult result = g_converter_convert(s->gzip, step->in, step->in_len, step->out, step->out_len,
                                                  s->is_at_eof ? G_CONVERTER_INPUT_AT_END : 0, &step->in_used,
                                                  &step->out_used, &wrong);
    if (wrong && !g_error_matches(wrong, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
        return fail_packed("gzip", error);
    if (result == G_CONVERTER_FINISHED) /* another member may follow */
        g_converter_reset(s->gzip);
    if (result != G_CONVERTER_ERROR)
        s->is_in_frame = result == G_CONVERTER_CONVERTED;
    return true;
}

/* Unpacks some; returns how much, 0 at the end, -1 with error set. */
static ssize_t unpack_some(struct source *s, uint8_t *to, size_t len, GError **error)
{
    struct step step;
    do {
        if (s->in_at == s->in_len && !refill(s, error))
            return -1;
        step = (struct step){s->in + s->in_at, s->in_len - s->in_at, 0, to, len, 0};
        if (!s->is_in_frame && !step.in_len)
            return 0;
        if (!(s->form == SOURCE_ZSTD ? step_zstd : step_gzip)(s, &step, error))
            return -1;
        s->in_at += step.in_used;
    } while (step.in_used && !step.out_used);
    if (step.out_used)
        return (ssize_t)step.out_used;
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                "it is cut short: its compressed data ends in the middle");
    return -1;
}

static ssize_t read_packed(struct source *s, uint8_t *to, size_t len, GError **error)
{
    size_t done = 0;
    while (!s->fault && done < len) {
        ssize_t n = unpack_some(s, to + done, len - done, &s->fault);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (!s->fault || done)
        return (ssize_t)done;
    g_propagate_error(error, g_error_copy(s->fault));
    return -1;
}

ssize_t source_read(void *source, void *buffer, size_t len, GError **error)
{
    struct source *s = source;
    return s->form == SOURCE_PLAIN ? read_plain(s, buffer, len, error) : read_packed(s, buffer, len, error);
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
