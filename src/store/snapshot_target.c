// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot_target_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "store/snapshot_json.h"
#include "vma/header.h"

/* ---- on the loop ---- */

static void queue(struct snapshot_target *t, uv_work_t *request, uv_work_cb work, uv_after_work_cb after)
{
    int failed;

    request->data = t;
    failed = uv_queue_work(t->sink.loop, request, work, after);
    g_assert(failed == 0);
}

void snapshot_target_does(struct snapshot_target *t, const char *what)
{
    if (t->sink.done || t->sink.doing == what) /* finish, which begins when its writer is done */
        return;
    t->sink.doing = what;
    t->sink.began_ms = uv_now(t->sink.loop);
}

uint64_t snapshot_target_new_bytes(const struct sink *s)
{
    return s->written;
}

uint64_t snapshot_target_size(const struct sink *s)
{
    return snapshot_size(((const struct snapshot_target *)s)->snapshot);
}

uint32_t snapshot_target_chunk_bytes(const struct sink *s)
{
    return ((const struct snapshot_target *)s)->store->chunk_bytes;
}

/* Of zeros there may be none yet: their chunks are put at the end. */
bool snapshot_target_has_all(const struct sink *s, const struct chunk_index *x)
{
    const struct snapshot_target *t = (const struct snapshot_target *)s;

    for (uint64_t i = 0; i < x->n; i++)
        if (!chunk_index_is_zeros(x, i) && !chunk_folder_has(t->store->chunks, &x->ids[i]))
            return false;
    return true;
}

static void finish_in_pool(uv_work_t *request)
{
    struct snapshot_target *t = request->data;
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&t->naming);
    t->is_there = !g_atomic_int_get(&t->is_unwanted) && snapshot_commit(t->snapshot, t->store->chunks, &error);
    if (error) /* full, too: nothing is left to be tried again */
        vmb_error_set(&t->error, VMB_ERROR_TARGET, "%s", error->message);
    else if (!t->is_there)
        vmb_error_set(&t->error, VMB_ERROR_CANCELLED, "target %s: cancelled", t->sink.name);
    g_mutex_unlock(&t->naming);
}

/* Its name is known by now. */
static void name(struct snapshot_target *t)
{
    const char *path = t->snapshot->path;
    g_autofree char *folder = g_path_get_dirname(path), *last = g_path_get_basename(path);
    g_autofree char *safe = g_strdup_printf("%s/%s", t->sink.name, last);

    g_free(t->sink.name);
    g_free(t->sink.path);
    t->sink.name = g_steal_pointer(&safe);
    t->sink.path = g_strdup(path);
}

static void on_finished(uv_work_t *request, int status)
{
    struct snapshot_target *t = request->data;
    g_autoptr(GError) error = g_steal_pointer(&t->error);

    t->sink.is_finished = !error;
    if (!error)
        name(t);
    sink_complete(&t->sink, error);
    sink_unref(&t->sink);
}

static void target_finish(struct sink *s)
{
    struct snapshot_target *t = (struct snapshot_target *)s;

    sink_ref(s);
    queue(t, &t->finishing, finish_in_pool, on_finished);
}

static void remove_in_pool(uv_work_t *request)
{
    struct snapshot_target *t = request->data;

    g_mutex_lock(&t->naming);
    if (t->is_there) /* whoever gave it up may have been a moment too late */
        snapshot_remove(t->snapshot->path, NULL);
    else
        snapshot_abort(t->snapshot);
    g_mutex_unlock(&t->naming);
}

static void on_removed(uv_work_t *request, int status)
{
    struct snapshot_target *t = request->data;

    sink_unref(&t->sink);
}

static void target_abort(struct sink *s, bool keep_partial)
{
    struct snapshot_target *t = (struct snapshot_target *)s;

    g_atomic_int_set(&t->is_unwanted, true);
    sink_ref(s);
    queue(t, &t->removal, remove_in_pool, on_removed);
}

/* Chunks that have no name yet go, and the lock last. */
static void close_in_pool(uv_work_t *request)
{
    struct snapshot_target *t = request->data;

    chunk_batch_free(t->batch);
    store_free(t->store);
    if (t->sink.space.fd >= 0)
        close(t->sink.space.fd);
}

