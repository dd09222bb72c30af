// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Between a listener and its connections: it knows those that have not chosen an export yet. */
#include "nbd/server_uv.h"

/* `conn` says nbd_listener_forget() when it chooses an export, or ends before it. */
void nbd_conn_set_listener(struct nbd_conn *conn, struct nbd_listener *listener);
void nbd_listener_forget(struct nbd_listener *listener, struct nbd_conn *conn);
