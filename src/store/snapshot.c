// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot.h"

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
#include "store/snapshot_json.h"
#include "vma/header.h"

#define INDEX_SUFFIX   ".caibx"
#define INSTANT_LENGTH 20 /* of "2026-11-30T08:10:20Z" */
#define MAX_FILE_NAME  200

/* ---- in memory ---- */

static void device_free(gpointer item)
{
    struct snapshot_device *d = item;
    g_free(d->name);
    g_free(d->index_name);
    g_free(d->bitmap);
    g_free(d->digest);
    g_free(d);
}

static void config_free(gpointer item)
{
    struct snapshot_config *c = item;
    g_free(c->name);
    g_free(c->file);
    g_free(c->digest);
    g_bytes_unref(c->bytes);
    g_free(c);
}

struct snapshot *snapshot_new(const uint8_t uuid[16], int64_t instant, uint32_t chunk_bytes)
{
    struct snapshot *s = g_new0(struct snapshot, 1);
    memcpy(s->uuid, uuid, sizeof s->uuid);
    s->instant = instant;
    s->chunk_bytes = chunk_bytes;
    s->devices = g_ptr_array_new_with_free_func(device_free);
    s->configs = g_ptr_array_new_with_free_func(config_free);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    g_ptr_array_unref(s->devices);
    g_ptr_array_unref(s->configs);
    g_free(s->path);
    g_free(s);
}

uint64_t snapshot_size(const struct snapshot *s)
{
    uint64_t size = 0;
    for_each_in (const struct snapshot_device, d, s->devices)
        size += d->size;
    return size;
}

uint64_t snapshot_new_bytes(const struct snapshot *s)
{
    uint64_t bytes = 0;
    for_each_in (const struct snapshot_device, d, s->devices)
        bytes += d->new_bytes;
    return bytes;
}

struct snapshot_device *snapshot_find_device(const struct snapshot *s, const char *name)
{
    for_each_in (struct snapshot_device, d, s->devices)
        if (!strcmp(d->name, name))
            return d;
    return NULL;
}

struct snapshot_device *snapshot_add_device(struct snapshot *s, const char *name, uint64_t size)
{
    struct snapshot_device *d = g_new0(struct snapshot_device, 1);
    d->name = g_strdup(name);
    d->index_name = g_strconcat(name, INDEX_SUFFIX, NULL);
    d->size = size;
    g_ptr_array_add(s->devices, d);
    return d;
}

static bool is_reserved(const char *name)
{
    return *name == '.' || !strcmp(name, SNAPSHOT_PINNED) || !strcmp(name, SNAPSHOT_DAMAGED) ||
           g_str_has_prefix(name, SNAPSHOT_FILE) || g_str_has_suffix(name, INDEX_SUFFIX) ||
           strlen(name) > MAX_FILE_NAME;
}

static bool is_file_taken(const struct snapshot *s, const char *file)
{
    for_each_in (const struct snapshot_config, c, s->configs)
        if (!strcmp(c->file, file))
            return true;
    return is_reserved(file);
}

static struct snapshot_config *find_config(const struct snapshot *s, const char *name)
{
    for_each_in (struct snapshot_config, c, s->configs)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

/* A name comes from outside: it may be that of another file here, or too long for one. */
static char *choose_file(const struct snapshot *s, const char *name)
{
    char *file = g_strdup(name);
    for (unsigned i = 1; is_file_taken(s, file); i++) {
        g_free(file);
        file = g_strdup_printf("config-%u", i);
    }
    return file;
}

void snapshot_set_config(struct snapshot *s, const char *name, GBytes *bytes)
{
    struct snapshot_config *old = find_config(s, name), *c = g_new0(struct snapshot_config, 1);
    struct chunk_id id;
    if (old)
        g_ptr_array_remove(s->configs, old);
    c->name = g_strdup(name);
    c->file = choose_file(s, name);
    c->bytes = g_bytes_ref(bytes);
    c->digest = g_malloc(CHUNK_ID_TEXT);
    chunk_id_of(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &id);
    chunk_id_text(&id, c->digest);
    g_ptr_array_add(s->configs, c);
}

/* ---- names ---- */

char *snapshot_instant_text(int64_t instant)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(instant);
    return when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("");
}

/* What stands behind the instant: 1 for nothing; 0: it is no snapshot's name. */
static uint64_t number_of(const char *name)
{
    static const char form[INSTANT_LENGTH + 1] = "dddd-dd-ddTdd:dd:ddZ";
    for (unsigned i = 0; i < INSTANT_LENGTH; i++)
        if (form[i] == 'd' ? !g_ascii_isdigit(name[i]) : name[i] != form[i])
            return 0;
    name += INSTANT_LENGTH;
    uint64_t n = name[0] == '-' && name[1] != '0' && strspn(name + 1, "0123456789") == strlen(name + 1)
                     ? g_ascii_strtoull(name + 1, NULL, 10)
                     : 0;
    return !*name ? 1 : n > 1 ? n : 0;
}

