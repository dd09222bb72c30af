// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/chunk_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "base/transfer.h"
#include "store/chunk_file.h"
#include "store/chunk_pack.h"
#include "store/durable.h"

void chunk_file_name(const struct chunk_id *id, const char *suffix, char name[CHUNK_NAME])
{
    char text[CHUNK_ID_TEXT];
    chunk_id_text(id, text);
    g_snprintf(name, CHUNK_NAME, "%.4s/%s%s", text, text, suffix);
}

struct chunk_folder *chunk_folder_open(const char *path, GError **error)
{
    int fd = durable_open_folder(path, error);
    if (fd < 0)
        return NULL;
    struct chunk_folder *f = g_new0(struct chunk_folder, 1);
    f->path = g_strdup(path);
    f->fd = fd;
    return f;
}

void chunk_folder_free(struct chunk_folder *f)
{
    if (!f)
        return;
    close(f->fd);
    g_free(f->path);
    g_free(f);
}

/* casync marks a chunk that is missing by a symbolic link: that is no file. */
static bool look(struct chunk_folder *f, const struct chunk_id *id, struct stat *st)
{
    char name[CHUNK_NAME];
    chunk_file_name(id, CHUNK_SUFFIX, name);
    return fstatat(f->fd, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
}

bool chunk_folder_has(struct chunk_folder *f, const struct chunk_id *id)
{
    struct stat st;
    return look(f, id, &st) && !(st.st_mode & CHUNK_SUSPECT);
}

bool chunk_folder_sync_with(struct chunk_folder *f, int folder_fd, const char *folder, GError **error)
{
    struct stat mine, other;
    bool is_same = fstat(f->fd, &mine) == 0 && fstat(folder_fd, &other) == 0 && mine.st_dev == other.st_dev;
    return (is_same || durable_sync_all(f->fd, f->path, error)) && durable_sync_all(folder_fd, folder, error);
}

/* ---- reading ---- */

static bool fail(struct chunk_folder *f, const char *name, enum vmb_error code, const char *what, GError **error)
{
    g_autofree char *path = g_build_filename(f->path, name, NULL), *safe = text_make_safe(path);
    return vmb_fail(error, code, "chunk %s: %s", safe, what);
}

static int open_chunk(struct chunk_folder *f, const char *name, struct stat *st, GError **error)
{
    int fd = openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP)) {
        fail(f, name, VMB_ERROR_DAMAGED, "missing", error);
    } else if (fd < 0 || fstat(fd, st) < 0) {
        fail(f, name, VMB_ERROR_FAILED, g_strerror(errno), error);
    } else if (!S_ISREG(st->st_mode)) {
        fail(f, name, VMB_ERROR_DAMAGED, "not a file", error);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_named_so(const void *bytes, size_t len, const struct chunk_id *id)
{
    struct chunk_id found;
    chunk_id_of(bytes, len, &found);
    return chunk_id_equal(&found, id);
}

static bool read_chunk(struct chunk_folder *f, const struct chunk_id *id, bool is_checksum_enough, void *to, size_t len,
                       GError **error)
{
    char name[CHUNK_NAME];
    struct stat st;
    chunk_file_name(id, CHUNK_SUFFIX, name);
    int fd = open_chunk(f, name, &st, error);
    if (fd < 0)
        return false;
    bool is_too_long = st.st_size > (off_t)chunk_pack_bound(len);
    g_autofree uint8_t *frame = g_malloc(is_too_long ? 1 : (size_t)st.st_size + 1);
    size_t n = is_too_long ? 0 : (size_t)st.st_size;
    int failed = transfer_read(fd, frame, n, 0);
    close(fd);
    if (failed)
        return fail(f, name, vmb_error_of_read(failed), g_strerror(failed), error);
    const char *wrong = is_too_long ? "longer than a chunk can be" : chunk_unpack(frame, n, to, len);
    if (wrong)
        return fail(f, name, VMB_ERROR_DAMAGED, wrong, error);
    return (is_checksum_enough && chunk_pack_has_checksum(frame, n)) || is_named_so(to, len, id) ||
           fail(f, name, VMB_ERROR_DAMAGED, "its digest is wrong", error);
}

bool chunk_folder_read(struct chunk_folder *f, const struct chunk_id *id, void *to, size_t len, GError **error)
{
    return read_chunk(f, id, false, to, len, error);
}

bool chunk_folder_read_lightly(struct chunk_folder *f, const struct chunk_id *id, void *to, size_t len, GError **error)
{
    return read_chunk(f, id, true, to, len, error);
}

/* ---- what is damaged ---- */

bool chunk_folder_set_aside(struct chunk_folder *f, const struct chunk_id *id, GError **error)
{
    char name[CHUNK_NAME], bad[CHUNK_NAME];
    chunk_file_name(id, CHUNK_SUFFIX, name);
    chunk_file_name(id, CHUNK_BAD, bad);
    return renameat(f->fd, name, f->fd, bad) == 0 || errno == ENOENT ||
           durable_fail(error, f->path, name, "cannot be set aside", errno);
}

/* If another one has just taken its place, that is written once more, or found whole by the next check. */
bool chunk_folder_suspect(struct chunk_folder *f, const struct chunk_id *id, bool is_suspect, GError **error)
{
    char name[CHUNK_NAME];
    struct stat st;
    chunk_file_name(id, CHUNK_SUFFIX, name);
    int fd = open_chunk(f, name, &st, error);
    if (fd < 0)
        return false;
    mode_t others = st.st_mode & 07777 & ~(mode_t)CHUNK_SUSPECT;
    bool ok = fchmod(fd, others | (is_suspect ? CHUNK_SUSPECT : 0)) == 0 ||
              durable_fail(error, f->path, name, "cannot be marked", errno);
    close(fd);
    return ok;
}

bool chunk_folder_remove(struct chunk_folder *f, const struct chunk_id *id, bool is_aside, GError **error)
{
    char name[CHUNK_NAME];
    chunk_file_name(id, is_aside ? CHUNK_BAD : CHUNK_SUFFIX, name);
    return unlinkat(f->fd, name, 0) == 0 || errno == ENOENT ||
           durable_fail(error, f->path, name, "cannot be removed", errno);
}

bool chunk_folder_tidy(struct chunk_folder *f, GError **error)
{
    return durable_remove(f->fd, f->path, CHUNK_TEMPORARY, error);
}
