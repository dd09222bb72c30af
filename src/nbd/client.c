// SPDX-License-Identifier: GPL-2.0-or-later
#include "nbd/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <libnbd.h>

#include "base/error.h"
#include "base/text.h"

#define SMALL_ZERO_BYTES (64u << 10)  /* below it zeros go along with the data around them */
#define MAX_ZERO_BYTES   (128u << 20) /* some servers write them */
#define TIMEOUT_MS       60000

/* A request: one that is being filled, one under way, or a free one. */
struct request {
    struct nbd_client *client;
    uint8_t *buffer;
    uint64_t offset;
    uint32_t len;
    bool is_busy;
};

struct nbd_client {
    struct nbd_handle *connections[NBD_CLIENT_CONNECTIONS];
    unsigned n_connections, next; /* the next one to use */
    struct request requests[NBD_CLIENT_REQUESTS];
    unsigned n_busy;
    struct request *filling; /* or NULL */
    uint64_t size;
    bool is_read_only, can_zero;
    int failed; /* errno of a request */
};

static bool fail(GError **error, const char *what)
{
    g_autofree char *why = text_make_safe(nbd_get_error());
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "%s: %s", what, why ? why : "unknown error");
    return false;
}

/* ---- connections ---- */

/* A handle that did not come to a connection. */
static struct nbd_handle *give_up(struct nbd_handle *h, GError **error)
{
    fail(error, "cannot connect");
    nbd_close(h);
    return NULL;
}

static struct nbd_handle *connect_uri(const char *uri, GError **error)
{
    struct nbd_handle *h = nbd_create();
    return h && nbd_connect_uri(h, uri) == 0 ? h : give_up(h, error);
}

static struct nbd_client *client_new(struct nbd_handle *first, GError **error)
{
    struct nbd_client *c = g_new0(struct nbd_client, 1);
    int64_t size = nbd_get_size(first);
    for (unsigned i = 0; i < NBD_CLIENT_REQUESTS; i++)
        c->requests[i].client = c;
    c->connections[c->n_connections++] = first;
    c->is_read_only = nbd_is_read_only(first) != 0;
    c->can_zero = nbd_can_zero(first) == 1;
    c->size = size < 0 ? 0 : (uint64_t)size;
    if (size >= 0)
        return c;
    fail(error, "its size cannot be told");
    nbd_client_free(c);
    return NULL;
}

struct nbd_client *nbd_client_spawn(const char *const *argv, GError **error)
{
    struct nbd_handle *h = nbd_create();
    if (!h || nbd_connect_systemd_socket_activation(h, (char **)argv) != 0)
        h = give_up(h, error);
    return h ? client_new(h, error) : NULL;
}

struct nbd_client *nbd_client_open(const char *uri, GError **error)
{
    struct nbd_handle *h = connect_uri(uri, error);
    struct nbd_client *c = h ? client_new(h, error) : NULL;
    while (c && nbd_can_multi_conn(h) == 1 && c->n_connections < NBD_CLIENT_CONNECTIONS) {
        struct nbd_handle *more = connect_uri(uri, NULL);
        if (!more) /* a server may allow fewer: those we have will do */
            break;
        c->connections[c->n_connections++] = more;
    }
    return c;
}

void nbd_client_free(struct nbd_client *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_connections; i++)
        nbd_close(c->connections[i]); /* ends requests under way: their callbacks are called */
    for (unsigned i = 0; i < NBD_CLIENT_REQUESTS; i++)
        g_free(c->requests[i].buffer);
    g_free(c);
}

uint64_t nbd_client_size(const struct nbd_client *c)
{
    return c->size;
}

bool nbd_client_is_read_only(const struct nbd_client *c)
{
    return c->is_read_only;
}

/* ---- requests ---- */

static int on_answered(void *user, int *error_number)
{
    struct request *r = user;
    if (*error_number && !r->client->failed)
        r->client->failed = *error_number;
    r->is_busy = false;
    r->client->n_busy--;
    return 1; /* retire it */
}

static bool check_failed(struct nbd_client *c, GError **error)
{
    if (!c->failed)
        return true;
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "the server cannot write: %s", g_strerror(c->failed));
    return false;
}

static bool notify(struct nbd_handle *h, short events, GError **error)
{
    if (events & (POLLIN | POLLHUP | POLLERR) && nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_READ)
        return nbd_aio_notify_read(h) == 0 || fail(error, "connection lost");
    if (events & POLLOUT && nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_WRITE)
        return nbd_aio_notify_write(h) == 0 || fail(error, "connection lost");
    return true;
}

