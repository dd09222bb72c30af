// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/scratch.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "sink/spool.h"

#define PIECE_BYTES (UINT64_C(64) << 20)

struct scratch {
    int fd;            /* -1: not made yet */
    GPtrArray *pieces; /* mapped, PIECE_BYTES each */
    uint64_t left;     /* bytes of the last one that nobody has */
};

struct scratch *scratch_new(void)
{
    struct scratch *s = g_new0(struct scratch, 1);
    s->fd = -1;
    s->pieces = g_ptr_array_new();
    return s;
}

void scratch_free(struct scratch *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->pieces->len; i++)
        munmap(s->pieces->pdata[i], PIECE_BYTES);
    if (s->fd >= 0)
        close(s->fd);
    g_ptr_array_unref(s->pieces);
    g_free(s);
}

static bool fail(int error_number, GError **error)
{
    g_autofree char *dir = text_make_safe(spool_default_dir());
    return vmb_fail(error, VMB_ERROR_FAILED,
                    "no room for %" G_GUINT64_FORMAT " MiB of notes in %s (%s); name another directory by TMPDIR",
                    PIECE_BYTES >> 20, dir, g_strerror(error_number));
}

static bool add_piece(struct scratch *s, GError **error)
{
    off_t at = (off_t)(s->pieces->len * PIECE_BYTES);
    if (s->fd < 0 && (s->fd = spool_open_nameless(spool_default_dir())) < 0)
        return fail(errno, error);
    int failed = posix_fallocate(s->fd, at, (off_t)PIECE_BYTES);
    if (failed)
        return fail(failed, error);
    void *piece = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, at);
    if (piece == MAP_FAILED)
        return fail(errno, error);
    g_ptr_array_add(s->pieces, piece);
    s->left = PIECE_BYTES;
    return true;
}

void *scratch_take(struct scratch *s, GError **error)
{
    if (!s->left && !add_piece(s, error))
        return NULL;
    uint8_t *page = (uint8_t *)s->pieces->pdata[s->pieces->len - 1] + (PIECE_BYTES - s->left);
    s->left -= SCRATCH_PAGE_BYTES;
    return page;
}

/* Of a shared mapping nothing is lost by this. */
void scratch_rest(struct scratch *s)
{
    for (unsigned i = 0; i < s->pieces->len; i++)
        madvise(s->pieces->pdata[i], PIECE_BYTES, MADV_DONTNEED);
}
