// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/nearby_uv.h"

#include <stdlib.h>
#include <string.h>

#include "qmp/address.h"
#include "qmp/calls.h"

#define ANSWER_MS   2000
#define LOOK_MS     10000 /* between two looks */
#define MAX_PROBES  32
#define MAX_FOLDERS 4

struct probe {
    struct nearby *n;
    char *path;
    struct qmp *qmp;
    struct qmp_version version;
};

struct nearby {
    uv_loop_t *loop;
    struct model *m; /* NULL once it was closed */
    char *monitor;
    uint64_t next_look_ms;
    struct {
        uv_fs_t fs;
        char *path;
        bool is_busy;
    } folders[MAX_FOLDERS];
    struct probe probes[MAX_PROBES];
    unsigned n_probes, n_waiting; /* folders and probes that have not answered */
    struct model_nearby found[MODEL_MAX_NEARBY];
    unsigned n_found;
};

struct nearby *nearby_new(uv_loop_t *loop, struct model *m)
{
    struct nearby *n = g_new0(struct nearby, 1);

    n->loop = loop;
    n->m = m;
    return n;
}

/* --- the end of a look -------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    return strcmp(((const struct model_nearby *)a)->address, ((const struct model_nearby *)b)->address);
}

static void probe_close(struct probe *p)
{
    g_clear_pointer(&p->qmp, qmp_close);
    g_clear_pointer(&p->path, g_free);
}

static void publish(struct nearby *n)
{
    qsort(n->found, n->n_found, sizeof *n->found, by_address);
    memcpy(n->m->link.nearby, n->found, sizeof n->found);
    n->m->link.n_nearby = n->n_found;
}

static void look_ended(struct nearby *n)
{
    for (unsigned i = 0; i < n->n_probes; i++)
        probe_close(&n->probes[i]);
    n->n_probes = 0;
    n->next_look_ms = uv_now(n->loop) + LOOK_MS;
    publish(n);
}

static void one_answered(struct nearby *n)
{
    if (--n->n_waiting == 0)
        look_ended(n);
}

/* --- one socket --------------------------------------------------------------------------------- */

static void on_name(void *user, const char *name, const GError *error)
{
    struct probe *p = user;
    struct nearby *n = p->n;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        return; /* on_lost comes too */
    if (n->n_found < MODEL_MAX_NEARBY) {
        struct model_nearby *found = &n->found[n->n_found++];
        g_autofree char *base = g_path_get_basename(p->path);
        model_set(found->address, "%s", p->path);
        model_set(found->guest, "%s", name && *name ? name : base);
        model_set(found->qemu, "%d.%d.%d", p->version.major, p->version.minor, p->version.micro);
    }
    g_clear_pointer(&p->qmp, qmp_close);
    if (n->n_found > n->m->link.n_nearby) /* more than was known: not only when the slowest has answered */
        publish(n);
    one_answered(n);
}

static void on_version(void *user, const struct qmp_version *v, const GError *error)
{
    struct probe *p = user;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        return;
    if (v)
        p->version = *v;
    qmp_query_name(p->qmp, on_name, p);
}

static void on_ready(void *user)
{
    struct probe *p = user;

    qmp_query_version(p->qmp, on_version, p);
}

static void on_event(void *user, const struct qmp_event *event)
{
}

/* No QMP, held by another program, or nobody listens: it is simply not offered. */
static void on_lost(void *user, const GError *error)
{
    struct probe *p = user;

    g_clear_pointer(&p->qmp, qmp_close);
    one_answered(p->n);
}

static void ask(struct nearby *n, const char *folder, const char *name)
{
    static const struct qmp_listener listener = {.on_ready = on_ready, .on_event = on_event, .on_lost = on_lost};
    g_autofree char *path = g_build_filename(folder, name, NULL);
    struct probe *p = &n->probes[n->n_probes];

    if (n->n_probes == MAX_PROBES || strcmp(path, n->monitor) == 0 || strlen(path) >= MODEL_TEXT_LEN)
        return;
    *p = (struct probe){.n = n, .path = g_steal_pointer(&path)};
    n->n_probes++;
    n->n_waiting++;
    p->qmp = qmp_open(n->loop, p->path, ANSWER_MS, &listener, p);
}

/* --- the folders -------------------------------------------------------------------------------- */

static void nearby_free(struct nearby *n)
{
    for (unsigned i = 0; i < MAX_FOLDERS; i++)
        g_free(n->folders[i].path);
    g_free(n->monitor);
    g_free(n);
}

static bool is_any_busy(const struct nearby *n)
{
    for (unsigned i = 0; i < MAX_FOLDERS; i++)
        if (n->folders[i].is_busy)
            return true;
    return false;
}

static void on_folder(uv_fs_t *fs)
{
    struct nearby *n = fs->data;
    unsigned at = 0;
    uv_dirent_t entry;

    while (fs != &n->folders[at].fs)
        at++;
    n->folders[at].is_busy = false;
    while (n->m && uv_fs_scandir_next(fs, &entry) == 0)
        if (entry.type == UV_DIRENT_SOCKET)
            ask(n, n->folders[at].path, entry.name);
    uv_fs_req_cleanup(fs);
    if (n->m)
        one_answered(n);
    else if (!is_any_busy(n))
        nearby_free(n);
}

static void read_folder(struct nearby *n, unsigned *at, const char *path)
{
    for (unsigned i = 0; i < *at; i++)
        if (strcmp(n->folders[i].path, path) == 0)
            return;
    g_free(n->folders[*at].path);
    n->folders[*at].path = g_strdup(path);
    n->folders[*at].fs.data = n;
    n->folders[*at].is_busy = uv_fs_scandir(n->loop, &n->folders[*at].fs, path, 0, on_folder) == 0;
    n->n_waiting += n->folders[*at].is_busy;
    ++*at;
}

void nearby_look(struct nearby *n, const char *monitor)
{
    g_autofree char *path = qmp_address_path(monitor);
    g_autofree char *folder = path ? g_path_get_dirname(path) : NULL;
    unsigned at = 0;

    if (n->n_waiting || uv_now(n->loop) < n->next_look_ms)
        return;
    g_free(n->monitor);
    n->monitor = path ? g_steal_pointer(&path) : g_strdup(monitor);
    n->n_found = 0;
    n->n_waiting = 1; /* this function itself */
    if (folder)
        read_folder(n, &at, folder);
    read_folder(n, &at, "/run/qemu");
    read_folder(n, &at, "/run/qemu-server");
    read_folder(n, &at, "/var/run/qemu-server");
    one_answered(n);
}

void nearby_close(struct nearby *n)
{
    if (!n)
        return;
    n->m = NULL;
    for (unsigned i = 0; i < n->n_probes; i++)
        probe_close(&n->probes[i]);
    if (!is_any_busy(n))
        nearby_free(n);
}
