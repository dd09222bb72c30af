// SPDX-License-Identifier: GPL-2.0-or-later
/* gzip: any chain of members. */
#include <gio/gio.h>
#include "base/error.h"
#include "sink/unpack.h"

struct gzip {
    struct unpack unpack;
    GConverter *converter;
    bool is_in_member; /* the one under way has not ended */
    bool is_over;      /* damaged: nothing behind it can be found */
};

static ssize_t fail(struct gzip *g, const struct infile *in, const char *why, GError **error)
{
    g->is_over = true;
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED,
                "its gzip data is %s at byte %" G_GUINT64_FORMAT " of the file; nothing behind can be read", why,
                infile_offset(in));
    return -1;
}

static ssize_t gzip_read(struct unpack *u, struct infile *in, uint8_t *to, size_t len, GError **error)
{
    struct gzip *g = (struct gzip *)u;
    gsize used = 0, made = 0;
    do {
        g_autoptr(GError) wrong = NULL;
        ssize_t held = g->is_over ? 0 : infile_some(in, error);
        if (held > 0 && !g->is_in_member && *infile_at(in) == 0) { /* padding */
            int passed = infile_pass_zeros(in, error);
            return passed > 0 ? 0 : passed < 0 ? -1 : fail(g, in, "damaged", error);
        }
        if (held < 0 || (held == 0 && !g->is_in_member) || g->is_over)
            return held < 0 ? -1 : 0;
        GConverterResult result =
            g_converter_convert(g->converter, infile_at(in), (gsize)held, to, len,
                                in->is_at_eof ? G_CONVERTER_INPUT_AT_END : 0, &used, &made, &wrong);
        if (wrong && !g_error_matches(wrong, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
            return fail(g, in, "damaged", error);
        infile_used(in, used);
        if (result == G_CONVERTER_FINISHED) /* another member may follow */
            g_converter_reset(g->converter);
        if (result != G_CONVERTER_ERROR)
            g->is_in_member = result == G_CONVERTER_CONVERTED;
    } while (used && !made);
    return made ? (ssize_t)made : fail(g, in, "cut short", error);
}

static void gzip_free(struct unpack *u)
{
    struct gzip *g = (struct gzip *)u;
    g_object_unref(g->converter);
    g_free(g);
}

struct unpack *unpack_gzip_new(void)
{
    static const struct unpack_ops ops = {gzip_read, gzip_free};
    struct gzip *g = g_new0(struct gzip, 1);
    g->unpack.ops = &ops;
    g->converter = G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
    return &g->unpack;
}