static void on_closed(uv_work_t *request, int status)
{
    struct snapshot_target *t = request->data;

    g_mutex_clear(&t->naming);
    snapshot_free(t->snapshot);
    g_free(t);
}

static void target_destroy(struct sink *s)
{
    struct snapshot_target *t = (struct snapshot_target *)s;

    queue(t, &t->closing, close_in_pool, on_closed);
}

static const struct sink_ops ops = {.finish = target_finish, .abort = target_abort, .destroy = target_destroy};

/* ---- opening ---- */

/* What dead runs have left goes where nobody else is at work in the store; where somebody is, another time. */
static struct store *open_store(const char *dir, GError **error)
{
    store_free(store_open(dir, STORE_EXCLUSIVE, NULL));
    return store_open(dir, STORE_SHARED, error);
}

static struct snapshot *load_last(const char *dir, const char *guest)
{
    g_autofree char *path = g_build_filename(dir, guest, SNAPSHOT_LATEST, NULL);

    return snapshot_load(path, NULL);
}

/* Guests without a name are called after their monitors, which often have the same name in different folders. */
static bool is_at(const struct snapshot *last, const char *dir, const char *folder, const char *monitor, GError **error)
{
    g_autofree char *told = snapshot_nameless_at(last), *other = text_make_safe(told), *where = text_make_safe(dir);

    return !told || !monitor || strcmp(told, monitor) == 0 ||
           vmb_fail(error, VMB_ERROR_TARGET,
                    "store %s: folder %s holds a guest with another monitor, %s; give each QEMU a -name", where, folder,
                    other);
}

bool snapshot_target_is_of(const char *dir, const char *guest, const char *monitor, GError **error)
{
    g_autofree char *folder = store_guest_name(guest), *told = NULL, *folder_of_told = NULL;
    g_autoptr(snapshot) last = load_last(dir, folder);

    told = last ? snapshot_guest(last) : NULL;
    folder_of_told = told ? store_guest_name(told) : NULL;
    if (!told || strcmp(told, guest) == 0 || strcmp(folder_of_told, folder)) /* imported under that name, say */
        return !last || is_at(last, dir, folder, monitor, error);
    g_autofree char *safe = text_make_safe(guest), *other = text_make_safe(told), *where = text_make_safe(dir);
    return vmb_fail(error, VMB_ERROR_TARGET,
                    "store %s: folder %s holds another guest, \"%s\"; rename \"%s\", or make it a store of its own",
                    where, folder, other, safe);
}

static struct snapshot_target *make(struct store *home, const char *guest, const char *run_id, GError **error)
{
    static const uint8_t unknown[16];
    g_autofree char *folder = g_build_filename(home->path, guest, NULL);
    g_autofree char *name_of_run = g_strdup_printf("%s-%08x", run_id, g_random_int()); /* which may begin twice */
    struct snapshot *s = snapshot_new(unknown, g_get_real_time() / G_USEC_PER_SEC, home->chunk_bytes);
    struct snapshot_target *t;

    if (!snapshot_begin(s, folder, name_of_run, error)) {
        snapshot_free(s);
        return NULL;
    }
    t = g_new0(struct snapshot_target, 1);
    g_mutex_init(&t->naming);
    t->snapshot = s;
    return t;
}

struct sink *snapshot_target_open(uv_loop_t *loop, const char *dir, const char *guest, const char *run_id, int level,
                                  GError **error)
{
    struct store *home = open_store(dir, error);
    g_autofree char *safe = store_guest_name(guest), *folder = NULL;
    struct snapshot_target *t = home ? make(home, safe, run_id, error) : NULL;

    signal(SIGXFSZ, SIG_IGN);
    if (!t) {
        store_free(home);
        return NULL;
    }
    folder = g_build_filename(home->path, safe, NULL);
    sink_init(&t->sink, &ops, loop, folder);
    t->store = home;
    t->batch = chunk_batch_new(home->chunks, level);
    t->sink.space.fd = open(home->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t->sink.can_rewrite = t->sink.can_cut = true;
    return &t->sink;
}
