// SPDX-License-Identifier: GPL-2.0-or-later
/* A new raw file: what is not written stays a hole. */
#include <fcntl.h>
#include <unistd.h>
#include "cli/newfile.h"
#include "cli/output.h"

/* Writing back is begun for each window: so the disk works meanwhile, and the last fsync finds little to do. */
#define WINDOW (UINT64_C(8) << 20)

struct raw {
    struct output output;
    struct newfile *file;
    uint64_t from, to; /* written in a row, not begun to be written back */
};

static void write_back(struct raw *r, uint64_t offset, size_t len)
{
    if (offset != r->to)
        r->from = offset;
    r->to = offset + len;
    if (r->to - r->from < WINDOW)
        return;
    sync_file_range(newfile_fd(r->file), (off_t)r->from, (off_t)(r->to - r->from), SYNC_FILE_RANGE_WRITE);
    r->from = r->to;
}

static bool raw_write(struct output *o, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct newfile *file = ((struct raw *)o)->file;
    if (!output_pwrite(newfile_fd(file), offset, bytes, len))
        return newfile_fail(file, "cannot be written", error);
    write_back((struct raw *)o, offset, len);
    return true;
}

static bool raw_finish(struct output *o, uint64_t size, GError **error)
{
    struct newfile *file = ((struct raw *)o)->file;
    if (ftruncate(newfile_fd(file), (off_t)size))
        return newfile_fail(file, "cannot be given its size", error);
    return newfile_sync(file, error);
}

static bool raw_publish(struct output *o, GError **error)
{
    return newfile_publish(((struct raw *)o)->file, error);
}

static void raw_free(struct output *o)
{
    newfile_free(((struct raw *)o)->file);
    g_free(o);
}

struct output *output_new_raw(const char *path, GError **error)
{
    static const struct output_ops ops = {
        .write = raw_write, .finish = raw_finish, .publish = raw_publish, .free = raw_free};
    struct newfile *file = newfile_create(path, error);
    if (!file)
        return NULL;
    struct raw *r = g_new0(struct raw, 1);
    r->output.ops = &ops;
    r->file = file;
    return &r->output;
}
