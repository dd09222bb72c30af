// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The handshake of vhost-user, our side: bytes and descriptors to send, bytes in. No socket.
 *
 *     struct vhost_message *m = vhost_message_new(&setup);
 *     while ((bytes = vhost_message_output(m, &len, &fd)))
 *         vhost_message_sent(m, ...sent, fd along with the first byte...);
 *     if (vhost_message_input(m, bytes, len) == VHOST_MESSAGE_READY)
 *         ...vhost_message_capacity(m)...
 *
 * The order: features are asked for and chosen, the memory and the ring are told, and the configuration is asked for
 * last, since its answer shows that QEMU has taken everything before it.
 */
#include <stddef.h>
#include <stdint.h>

/* All of it as the device is told; addresses are device addresses (vhost/memory.h). */
struct vhost_message_setup {
    uint64_t memory_bytes;
    uint64_t descriptors, avail, used;
    unsigned n_slots;
};
enum vhost_message_fd { VHOST_FD_NONE, VHOST_FD_MEMORY, VHOST_FD_KICK, VHOST_FD_CALL };
enum vhost_message_verdict {
    VHOST_MESSAGE_GOES_ON,
    VHOST_MESSAGE_READY, /* reads may be asked for */
    VHOST_MESSAGE_BROKEN,
};

struct vhost_message;
struct vhost_message *vhost_message_new(const struct vhost_message_setup *setup);
void vhost_message_free(struct vhost_message *m);
/* What is left of the next message to be sent, NULL for nothing. fd: what goes along with the first byte. */
const uint8_t *vhost_message_output(struct vhost_message *m, size_t *len, enum vhost_message_fd *fd);
void vhost_message_sent(struct vhost_message *m, size_t len);
/* Takes what was received, in any pieces. The verdict stands once it is READY or BROKEN; after READY nothing is
 * expected: a byte more is BROKEN. */
enum vhost_message_verdict vhost_message_input(struct vhost_message *m, const uint8_t *bytes, size_t len);
const char *vhost_message_why(const struct vhost_message *m); /* a sentence; "" unless broken */

/* When READY. */
uint64_t vhost_message_capacity(const struct vhost_message *m);     /* bytes, more than 0 */
unsigned vhost_message_max_segments(const struct vhost_message *m); /* data descriptors of a request, at least 1 */
