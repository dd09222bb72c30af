// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An NBD server's end of a conversation about block status, as bytes on a blocking socket, for servers that lie.
 *
 *     struct status_peer p = {.fd = fd, .size = size};
 *     uint8_t request[STATUS_REQUEST_BYTES];
 *     if (peer_shakes_hands(&p))
 *         while (peer_hears_request(&p, request))
 *             peer_says_extents(&p, request, true, pairs, n);          // length, flags, length, flags …
 */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include "base/be.h"
#include "nbd/wire.h"

#define STATUS_REQUEST_BYTES 28

struct status_peer {
    int fd;
    uint64_t size;       /* of the export */
    const char *context; /* that it tells of; NULL: base:allocation */
    bool has_no_context; /* it tells no status */
    bool is_talkative;   /* and never comes to the end of the handshake */
};

static inline bool peer_hears(const struct status_peer *p, void *to, size_t len)
{
    return !len || recv(p->fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

static inline bool peer_says(const struct status_peer *p, const void *bytes, size_t len)
{
    return send(p->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static inline bool peer_says_option(const struct status_peer *p, uint32_t option, uint32_t type, const void *data,
                                    uint32_t len)
{
    uint8_t bytes[20 + 128];

    be64_put(bytes, NBD_OPTION_REPLY_MAGIC);
    be32_put(bytes + 8, option);
    be32_put(bytes + 12, type);
    be32_put(bytes + 16, len);
    if (len)
        memcpy(bytes + 20, data, len);
    return peer_says(p, bytes, 20 + len);
}

static inline bool peer_says_info(const struct status_peer *p)
{
    uint8_t info[12] = {0};

    be64_put(info + 2, p->size);
    info[11] = NBD_FLAG_HAS_FLAGS;
    return peer_says_option(p, NBD_OPT_GO, NBD_REP_INFO, info, sizeof info);
}

static inline bool peer_answers_option(const struct status_peer *p, uint32_t option)
{
    uint8_t context[4 + 64] = {0, 0, 0, 7};
    const char *name = p->context ? p->context : "base:allocation";

    memcpy(context + 4, name, strlen(name));
    if (option == NBD_OPT_SET_META_CONTEXT && !p->has_no_context &&
        !peer_says_option(p, option, NBD_REP_META, context, (uint32_t)(4 + strlen(name))))
        return false;
    if (option == NBD_OPT_STRUCTURED_REPLY || option == NBD_OPT_SET_META_CONTEXT)
        return peer_says_option(p, option, NBD_REP_ACK, NULL, 0);
    if (option != NBD_OPT_GO)
        return peer_says_option(p, option, NBD_REP_ERR_UNSUP, NULL, 0);
    while (p->is_talkative && peer_says_info(p))
        ;
    return peer_says_info(p) && peer_says_option(p, option, NBD_REP_ACK, NULL, 0);
}

static inline bool peer_shakes_hands(const struct status_peer *p)
{
    uint8_t bytes[1024];
    uint32_t option = 0;

    if (!peer_says(p, "NBDMAGICIHAVEOPT\0\3", 18) || !peer_hears(p, bytes, 4))
        return false;
    while (option != NBD_OPT_GO) {
        if (!peer_hears(p, bytes, 16) || be32_get(bytes + 12) > sizeof bytes - 16)
            return false;
        option = be32_get(bytes + 8);
        if (!peer_hears(p, bytes + 16, be32_get(bytes + 12)) || !peer_answers_option(p, option))
            return false;
    }
    return true;
}

/* False: it was the last. */
static inline bool peer_hears_request(const struct status_peer *p, uint8_t request[STATUS_REQUEST_BYTES])
{
    return peer_hears(p, request, STATUS_REQUEST_BYTES) && request[7] == NBD_CMD_BLOCK_STATUS;
}

static inline bool peer_says_extents(const struct status_peer *p, const uint8_t *request, bool is_last,
                                     const uint32_t *pairs, unsigned n)
{
    uint8_t bytes[24 + 64] = {0};

    be32_put(bytes, NBD_CHUNK_MAGIC);
    bytes[5] = is_last;
    bytes[7] = NBD_CHUNK_BLOCK_STATUS;
    memcpy(bytes + 8, request + 8, 8);
    be32_put(bytes + 16, 4 + 4 * n);
    be32_put(bytes + 20, 7);
    for (unsigned i = 0; i < n; i++)
        be32_put(bytes + 24 + 4 * i, pairs[i]);
    return peer_says(p, bytes, 24 + 4 * n);
}
