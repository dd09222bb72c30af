// SPDX-License-Identifier: GPL-2.0-or-later
#include "nbd/status_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <libnbd.h>

#include "base/error.h"
#include "base/text.h"
#include "nbd/status.h"

struct nbd_status {
    uv_async_t ended; /* by the thread, which has nothing left to do */
    uv_timer_t limit;
    uv_thread_t thread;
    unsigned n_open;
    int fd; /* another name of the thread's socket, to end that by */
    bool has_thread, is_late;
    struct nbd_status_events events;
    void *user;
    /* the thread's, until it has ended */
    int its_fd;
    char *export, *context;
    struct nbd_status_walk walk;
    GError *error;
};

/* --- the thread --------------------------------------------------------------------------------- */

static bool fail(struct nbd_status *s)
{
    g_autofree char *why = text_make_safe(nbd_get_error());

    return vmb_fail(&s->error, VMB_ERROR_FAILED, "%s", why ? why : "unknown error");
}

static int on_extents(void *user, const char *context, uint64_t offset, uint32_t *pairs, size_t n, int *error)
{
    struct nbd_status *s = user;

    (void)error;
    if (g_str_equal(context, s->context))
        nbd_status_take(&s->walk, offset, pairs, n, s->events.on_range, s->user);
    return 0;
}

static bool connect_to(struct nbd_status *s, struct nbd_handle *h)
{
    int fd = s->its_fd;

    s->its_fd = -1; /* libnbd's from here on */
    if (nbd_connect_socket(h, fd) < 0)
        return fail(s);
    if (nbd_can_meta_context(h, s->context) != 1)
        return vmb_fail(&s->error, VMB_ERROR_FAILED, "the server tells no block status");
    if (nbd_get_size(h) != (int64_t)s->walk.size)
        return vmb_fail(&s->error, VMB_ERROR_FAILED, "the export is not as large as the drive");
    return true;
}

static bool walk(struct nbd_status *s, struct nbd_handle *h)
{
    struct nbd_status_walk *w = &s->walk;

    while (w->offset < w->size) {
        nbd_extent_callback callback = {.callback = on_extents, .user_data = s};
        uint64_t len = nbd_status_ask(w);
        if (nbd_block_status(h, len, w->offset, callback, 0) < 0)
            return fail(s);
        if (!nbd_status_answered(w))
            return vmb_fail(&s->error, VMB_ERROR_FAILED, "the server gives %s", w->why);
    }
    return true;
}

static void work(void *user)
{
    struct nbd_status *s = user;
    struct nbd_handle *h = nbd_create();
    sigset_t all; /* signals are for the thread that can end the work */

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    if (!h || nbd_set_export_name(h, s->export) < 0 || nbd_add_meta_context(h, s->context) < 0)
        fail(s);
    else if (connect_to(s, h) && walk(s, h))
        nbd_shutdown(h, 0);
    nbd_close(h);
    uv_async_send(&s->ended);
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct nbd_status *s = handle->data;

    if (--s->n_open > 0)
        return;
    if (s->is_late && s->error) {
        g_clear_error(&s->error);
        g_set_error(&s->error, VMB_ERROR, VMB_ERROR_FAILED, "it takes too long");
    }
    s->events.on_over(s->user, s->error);
    g_clear_error(&s->error);
    close(s->fd);
    if (s->its_fd >= 0)
        close(s->its_fd);
    g_free(s->export);
    g_free(s->context);
    g_free(s);
}

static void on_ended(uv_async_t *async)
{
    struct nbd_status *s = async->data;

    if (s->has_thread)
        uv_thread_join(&s->thread);
    uv_close((uv_handle_t *)&s->limit, on_closed);
    uv_close((uv_handle_t *)&s->ended, on_closed);
}

void nbd_status_end(struct nbd_status *s)
{
    shutdown(s->fd, SHUT_RDWR);
}

static void on_limit(uv_timer_t *timer)
{
    struct nbd_status *s = timer->data;

    s->is_late = true;
    nbd_status_end(s);
}

struct nbd_status *nbd_status_open(uv_loop_t *loop, int fd, const struct nbd_status_spec *spec,
                                   const struct nbd_status_events *events, void *user)
{
    struct nbd_status *s = g_new0(struct nbd_status, 1);

    s->its_fd = fd;
    s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    s->export = g_strdup(spec->export);
    s->context = spec->bitmap ? g_strconcat("qemu:dirty-bitmap:", spec->bitmap, NULL) : g_strdup("base:allocation");
    s->walk = (struct nbd_status_walk){.size = spec->size, .is_of_bitmap = spec->bitmap};
    s->events = *events;
    s->user = user;
    uv_async_init(loop, &s->ended, on_ended);
    uv_timer_init(loop, &s->limit);
    s->ended.data = s->limit.data = s;
    s->n_open = 2;
    uv_timer_start(&s->limit, on_limit, spec->limit_ms, 0);
    s->has_thread = s->fd >= 0 && uv_thread_create(&s->thread, work, s) == 0;
    if (!s->has_thread) {
        g_set_error(&s->error, VMB_ERROR, VMB_ERROR_FAILED, "no thread for it: %s", g_strerror(errno));
        uv_async_send(&s->ended);
    }
    return s;
}
