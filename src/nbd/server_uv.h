// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * NBD connections on libuv: over a descriptor that was handed to us or to QEMU, or a listening socket.
 *
 *     struct nbd_conn *c = nbd_conn_open(loop, fd, exports, &events, user, &error);
 *     ...
 *     nbd_conn_shutdown(c);      // on_closed comes later, from the loop; c is freed after it
 */
#include <uv.h>
#include <glib.h>
#include "nbd/server.h"

struct nbd_conn;

/* Copied by whom they are given to. */
struct nbd_conn_events {
    /* The client chose an export (GO or EXPORT_NAME). May be NULL. */
    void (*on_export)(void *user, struct nbd_conn *conn, const struct nbd_export *export);
    /* The connection is gone; exactly once. clean: DISC or ABORT; why: a sentence (never NULL). The conn is
     * freed when this returns. */
    void (*on_closed)(void *user, struct nbd_conn *conn, bool clean, const char *why);
};

/* Serves `fd` (a connected stream socket; taken over, also on failure). */
struct nbd_conn *nbd_conn_open(uv_loop_t *loop, int fd, const struct nbd_exports *exports,
                               const struct nbd_conn_events *events, void *user, GError **error);
/* Ends it now, whatever is in flight; on_closed(clean = false) comes from the loop. Idempotent, and allowed
 * anywhere before on_closed returns, also in an export's callbacks. */
void nbd_conn_shutdown(struct nbd_conn *conn);
/* Held: nothing more is read from it, so its client waits; what was read is answered all the same. Only for clients
 * that may be made to wait. A client that leaves meanwhile is noticed when it is let go. */
void nbd_conn_hold(struct nbd_conn *conn, bool is_held);
/* Kept: what is answered is sent when they are let go. */
void nbd_conn_keep_replies(struct nbd_conn *conn, bool are_kept);
const struct nbd_export *nbd_conn_export(const struct nbd_conn *conn);
/* A tag for the owner: which purpose this connection serves. */
void nbd_conn_set_tag(struct nbd_conn *conn, void *tag);
void *nbd_conn_tag(const struct nbd_conn *conn);

struct listening;
struct nbd_listener;
/* Listens on a UNIX socket at `path` (mode 0600; a stale socket file nobody answers on is replaced, anything
 * else is an error). Every client becomes an nbd_conn with these events. */
struct nbd_listener *nbd_listener_open(uv_loop_t *loop, const char *path, const struct nbd_exports *exports,
                                       const struct nbd_conn_events *events, void *user, GError **error);
/* Where it listens: borrowed. */
struct listening *nbd_listener_socket(struct nbd_listener *listener);
/* Stops listening, removes the path if it is still ours. Connections stay, except those that have not chosen
 * an export yet, which only the listener knows: these are shut down. Freed from the loop. */
void nbd_listener_close(struct nbd_listener *listener);
