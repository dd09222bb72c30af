// SPDX-License-Identifier: GPL-2.0-or-later
#include "rescue/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "base/text.h"
#include "qemu/identity.h"
#include "rescue/places.h"

struct journal {
    char *key; /* of the guest's monitor */
    char *holder;
    char *lock_path, *path;
    int lock_fd;
};

#define MAX_COUNT 1024 /* drives, which nobody has */

/* --- places ------------------------------------------------------------------------------------- */

char *journal_folder(GError **error)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *folder = NULL;
    struct stat st;

    if (runtime && *runtime)
        folder = g_build_filename(runtime, "vmabackup", NULL);
    else if (g_access("/run", W_OK) == 0)
        folder = g_strdup("/run/vmabackup");
    else
        folder = g_strdup_printf("%s/vmabackup-%u", g_get_tmp_dir(), getuid());
    if (g_mkdir_with_parents(folder, 0700) < 0 || lstat(folder, &st) < 0 || !S_ISDIR(st.st_mode) ||
        st.st_uid != geteuid())
        return vmb_null(error, VMB_ERROR_FAILED, "folder %s cannot be used; set XDG_RUNTIME_DIR to one of yours",
                        folder);
    return g_steal_pointer(&folder);
}

/* --- the lock ----------------------------------------------------------------------------------- */

static void set_held(GError **error, const char *lock_path)
{
    g_autofree char *holder = NULL;

    if (!g_file_get_contents(lock_path, &holder, NULL, NULL) || !*holder)
        holder = g_strdup("another process");
    g_set_error(error, VMB_ERROR, VMB_ERROR_HELD,
                "guest is held by another backup (%s); wait for it or cancel it there", g_strchomp(holder));
}

/* The holder removes the file when it goes: what was locked may no longer be what stands there. */
static bool is_still_there(int fd, const char *path)
{
    struct stat ours, theirs;

    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

static int open_locked(const char *lock_path, GError **error)
{
    for (;;) {
        int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "lock %s: %s", lock_path, g_strerror(errno));
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            set_held(error, lock_path);
            close(fd);
            return -1;
        }
        if (is_still_there(fd, lock_path))
            return fd;
        close(fd);
    }
}

/* Who holds a guest, in words for whoever comes second. */
static char *holder_text(const char *run_id, const char *what)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *since = g_date_time_format(now, "%Y-%m-%d %H:%M");
    g_autofree char *safe = text_make_safe(what);

    return g_strdup_printf("process %d of %s since %s, run %s, %s", getpid(), g_get_user_name(), since, run_id, safe);
}

static int take_lock(const char *lock_path, const char *holder, GError **error)
{
    g_autofree char *text = g_strconcat(holder, "\n", NULL);
    int fd = open_locked(lock_path, error);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
        g_debug("lock %s: %s", lock_path, g_strerror(errno));
    return fd;
}

struct journal *journal_open(const char *monitor, const char *run_id, const char *what, GError **error)
{
    g_autofree char *folder = journal_folder(error);
    struct journal *j;

    if (!folder)
        return NULL;
    j = g_new0(struct journal, 1);
    j->key = identity_of_monitor(monitor);
    j->holder = holder_text(run_id, what);
    j->lock_path = g_strdup_printf("%s/%s.lock", folder, j->key);
    j->path = g_strdup_printf("%s/%s.json", folder, run_id);
    j->lock_fd = take_lock(j->lock_path, j->holder, error);
    if (j->lock_fd < 0) {
        journal_close(j, true);
        return NULL;
    }
    return j;
}

void journal_close(struct journal *j, bool is_all_undone)
{
    if (!j)
        return;
    if (is_all_undone && j->lock_fd >= 0)
        unlink(j->path);
    if (j->lock_fd >= 0) {
        unlink(j->lock_path); /* while it is locked: open_locked() looks again */
        close(j->lock_fd);
    }
    g_free(j->key);
    g_free(j->holder);
    g_free(j->lock_path);
    g_free(j->path);
    g_free(j);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* At once, but without fsync: a guest may be waiting for us, and what ends this machine ends its QEMU too. */
static bool replace_file(const char *path, const char *text, GError **error)
{
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok;

    errno = fd < 0 ? errno : ENOSPC; /* what a short write means */
    ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && rename(fresh, path) == 0;
    if (!ok)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "file %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!ok)
        unlink(fresh);
    return ok;
}

static json_object *strings_of(const GPtrArray *strings)
{
    json_object *list = json_object_new_array();

    for (unsigned i = 0; strings && i < strings->len; i++)
        json_object_array_add(list, json_object_new_string(g_ptr_array_index(strings, i)));
    return list;
}

bool journal_write(struct journal *j, const struct journal_record *r, GError **error)
{
    json_object *root = json_object_new_object();
    bool ok;

    json_object_object_add(root, "version", json_object_new_int(1));
    json_object_object_add(root, "key", json_object_new_string(j->key));
    json_object_object_add(root, "monitor", json_object_new_string(r->monitor));
    json_object_object_add(root, "run", json_object_new_string(r->run_id));
    json_object_object_add(root, "holder", json_object_new_string(j->holder));
    json_object_object_add(root, "sockets", strings_of(r->sockets));
    if (r->process)
        json_object_object_add(root, "qemu", json_object_new_string(r->process));
    json_object_object_add(root, "stopped", json_object_new_boolean(r->did_we_stop));
    json_object_object_add(root, "migrates", json_object_new_boolean(r->does_migrate));
    json_object_object_add(root, "nbd-server", json_object_new_boolean(r->has_nbd_server));
    if (r->is_saved)
        json_object_object_add(root, "saved", json_object_new_boolean(true));
    if (r->n_exports)
        json_object_object_add(root, "exports", json_object_new_int64(r->n_exports));
    if (r->agent)
        json_object_object_add(root, "agent", json_object_new_string(r->agent));
    if (r->has_capabilities)
        json_object_object_add(root, "capabilities", strings_of(r->capabilities));
    if (r->has_params) {
        json_object_object_add(root, "max-bandwidth", json_object_new_int64(r->max_bandwidth));
        json_object_object_add(root, "downtime-limit", json_object_new_int64(r->downtime_limit_ms));
    }
    const char *text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY);
    ok = replace_file(j->path, text, error);
    if (!ok)
        g_prefix_error(error, "journal: ");
    json_object_put(root);
    return ok;
}

