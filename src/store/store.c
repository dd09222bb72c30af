// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "store/durable.h"
#include "store/snapshot.h"
#include "store/store_file.h"
#include "vma/header.h"

#define LOCK       "lock"
#define FRESH_FILE STORE_FILE ".new"

/* ---- making ---- */

/* Of a new file system, or of a store whose making was interrupted. */
static bool may_be_there(const char *name)
{
    static const char *const harmless[] = {"lost+found", STORE_CHUNKS, LOCK, FRESH_FILE, NULL};
    return g_strv_contains(harmless, name);
}

static bool check_empty(int fd, const char *dir, GError **error)
{
    g_autofree char *safe = text_make_safe(dir);
    g_autoptr(GPtrArray) names = durable_names(fd, dir, error);
    if (!names)
        return false;
    if (store_is(dir))
        return vmb_fail(error, VMB_ERROR_TARGET, "%s: is a store already", safe);
    for_each_in (const char, name, names)
        if (!may_be_there(name))
            return vmb_fail(error, VMB_ERROR_TARGET, "%s: is not empty; name a new folder", safe);
    return true;
}

/* The key file comes last: what has it is a store. */
static bool fill(int fd, const char *dir, uint32_t chunk_bytes, GError **error)
{
    g_autofree char *text = store_file_text(chunk_bytes);
    return durable_make_folder(fd, dir, STORE_CHUNKS, 0777, error) &&
           durable_write(fd, dir, LOCK, 0600, "", 0, error) &&
           durable_write(fd, dir, FRESH_FILE, 0644, text, strlen(text), error) && durable_sync_all(fd, dir, error) &&
           durable_rename(fd, dir, FRESH_FILE, STORE_FILE, error) && durable_sync_folder(fd, dir, error);
}

