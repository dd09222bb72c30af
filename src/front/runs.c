// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/runs.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/control.h"
#include "base/error.h"
#include "base/lines.h"
#include "base/text.h"
#include "model/replay.h"
#include "rescue/places.h"

#define MAX_STATE (8u << 20)

void runs_entry_free(struct runs_entry *e)
{
    if (!e)
        return;
    replay_free(e->replay);
    g_free(e->path);
    g_free(e->run_id);
    g_free(e->state);
    g_free(e);
}

int runs_connect(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool fits = g_strlcpy(address.sun_path, path, sizeof address.sun_path) < sizeof address.sun_path;
    if (!fits)
        errno = ENAMETOOLONG;
    if (fd >= 0 && fits && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    g_set_error(error, VMB_ERROR, VMB_ERROR_MONITOR, "control socket %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- a conversation ----------------------------------------------------------------------------- */

struct talk {
    struct replay *replay;
    GString *heard;
    struct model_event e; /* the last one */
    enum model_event_type wanted;
    bool is_over;
};

static void on_line(void *user, const char *line, size_t len)
{
    struct talk *t = user;
    struct model_event e;
    if (t->is_over || !line || replay_line(t->replay, line, len, &e, NULL) != REPLAY_EVENT)
        return;
    g_string_append(t->heard, line);
    g_string_append_c(t->heard, '\n');
    t->e = e;
    t->is_over = e.type == t->wanted || e.type == MODEL_EV_RESULT || t->heard->len > MAX_STATE;
}

static void set_patience(int fd)
{
    struct timeval patience = {.tv_sec = RUNS_PATIENCE_MS / 1000, .tv_usec = RUNS_PATIENCE_MS % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* Listens until an event of that type, or the last of all. */
static bool hear(struct talk *t, int fd, enum model_event_type wanted)
{
    gint64 end = g_get_monotonic_time() + RUNS_PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
    struct lines *lines = lines_new(REPLAY_MAX_LINE, on_line, t);
    char bytes[4096];
    t->wanted = wanted;
    t->is_over = false;
    while (!t->is_over && g_get_monotonic_time() < end) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n > 0)
            lines_feed(lines, bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    lines_free(lines);
    return t->is_over && (t->e.type == wanted || wanted == MODEL_EV_IMPACT);
}

static int begin(const char *path, struct talk *t, GError **error)
{
    int fd = runs_connect(path, error);
    *t = (struct talk){.replay = replay_new(), .heard = g_string_new(NULL)};
    if (fd < 0)
        return -1;
    set_patience(fd);
    if (hear(t, fd, MODEL_EV_IMPACT)) /* what tells how it stands ends with it */
        return fd;
    g_set_error(error, VMB_ERROR, VMB_ERROR_MONITOR, "control socket %s: no answer", path);
    close(fd);
    return -1;
}

/* Takes the replay out of it. */
static void forget(struct talk *t)
{
    replay_free(t->replay);
    if (t->heard)
        g_string_free(t->heard, TRUE);
}

/* --- finding ------------------------------------------------------------------------------------ */

static struct runs_entry *look(const char *path)
{
    struct talk t;
    int fd = begin(path, &t, NULL);
    struct runs_entry *e = NULL;
    if (fd >= 0) {
        e = g_new0(struct runs_entry, 1);
        e->path = g_strdup(path);
        e->run_id = g_strdup(replay_job(t.replay));
        e->state = g_string_free(g_steal_pointer(&t.heard), FALSE);
        e->replay = g_steal_pointer(&t.replay);
        e->model = replay_model(e->replay);
        close(fd);
    }
    forget(&t);
    return e;
}

static int by_guest(const void *a, const void *b)
{
    const struct runs_entry *left = *(struct runs_entry *const *)a, *right = *(struct runs_entry *const *)b;
    int order = strcmp(left->model->guest, right->model->guest);
    return order ? order : strcmp(left->run_id, right->run_id);
}

static void list_in(GPtrArray *all, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct runs_entry *e = g_str_has_suffix(name, ".sock") ? look(path) : NULL;
        if (e)
            g_ptr_array_add(all, e);
    }
}

GPtrArray *runs_list(void)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)runs_entry_free);
    g_auto(GStrv) folders = places_of_runs(true);
    control_purge();
    for (unsigned i = 0; folders[i]; i++)
        list_in(all, folders[i]);
    g_ptr_array_sort(all, by_guest);
    return all;
}

static const char *socket_path(const char *monitor)
{
    return g_str_has_prefix(monitor, "unix:") ? monitor + strlen("unix:") : monitor;
}

static bool is_same_monitor(const char *a, const char *b)
{
    struct stat left, right;
    if (g_str_equal(a, b))
        return true;
    return stat(socket_path(a), &left) == 0 && stat(socket_path(b), &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

struct runs_entry *runs_find(const char *run, GError **error)
{
    g_autoptr(GPtrArray) all = runs_list();
    g_autofree char *safe = text_make_safe(run);
    int found = -1;
    for (unsigned i = 0; i < all->len; i++) {
        const struct runs_entry *e = g_ptr_array_index(all, i);
        if (!g_str_equal(e->run_id, run) && !is_same_monitor(e->model->monitor, run))
            continue;
        if (found >= 0)
            return vmb_null(error, VMB_ERROR_USAGE, "run %s: there are several; name it by its id (vmabackup runs)",
                            safe);
        found = (int)i;
    }
    if (found < 0)
        return vmb_null(error, VMB_ERROR_MONITOR, "run %s: there is none; `vmabackup runs` lists them", safe);
    return g_ptr_array_steal_index(all, (unsigned)found);
}

/* --- asking ------------------------------------------------------------------------------------- */

char *runs_ask(const struct runs_entry *e, const char *line, GError **error)
{
    struct talk t;
    char *answer = NULL;
    int fd = begin(e->path, &t, error);
    g_autofree char *sent = g_strconcat(line, "\n", NULL);
    if (fd >= 0 && (send(fd, sent, strlen(sent), MSG_NOSIGNAL) < 0 || !hear(&t, fd, MODEL_EV_REPLY)))
        g_set_error(error, VMB_ERROR, VMB_ERROR_MONITOR, "run %s: no answer", e->run_id);
    else if (fd >= 0 && t.e.ok)
        answer = g_strdup(t.e.text ? t.e.text : "");
    else if (fd >= 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "%s", t.e.text ? t.e.text : "refused");
    if (fd >= 0)
        close(fd);
    forget(&t);
    return answer;
}