bool snapshot_is_name(const char *name)
{
    return number_of(name);
}

bool snapshot_is_at(int folder_fd, const char *name)
{
    g_autofree char *manifest = g_build_filename(name, SNAPSHOT_FILE, NULL);
    struct stat st;
    return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           (snapshot_is_name(name) || fstatat(folder_fd, manifest, &st, AT_SYMLINK_NOFOLLOW) == 0);
}

int64_t snapshot_instant_of(const char *name)
{
    g_autofree char *text = g_strndup(name, INSTANT_LENGTH);
    g_autoptr(GDateTime) when = g_date_time_new_from_iso8601(text, NULL);
    return when ? g_date_time_to_unix(when) : 0;
}

int snapshot_compare_names(const char *a, const char *b)
{
    int order = strncmp(a, b, INSTANT_LENGTH);
    uint64_t na = number_of(a), nb = number_of(b);
    return order ? order : (na > nb) - (na < nb);
}

char *snapshot_index_path(const struct snapshot *s, const struct snapshot_device *d)
{
    return g_build_filename(s->path, d->index_name, NULL);
}

/* ---- loading ---- */

/* 0, or an errno; at most `most` bytes. */
static int read_file(const char *folder, const char *name, size_t most, GByteArray *to)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), failed = 0;
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)most) {
        failed = EBADMSG;
    } else {
        g_byte_array_set_size(to, (guint)st.st_size);
        ssize_t n = read(fd, to->data, to->len);
        failed = n < 0 ? errno : 0;
        g_byte_array_set_size(to, n < 0 ? 0 : (guint)n);
    }
    close(fd);
    return failed;
}

static void load_config(const struct snapshot *s, struct snapshot_config *c)
{
    GByteArray *bytes = g_byte_array_new();
    struct chunk_id id;
    char digest[CHUNK_ID_TEXT];
    c->is_damaged = read_file(s->path, c->file, VMA_MAX_BLOB, bytes) != 0;
    chunk_id_of(bytes->data, bytes->len, &id);
    chunk_id_text(&id, digest);
    c->is_damaged |= strcmp(digest, c->digest) != 0;
    g_bytes_unref(c->bytes);
    c->bytes = g_byte_array_free_to_bytes(bytes);
}

char *snapshot_resolve(const char *path)
{
    char *real = realpath(path, NULL), *copy = g_strdup(real ? real : path);
    free(real);
    return copy;
}

static bool check_name(const struct snapshot *s, GError **error)
{
    g_autofree char *name = g_path_get_basename(s->path), *instant = snapshot_instant_text(s->instant);
    return g_str_has_prefix(name, instant) || !snapshot_is_name(name) ||
           vmb_fail(error, VMB_ERROR_DAMAGED, "it is of another instant (%s)", instant);
}

static struct snapshot *load(const char *path, GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    int failed = read_file(path, SNAPSHOT_FILE, SNAPSHOT_MAX_JSON, text);
    bool is_damage = failed == ENOENT || failed == EBADMSG || failed == ELOOP;
    if (failed)
        return vmb_null(error, is_damage ? VMB_ERROR_DAMAGED : VMB_ERROR_FAILED, "%s", g_strerror(failed));
    g_autoptr(snapshot) s = snapshot_from_json((const char *)text->data, text->len, error);
    if (!s)
        return NULL;
    s->path = g_strdup(path);
    return check_name(s, error) ? g_steal_pointer(&s) : NULL;
}

struct snapshot *snapshot_load(const char *path, GError **error)
{
    g_autofree char *real = snapshot_resolve(path);
    struct snapshot *s = load(real, error);
    if (!s) {
        g_autofree char *safe = text_make_safe(real);
        g_prefix_error(error, "snapshot %s: %s: ", safe, SNAPSHOT_FILE);
        return NULL;
    }
    s->is_pinned = snapshot_is_marked(real, SNAPSHOT_PINNED);
    s->is_damaged = snapshot_is_marked(real, SNAPSHOT_DAMAGED);
    for_each_in (struct snapshot_config, c, s->configs)
        load_config(s, c);
    return s;
}

static bool check_index(const struct snapshot *s, const struct snapshot_device *d, const char *path,
                        const struct chunk_index *x, GError **error)
{
    char digest[CHUNK_ID_TEXT];
    chunk_id_text(&x->file, digest);
    const char *what = x->chunk_bytes != s->chunk_bytes || x->size != d->size ? "it is of a drive of another size"
                       : g_strcmp0(digest, d->digest)                         ? "its digest is wrong"
                                                                              : NULL;
    g_autofree char *safe = text_make_safe(path);
    return !what || vmb_fail(error, VMB_ERROR_DAMAGED, "index %s: %s", safe, what);
}

struct chunk_index *snapshot_load_index(const struct snapshot *s, const struct snapshot_device *d, GError **error)
{
    g_autofree char *path = snapshot_index_path(s, d);
    g_autoptr(chunk_index) x = chunk_index_load(path, error);
    return x && check_index(s, d, path, x, error) ? g_steal_pointer(&x) : NULL;
}
