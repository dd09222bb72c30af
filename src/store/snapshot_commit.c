// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What makes a snapshot appear: one rename in the guest's folder, after all that it names is on the disk.
 *
 *     .2026-11-30T08:10:20Z-RUN.partial -> 2026-11-30T08:10:20Z
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "store/durable.h"
#include "store/snapshot_json.h"
#include "store/snapshot_place.h"
#include "store/store.h"

#define FRESH_LINK        ".latest-"
#define MAX_OF_AN_INSTANT 1000

/* ---- latest ---- */

static const char *last_name(const GPtrArray *names, const char *but)
{
    const char *last = NULL;
    for_each_in (const char, name, names)
        if (snapshot_is_name(name) && g_strcmp0(name, but) && (!last || snapshot_compare_names(last, name) < 0))
            last = name;
    return last;
}

void snapshot_point_latest(const place *guest, const char *but)
{
    g_autoptr(GPtrArray) names = durable_names(guest->fd, guest->path, NULL);
    const char *last = names ? last_name(names, but) : NULL;
    g_autofree char *fresh = g_strdup_printf(FRESH_LINK "%08x", g_random_int());
    if (names && !last)
        unlinkat(guest->fd, SNAPSHOT_LATEST, 0);
    else if (last && symlinkat(last, guest->fd, fresh) == 0 &&
             renameat(guest->fd, fresh, guest->fd, SNAPSHOT_LATEST) < 0)
        unlinkat(guest->fd, fresh, 0);
}

/* ---- making ---- */

/* Snapshots behind a link, or in a folder that is no guest's, are not listed: a prune would take their chunks. */
static bool make_guest(const char *folder, GError **error)
{
    g_autofree char *name = g_path_get_basename(folder), *safe = text_make_safe(folder);
    struct stat st;
    if (!store_is_guest_name(name))
        return vmb_fail(error, VMB_ERROR_TARGET, "%s: no name that a guest's folder can have", safe);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return durable_fail(error, folder, NULL, "cannot be made", errno);
    return (lstat(folder, &st) == 0 && S_ISDIR(st.st_mode)) ||
           vmb_fail(error, VMB_ERROR_TARGET,
                    "%s: must be a folder, not a symbolic link or a file; to have it elsewhere, mount that there",
                    safe);
}

bool snapshot_begin(struct snapshot *s, const char *guest_folder, const char *run_id, GError **error)
{
    g_autofree char *instant = snapshot_instant_text(s->instant);
    g_autofree char *name = g_strdup_printf(".%s-%s" SNAPSHOT_PARTIAL, instant, run_id);
    if (!make_guest(guest_folder, error))
        return false;
    g_free(s->path);
    s->path = g_build_filename(guest_folder, name, NULL);
    return mkdir(s->path, 0700) == 0 || durable_fail(error, s->path, NULL, "cannot be made", errno);
}

bool snapshot_write_index(const struct snapshot *s, const struct snapshot_device *d, const struct chunk_index *x,
                          GError **error)
{
    g_autofree char *path = snapshot_index_path(s, d);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return durable_fail(error, path, NULL, "cannot be created", errno);
    bool ok = chunk_index_write(x, fd, error);
    if (close(fd) < 0 && ok)
        ok = durable_fail(error, path, NULL, "cannot be written", errno);
    return ok;
}