bool store_init(const char *dir, uint32_t chunk_bytes, GError **error)
{
    if (!chunk_id_is_size(chunk_bytes))
        return vmb_fail(error, VMB_ERROR_USAGE, "a chunk must be a power of two from 64K to 16M");
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return durable_fail(error, dir, NULL, "cannot be made", errno);
    int fd = durable_open_folder(dir, error);
    bool ok = fd >= 0 && check_empty(fd, dir, error) && fill(fd, dir, chunk_bytes, error);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool store_is(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, STORE_FILE, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

char *store_of_snapshot(const char *path)
{
    char *real = realpath(path, NULL);
    g_autofree char *guest = real ? g_path_get_dirname(real) : NULL, *dir = guest ? g_path_get_dirname(guest) : NULL;
    free(real);
    return dir && store_is(dir) ? g_steal_pointer(&dir) : NULL;
}

/* ---- the lock ---- */

enum { BYTE_HELD, BYTE_WANTED }; /* of the file */

/* 0, or an errno: EAGAIN where another process has it. */
static int lock_byte(int fd, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    while (fcntl(fd, F_OFD_SETLK, &lock) < 0)
        if (errno != EINTR)
            return errno == EACCES ? EAGAIN : errno;
    return 0;
}

/* Who collects chunks looks for this once in a while, and goes. */
static int wait_for_shared(int fd)
{
    int failed = lock_byte(fd, F_RDLCK, BYTE_HELD);
    if (failed != EAGAIN)
        return failed;
    lock_byte(fd, F_RDLCK, BYTE_WANTED);
    for (unsigned ms = 0; failed == EAGAIN && ms < STORE_WAIT_MS; ms += 20) {
        g_usleep(20000);
        failed = lock_byte(fd, F_RDLCK, BYTE_HELD);
    }
    lock_byte(fd, F_UNLCK, BYTE_WANTED);
    return failed;
}

static bool lock_failed(const struct store *s, int failed, enum store_lock lock, GError **error)
{
    g_autofree char *safe = text_make_safe(s->path);
    if (failed == EAGAIN)
        return vmb_fail(error, VMB_ERROR_HELD,
                        lock == STORE_SHARED ? "store %s: its unused chunks are being removed; try again later"
                                             : "store %s: is in use; try again when no backup or restore is under way",
                        safe);
    /* A file system without locks goes without, but nothing is removed there. */
    return (lock == STORE_SHARED && failed != EBADF) ||
           vmb_fail(error, VMB_ERROR_FAILED, "store %s: cannot be locked: %s", safe, g_strerror(failed));
}

bool store_lock_exclusive(struct store *s, GError **error)
{
    int failed = lock_byte(s->lock_fd, F_WRLCK, BYTE_HELD);
    return !failed || lock_failed(s, failed, STORE_EXCLUSIVE, error);
}

void store_lock_shared(struct store *s)
{
    lock_byte(s->lock_fd, F_RDLCK, BYTE_HELD);
}

bool store_is_wanted(struct store *s)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = BYTE_WANTED, .l_len = 1};
    return fcntl(s->lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* What cannot be written is locked for reading, or, without a file for that, not at all: nobody writes there. */
static bool open_lock(struct store *s, enum store_lock lock, GError **error)
{
    g_autofree char *path = g_build_filename(s->path, LOCK, NULL);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock_fd < 0 && lock == STORE_SHARED && (errno == EROFS || errno == EACCES || errno == EPERM))
        s->lock_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (s->lock_fd < 0)
        return (lock == STORE_SHARED && (errno == ENOENT || errno == EROFS || errno == EACCES)) ||
               durable_fail(error, path, NULL, "cannot be opened", errno);
    if (lock == STORE_EXCLUSIVE)
        return store_lock_exclusive(s, error);
    int failed = wait_for_shared(s->lock_fd);
    return !failed || lock_failed(s, failed, lock, error);
}

/* ---- opening ---- */

static bool open_parts(struct store *s, enum store_lock lock, GError **error)
{
    g_autofree char *chunks = g_build_filename(s->path, STORE_CHUNKS, NULL);
    if (!store_file_load(s->path, STORE_FILE, &s->chunk_bytes, error) || !open_lock(s, lock, error))
        return false;
    s->chunks = chunk_folder_open(chunks, error);
    return s->chunks && (lock == STORE_SHARED || store_tidy(s, error));
}

struct store *store_open(const char *dir, enum store_lock lock, GError **error)
{
    char *real = realpath(dir, NULL);
    struct store *s = g_new0(struct store, 1);
    s->path = g_strdup(real ? real : dir);
    s->lock_fd = -1;
    free(real);
    if (open_parts(s, lock, error))
        return s;
    store_free(s);
    return NULL;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    chunk_folder_free(s->chunks);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    g_free(s->path);
    g_free(s);
}

bool store_tidy(struct store *s, GError **error)
{
    bool ok = chunk_folder_tidy(s->chunks, error);
    g_autoptr(GPtrArray) guests = store_guests(s, ok ? error : NULL);
    ok &= guests != NULL;
    for (unsigned i = 0; guests && i < guests->len; i++) {
        g_autofree char *folder = g_build_filename(s->path, g_ptr_array_index(guests, i), NULL);
        ok &= snapshot_tidy(folder, ok ? error : NULL);
    }
    return ok;
}

/* ---- what is in it ---- */

char *store_guest_name(const char *name)
{
    char *safe = vma_name_make_safe(name);
    if (strcmp(safe, STORE_CHUNKS) && strcmp(safe, LOCK) && !g_str_has_prefix(safe, STORE_FILE))
        return safe;
    char *other = g_strconcat(safe, "_", NULL);
    g_free(safe);
    return other;
}

static bool is_folder(int fd, const char *name)
{
    struct stat st;
    return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

bool store_is_guest_name(const char *name)
{
    return *name != '.' && strcmp(name, STORE_CHUNKS) && strcmp(name, "lost+found") && vma_name_is_safe(name);
}

GPtrArray *store_guests(struct store *s, GError **error)
{
    int fd = durable_open_folder(s->path, error);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : durable_names(fd, s->path, error);
    GPtrArray *found = names ? g_ptr_array_new_with_free_func(g_free) : NULL;
    for (unsigned i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (store_is_guest_name(name) && is_folder(fd, name))
            g_ptr_array_add(found, g_strdup(name));
    }
    if (fd >= 0)
        close(fd);
    return found;
}
