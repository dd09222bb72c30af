// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of a snapshot that is there: its manifest is replaced, it is marked, and it goes, by one rename before
 * the first of its files does.
 *
 *     2026-11-30T08:10:20Z -> .removed-2026-11-30T08:10:20Z-RANDOM
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "store/snapshot.h"
#include "store/snapshot_json.h"
#include "store/snapshot_place.h"

/* The folder still has its name. */
static bool is_there(const place *p)
{
    struct stat mine, named;
    return fstat(p->fd, &mine) == 0 && stat(p->path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

static bool is_named(int fd, const place *p)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && fstatat(p->fd, SNAPSHOT_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_ino == named.st_ino;
}

static void wait_for_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    while (fcntl(fd, F_OFD_SETLKW, &lock) < 0 && errno == EINTR)
        ;
}

/* One at a time changes a snapshot, or removes it: the lock is that of its manifest, until the file is closed. Who has
 * waited for one that was replaced begins anew. -1: there is no manifest, or no right to it; it is done without. */
static int lock_manifest(const place *p)
{
    for (;;) {
        int fd = openat(p->fd, SNAPSHOT_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            return -1;
        wait_for_lock(fd);
        if (is_named(fd, p))
            return fd;
        close(fd);
    }
}

static place open_locked(const char *path, int *lock, GError **error)
{
    place p = place_open(g_strdup(path), error);
    *lock = p.fd < 0 ? -1 : lock_manifest(&p);
    if (p.fd < 0 || is_there(&p))
        return p;
    durable_fail(error, path, NULL, "was removed meanwhile", ENOENT);
    close(p.fd);
    p.fd = -1;
    return p;
}

static void unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

static bool replace_manifest(const place *p, const struct snapshot *s, GError **error)
{
    g_autofree char *json = snapshot_to_json(s), *fresh = g_strdup_printf(SNAPSHOT_FRESH_JSON "%08x", g_random_int());
    g_auto(place) guest = place_open(g_path_get_dirname(p->path), error);
    bool ok = guest.fd >= 0 && durable_write(guest.fd, guest.path, fresh, 0600, json, strlen(json), error) &&
              durable_sync_file(guest.fd, guest.path, fresh, error);
    if (ok && renameat(guest.fd, fresh, p->fd, SNAPSHOT_FILE) < 0)
        ok = durable_fail(error, p->path, SNAPSHOT_FILE, "cannot be replaced", errno);
    if (!ok && guest.fd >= 0)
        unlinkat(guest.fd, fresh, 0);
    return ok && durable_sync_folder(p->fd, p->path, error);
}

/* Read again under the lock: what somebody else has changed stays. */
static bool change_verified(const place *p, int64_t when, GError **error)
{
    g_autoptr(snapshot) s = snapshot_load(p->path, error);
    if (!s || s->verified == when)
        return s;
    s->verified = when;
    return replace_manifest(p, s, error);
}

bool snapshot_set_verified(const char *path, int64_t when, GError **error)
{
    int lock;
    if (access(path, W_OK) < 0)
        return true;
    g_auto(place) p = open_locked(path, &lock, error);
    bool ok = p.fd >= 0 && change_verified(&p, when, error);
    unlock(lock);
    return ok;
}

bool snapshot_is_marked(const char *path, const char *mark)
{
    g_autofree char *file = g_build_filename(path, mark, NULL);
    return access(file, F_OK) == 0;
}

static bool change_mark(const place *p, const char *mark, bool is_set, GError **error)
{
    bool ok = is_set ? durable_write(p->fd, p->path, mark, 0600, "", 0, error)
                     : unlinkat(p->fd, mark, 0) == 0 || durable_fail(error, p->path, mark, "cannot be removed", errno);
    return ok && durable_sync_folder(p->fd, p->path, error);
}

bool snapshot_mark(const char *path, const char *mark, bool is_set, GError **error)
{
    int lock;
    g_auto(place) p = open_locked(path, &lock, error);
    bool ok = p.fd >= 0 && (snapshot_is_marked(path, mark) == is_set || change_mark(&p, mark, is_set, error));
    unlock(lock);
    return ok;
}

/* Here a pin that was laid a moment ago still counts, and none is laid until the name is gone. */
static bool hide(const char *path, const char *removed, GError **error)
{
    int lock;
    g_autofree char *name = g_path_get_basename(path), *safe = text_make_safe(path);
    g_auto(place) p = open_locked(path, &lock, error);
    g_auto(place) guest = p.fd < 0 ? (place){NULL, -1} : place_open(g_path_get_dirname(path), error);
    bool ok = guest.fd >= 0 &&
              (!snapshot_is_marked(path, SNAPSHOT_PINNED) || vmb_fail(error, VMB_ERROR_HELD, "%s: is pinned", safe));
    if (ok)
        snapshot_point_latest(&guest, name); /* first: it must never point at what is not there */
    ok = ok && durable_sync_folder(guest.fd, guest.path, error) &&
         durable_rename(guest.fd, guest.path, name, removed, error) && durable_sync_folder(guest.fd, guest.path, error);
    unlock(lock);
    return ok;
}

bool snapshot_remove(const char *path, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *removed = g_strdup_printf(SNAPSHOT_REMOVED "%s-%08x", name, g_random_int());
    if (!hide(path, removed, error))
        return false;
    g_auto(place) guest = place_open(g_path_get_dirname(path), NULL);
    if (guest.fd >= 0)
        durable_remove(guest.fd, guest.path, removed, NULL); /* or it is snapshot_tidy() that tells why it cannot */
    return true;
}
