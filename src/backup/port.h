// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* One NBD connection of QEMU's into us: what it writes there becomes clusters of its drive. A part of run.h. */
#include <stdbool.h>
#include <glib.h>
#include "archive/intake.h"
#include "nbd/server_uv.h"

struct drive;
struct listening;

struct port {
    struct drive *drive;
    struct intake_source source; /* of the drive's clusters */
    bool is_filter;              /* f<n>: old data of clusters the guest is about to overwrite; else d<n>: the job */
    struct nbd_exports *exports; /* its own, so that nobody comes to another's by its door */
    struct nbd_export *export;
    struct nbd_listener *listener; /* until QEMU is in: for one connection */
    struct nbd_conn *conn;         /* NULL when there is none */
    bool is_expected_to_close;
};

void port_init(struct port *p, struct drive *d, bool is_filter);
/* Listens for one connection of QEMU's; the socket to be shown it, or NULL. */
struct listening *port_open(struct port *p, GError **error);
/* Only when QEMU has no node any more that would use it. */
void port_close(struct port *p);
