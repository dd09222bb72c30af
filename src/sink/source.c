// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/source.h"

#include <string.h>

#include "base/error.h"
#include "sink/infile.h"
#include "sink/mistaken.h"
#include "sink/unpack.h"

struct source {
    struct infile in;
    enum source_form form;
    struct unpack *unpack; /* NULL: plain */
    GError *fault;         /* met behind bytes that were still good; the next read returns it */
    uint64_t lost;
};

/* ---- opening ---- */

static bool starts_with(const struct source *s, const char *magic, size_t len)
{
    return infile_held(&s->in) >= len && !memcmp(infile_at(&s->in), magic, len);
}

static enum source_form form_of(const struct source *s)
{
    const uint8_t *at = infile_at(&s->in);
    bool is_skippable = infile_held(&s->in) >= 4 && (at[0] & 0xf0) == 0x50 && !memcmp(at + 1, "\x2a\x4d\x18", 3);
    if (is_skippable || starts_with(s, "\x28\xb5\x2f\xfd", 4))
        return SOURCE_ZSTD;
    if (starts_with(s, "\x89LZO\0\r\n\x1a\n", 9))
        return SOURCE_LZOP;
    return starts_with(s, "\x1f\x8b", 2) ? SOURCE_GZIP : SOURCE_PLAIN;
}

/* Something else altogether, or packed with something that is left to its own program. */
static bool is_foreign(const struct source *s, GError **error)
{
    g_autofree char *what = s->form == SOURCE_PLAIN && !starts_with(s, "VMA", 4)
                                ? mistaken_for(infile_at(&s->in), infile_held(&s->in))
                                : NULL;
    if (what)
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_FAILED, what);
    return what != NULL;
}

static bool recognize(struct source *s, GError **error)
{
    if (infile_want(&s->in, MISTAKEN_BYTES, error) < 0)
        return false;
    s->form = form_of(s);
    if (is_foreign(s, error))
        return false;
    if (s->form == SOURCE_ZSTD)
        s->unpack = unpack_zstd_new(&s->in);
    else if (s->form == SOURCE_GZIP)
        s->unpack = unpack_gzip_new();
    else if (s->form == SOURCE_LZOP)
        s->unpack = unpack_lzop_new();
    return true;
}

struct source *source_open(const char *path, GError **error)
{
    g_autoptr(source_t) s = g_new0(struct source, 1);
    return infile_open(&s->in, path, error) && recognize(s, error) ? g_steal_pointer(&s) : NULL;
}

struct source *source_of(struct unpack *unpack, uint64_t size)
{
    struct source *s = g_new0(struct source, 1);
    s->in = (struct infile){.fd = -1, .is_regular = true, .size = size};
    s->form = SOURCE_STORE;
    s->unpack = unpack;
    return s;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    infile_close(&s->in);
    if (s->unpack)
        s->unpack->ops->free(s->unpack);
    g_clear_error(&s->fault);
    g_free(s);
}

/* ---- reading ---- */

static ssize_t read_packed(struct source *s, uint8_t *to, size_t len, GError **error)
{
    size_t done = 0;
    s->lost = 0;
    while (!s->fault && done < len) {
        ssize_t n = s->unpack->ops->read(s->unpack, &s->in, to + done, len - done, &s->fault);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (!s->fault || done)
        return (ssize_t)done;
    s->lost = s->unpack->lost;
    s->unpack->lost = 0;
    g_propagate_error(error, g_steal_pointer(&s->fault));
    return -1;
}

ssize_t source_read(void *source, void *buffer, size_t len, GError **error)
{
    struct source *s = source;
    return s->unpack ? read_packed(s, buffer, len, error) : infile_read(&s->in, buffer, len, error);
}

uint64_t source_lost(const struct source *s)
{
    return s->lost;
}

enum source_form source_form(const struct source *s)
{
    return s->form;
}

const char *source_form_name(enum source_form form)
{
    static const char *const names[] = {[SOURCE_PLAIN] = "none",
                                        [SOURCE_ZSTD] = "zstd",
                                        [SOURCE_GZIP] = "gzip",
                                        [SOURCE_LZOP] = "lzop",
                                        [SOURCE_STORE] = "store"};
    return names[form];
}

bool source_is_stream(const struct source *s)
{
    return s->in.is_stream;
}

bool source_is_device(const struct source *s)
{
    return !s->in.is_stream && !s->in.is_regular;
}

uint64_t source_position(const struct source *s)
{
    return infile_offset(&s->in);
}

uint64_t source_size(const struct source *s)
{
    return s->in.size;
}