static bool set_digest(const place *p, struct snapshot_device *d, GError **error)
{
    struct chunk_id id;
    int fd = openat(p->fd, d->index_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int failed = fd < 0 ? errno : chunk_id_of_file(fd, &id);
    if (fd >= 0)
        close(fd);
    if (failed)
        return durable_fail(error, p->path, d->index_name, "cannot be read back", failed);
    g_free(d->digest);
    d->digest = g_malloc(CHUNK_ID_TEXT);
    chunk_id_text(&id, d->digest);
    return true;
}

static bool write_config(const place *p, const struct snapshot_config *c, GError **error)
{
    return durable_write(p->fd, p->path, c->file, 0600, g_bytes_get_data(c->bytes, NULL), g_bytes_get_size(c->bytes),
                         error);
}

static bool write_files(struct snapshot *s, const place *p, GError **error)
{
    for_each_in (struct snapshot_device, d, s->devices)
        if (!set_digest(p, d, error))
            return false;
    for_each_in (const struct snapshot_config, c, s->configs)
        if (!write_config(p, c, error))
            return false;
    g_autofree char *json = snapshot_to_json(s);
    g_autoptr(snapshot) back = snapshot_from_json(json, strlen(json), error); /* else nobody could ever load it */
    return back && durable_write(p->fd, p->path, SNAPSHOT_FILE, 0600, json, strlen(json), error);
}

/* A rename never replaces a folder with something in it: the name that could be given is ours. */
static bool give_name(struct snapshot *s, const place *guest, GError **error)
{
    g_autofree char *partial = g_path_get_basename(s->path), *instant = snapshot_instant_text(s->instant);
    for (unsigned i = 1; i < MAX_OF_AN_INSTANT; i++) {
        g_autofree char *name = i > 1 ? g_strdup_printf("%s-%u", instant, i) : g_strdup(instant);
        if (renameat(guest->fd, partial, guest->fd, name) == 0) {
            g_free(s->path);
            s->path = g_build_filename(guest->path, name, NULL);
            return true;
        }
        if (errno != EEXIST && errno != ENOTEMPTY)
            break;
    }
    return durable_fail(error, guest->path, instant, "cannot be given its name", errno);
}

/* Nobody may count on a name that was not made durable: it is taken back. */
static bool appear(struct snapshot *s, const place *guest, GError **error)
{
    g_autofree char *partial = g_strdup(s->path);
    if (!give_name(s, guest, error))
        return false;
    if (durable_sync_folder(guest->fd, guest->path, error))
        return true;
    if (rename(s->path, partial) == 0) {
        g_free(s->path);
        s->path = g_steal_pointer(&partial);
    }
    return false;
}

bool snapshot_commit(struct snapshot *s, struct chunk_folder *chunks, GError **error)
{
    g_auto(place) mine = place_open(g_strdup(s->path), error);
    g_auto(place) guest = mine.fd < 0 ? (place){NULL, -1} : place_open(g_path_get_dirname(s->path), error);
    /* All that was written in this store, above all the names of its chunks. */
    bool ok = guest.fd >= 0 && write_files(s, &mine, error) &&
              chunk_folder_sync_with(chunks, guest.fd, guest.path, error) && appear(s, &guest, error);
    if (ok)
        snapshot_point_latest(&guest, NULL);
    return ok;
}

static bool is_partial(const char *name)
{
    g_autofree char *instant = g_strndup(*name == '.' ? name + 1 : "", strlen("2026-11-30T08:10:20Z"));
    return snapshot_is_name(instant) && g_str_has_suffix(name, SNAPSHOT_PARTIAL);
}

void snapshot_abort(struct snapshot *s)
{
    g_autofree char *name = s->path ? g_path_get_basename(s->path) : NULL;
    if (!name || !is_partial(name))
        return;
    g_auto(place) guest = place_open(g_path_get_dirname(s->path), NULL);
    if (guest.fd >= 0)
        durable_remove(guest.fd, guest.path, name, NULL);
}

/* ---- what is left ---- */

bool snapshot_is_leftover(const char *name)
{
    return is_partial(name) || g_str_has_prefix(name, SNAPSHOT_REMOVED) || g_str_has_prefix(name, FRESH_LINK) ||
           g_str_has_prefix(name, SNAPSHOT_FRESH_JSON);
}

/* What cannot go is told, and keeps nothing else from it. */
bool snapshot_tidy(const char *guest_folder, GError **error)
{
    g_auto(place) guest = place_open(g_strdup(guest_folder), error);
    g_autoptr(GPtrArray) names = guest.fd < 0 ? NULL : durable_names(guest.fd, guest.path, error);
    bool ok = names;
    for (unsigned i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (snapshot_is_leftover(name))
            ok &= durable_remove(guest.fd, guest.path, name, ok ? error : NULL);
    }
    if (names && faccessat(guest.fd, SNAPSHOT_LATEST, F_OK, 0) < 0) /* somebody has removed it by hand */
        snapshot_point_latest(&guest, NULL);
    return ok;
}