/* --- reading ------------------------------------------------------------------------------------ */

void journal_record_free(struct journal_record *r)
{
    g_free(r->path);
    g_free(r->run_id);
    g_free(r->agent);
    g_free(r->holder);
    g_ptr_array_unref(r->sockets);
    g_ptr_array_unref(r->capabilities);
    g_free(r);
}

static char *string_in(json_object *object, const char *key)
{
    json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
        return g_strdup("");
    return g_strdup(json_object_get_string(value));
}

static bool is_true_in(json_object *object, const char *key)
{
    json_object *value = NULL;

    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

/* No more than a guest may have drives. */
static unsigned count_in(json_object *object, const char *key)
{
    json_object *value = NULL;
    int64_t n = json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;

    return (unsigned)CLAMP(n, 0, MAX_COUNT);
}

/* False when it is no list. */
static bool read_strings(GPtrArray *to, json_object *list)
{
    bool is_list = json_object_is_type(list, json_type_array);

    for (size_t i = 0; is_list && i < json_object_array_length(list); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        if (text)
            g_ptr_array_add(to, g_strdup(text));
    }
    return is_list;
}

/* Somebody holds the lock that the record's run took. */
static bool is_key_locked(const char *folder, const char *key)
{
    g_autofree char *lock_path = g_strdup_printf("%s/%s.lock", folder, key);
    int fd = open(lock_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool is_locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

    if (fd >= 0)
        close(fd);
    return is_locked;
}

static struct journal_record *record_of(const char *folder, const char *path, json_object *root, const char *key)
{
    struct journal_record *r = g_new0(struct journal_record, 1);
    g_autofree char *theirs = string_in(root, "key"), *process = string_in(root, "qemu");
    json_object *value = NULL;

    r->path = g_strdup(path);
    r->is_of_monitor = g_strcmp0(theirs, key) == 0;
    r->is_alive = is_key_locked(folder, theirs);
    r->is_qemu_gone = identity_is_gone(process);
    r->run_id = string_in(root, "run");
    r->agent = string_in(root, "agent");
    r->holder = string_in(root, "holder");
    r->sockets = g_ptr_array_new_with_free_func(g_free);
    r->capabilities = g_ptr_array_new_with_free_func(g_free);
    r->did_we_stop = is_true_in(root, "stopped");
    r->does_migrate = is_true_in(root, "migrates");
    r->has_nbd_server = is_true_in(root, "nbd-server");
    r->is_saved = is_true_in(root, "saved");
    r->n_exports = count_in(root, "exports");
    read_strings(r->sockets, json_object_object_get_ex(root, "sockets", &value) ? value : NULL);
    r->has_capabilities =
        read_strings(r->capabilities, json_object_object_get_ex(root, "capabilities", &value) ? value : NULL);
    if (json_object_object_get_ex(root, "max-bandwidth", &value)) {
        r->has_params = true;
        r->max_bandwidth = json_object_get_int64(value);
    }
    if (json_object_object_get_ex(root, "downtime-limit", &value))
        r->downtime_limit_ms = json_object_get_int64(value);
    return r;
}

static void read_one(GPtrArray *records, const char *folder, const char *name, const char *key)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    json_object *root = json_object_from_file(path);

    if (json_object_is_type(root, json_type_object))
        g_ptr_array_add(records, record_of(folder, path, root, key));
    json_object_put(root);
}

static void read_folder(GPtrArray *records, const char *folder, const char *key)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".json"))
            read_one(records, folder, name, key);
}

GPtrArray *journal_read_all(const char *monitor)
{
    GPtrArray *records = g_ptr_array_new_with_free_func((GDestroyNotify)journal_record_free);
    g_auto(GStrv) folders = places_of_runs(false);
    g_autofree char *key = monitor ? identity_of_monitor(monitor) : NULL;

    for (unsigned i = 0; folders[i]; i++)
        read_folder(records, folders[i], key);
    return records;
}

/* The sockets of a run lie in a folder beside its record, see door.c. */
static void forget_sockets(const struct journal_record *r)
{
    g_autofree char *folder = g_strndup(r->path, strlen(r->path) - strlen(".json"));
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        unlink(path);
    }
    rmdir(folder);
}

void journal_forget(const struct journal_record *r)
{
    forget_sockets(r);
    unlink(r->path);
}

bool journal_check_free(const char *monitor, GError **error)
{
    g_auto(GStrv) folders = places_of_runs(false);
    g_autofree char *key = identity_of_monitor(monitor);

    for (unsigned i = 0; folders[i]; i++) {
        g_autofree char *lock_path = g_strdup_printf("%s/%s.lock", folders[i], key);
        if (is_key_locked(folders[i], key)) {
            set_held(error, lock_path);
            return false;
        }
    }
    return true;
}