/* Until something has moved on some connection. */
static bool wait_once(struct nbd_client *c, GError **error)
{
    struct pollfd fds[NBD_CLIENT_CONNECTIONS];
    for (unsigned i = 0; i < c->n_connections; i++) {
        unsigned direction = nbd_aio_get_direction(c->connections[i]);
        fds[i] = (struct pollfd){.fd = nbd_aio_get_fd(c->connections[i])};
        fds[i].events = (short)((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                                (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
    }
    int n = poll(fds, c->n_connections, TIMEOUT_MS);
    if (n < 0 && errno == EINTR)
        g_set_error_literal(error, VMB_ERROR, VMB_ERROR_CANCELLED, "interrupted");
    else if (n <= 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "the server has not answered for %u s", TIMEOUT_MS / 1000);
    if (n <= 0)
        return false;
    for (unsigned i = 0; i < c->n_connections; i++)
        if (fds[i].revents && !notify(c->connections[i], fds[i].revents, error))
            return false;
    return check_failed(c, error);
}

/* One that is not busy; waits for it. NULL with error set. */
static struct request *free_request(struct nbd_client *c, GError **error)
{
    while (c->n_busy + (c->filling != NULL) >= NBD_CLIENT_REQUESTS)
        if (!wait_once(c, error))
            return NULL;
    for (unsigned i = 0; i < NBD_CLIENT_REQUESTS; i++)
        if (!c->requests[i].is_busy && &c->requests[i] != c->filling)
            return &c->requests[i];
    g_assert_not_reached();
}

/* data: of r->buffer, else zeros of any length. */
static bool issue(struct nbd_client *c, struct request *r, uint64_t len, bool is_data, GError **error)
{
    struct nbd_handle *h = c->connections[c->next];
    nbd_completion_callback done = {.callback = on_answered, .user_data = r};
    c->next = (c->next + 1) % c->n_connections;
    r->is_busy = true;
    c->n_busy++;
    int64_t cookie =
        is_data ? nbd_aio_pwrite(h, r->buffer, len, r->offset, done, 0) : nbd_aio_zero(h, len, r->offset, done, 0);
    if (cookie < 0 && r->is_busy) { /* libnbd did not take it, nor call back */
        r->is_busy = false;
        c->n_busy--;
    }
    return cookie >= 0 || fail(error, "request not sent");
}

static bool send_filled(struct nbd_client *c, GError **error)
{
    struct request *r = g_steal_pointer(&c->filling);
    return !r || issue(c, r, r->len, true, error);
}

/* bytes: NULL = zeros. */
static bool append(struct nbd_client *c, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    while (len) {
        struct request *r = c->filling;
        if (r && (r->offset + r->len != offset || r->len == NBD_CLIENT_REQUEST_BYTES)) {
            if (!send_filled(c, error))
                return false;
            r = NULL;
        }
        if (!r) {
            if (!(r = free_request(c, error)))
                return false;
            if (!r->buffer)
                r->buffer = g_malloc(NBD_CLIENT_REQUEST_BYTES);
            r->offset = offset;
            r->len = 0;
            c->filling = r;
        }
        size_t n = MIN(len, NBD_CLIENT_REQUEST_BYTES - r->len);
        if (bytes)
            memcpy(r->buffer + r->len, bytes, n);
        else
            memset(r->buffer + r->len, 0, n);
        bytes = bytes ? bytes + n : NULL;
        r->len += (uint32_t)n;
        offset += n;
        len -= n;
    }
    return true;
}

bool nbd_client_write(struct nbd_client *c, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    return check_failed(c, error) && append(c, offset, bytes, len, error);
}

bool nbd_client_zero(struct nbd_client *c, uint64_t offset, uint64_t len, GError **error)
{
    if (!check_failed(c, error))
        return false;
    while (len) {
        uint64_t n = MIN(len, MAX_ZERO_BYTES);
        if (!c->can_zero || n < SMALL_ZERO_BYTES) {
            if (!append(c, offset, NULL, n, error))
                return false;
        } else {
            struct request *r = free_request(c, error);
            if (!r)
                return false;
            r->offset = offset;
            if (!issue(c, r, n, false, error))
                return false;
        }
        offset += n;
        len -= n;
    }
    return true;
}

bool nbd_client_finish(struct nbd_client *c, GError **error)
{
    if (!check_failed(c, error) || !send_filled(c, error))
        return false;
    while (c->n_busy)
        if (!wait_once(c, error))
            return false;
    /* With several connections a flush of one covers all: so it is promised by "multi-conn". */
    if (nbd_can_flush(c->connections[0]) == 1 && nbd_flush(c->connections[0], 0) < 0)
        return fail(error, "cannot flush");
    for (unsigned i = 0; i < c->n_connections; i++)
        nbd_shutdown(c->connections[i], 0);
    return true;
}
