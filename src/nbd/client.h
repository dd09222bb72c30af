// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Writing to an NBD server by libnbd: several connections, many requests in flight; blocking only while all
 * are.
 *
 *     g_autoptr(nbd_client_t) c = nbd_client_open("nbd+unix:///x?socket=/run/nbd.sock", &error);
 *     nbd_client_write(c, offset, bytes, len, &error);     // what follows on what came before is sent together
 *     nbd_client_zero(c, offset, len, &error);
 *     nbd_client_finish(c, &error);                        // all answered, and flushed
 *
 * An error of a request comes with a later call. Errors are VMB_ERROR_TARGET.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#define NBD_CLIENT_CONNECTIONS   4  /* if the server says that they see each other's writes */
#define NBD_CLIENT_REQUESTS      64 /* in flight, over all of them */
#define NBD_CLIENT_REQUEST_BYTES (256u << 10)

struct nbd_client;
struct nbd_client *nbd_client_open(const char *uri, GError **error);
/* A server of our own: a command that takes its listening socket by systemd's socket activation, as qemu-nbd
 * and nbdkit do. One connection. argv ends with NULL. */
struct nbd_client *nbd_client_spawn(const char *const *argv, GError **error);
/* NULL is allowed. A server that was spawned has ended. */
void nbd_client_free(struct nbd_client *c);
uint64_t nbd_client_size(const struct nbd_client *c);
bool nbd_client_is_read_only(const struct nbd_client *c);
bool nbd_client_write(struct nbd_client *c, uint64_t offset, const uint8_t *bytes, size_t len, GError **error);
bool nbd_client_zero(struct nbd_client *c, uint64_t offset, uint64_t len, GError **error);
bool nbd_client_finish(struct nbd_client *c, GError **error);

typedef struct nbd_client nbd_client_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(nbd_client_t, nbd_client_free)
