// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A front end of vhost-user-blk on libuv: QEMU reads an exported node straight into our buffers.
 *
 *     vhost_socket_pair(path, &listening, &connected, &error);
 *     ...getfd listening; getfd connected, for QEMU to hold; block-export-add
 *     struct vhost_front *f = vhost_open(loop, memory, 0, connected, &events, user, &error);
 *     ...on_ready: vhost_read(f, 0, 1 << 20, sixteen_buffers, tag) while vhost_room(f) > 0
 *     ...on_read: the buffers are filled
 *     ...vhost_in_flight(f) is 0: block-export-del; vhost_close(f, taken_back);       // f is freed after on_closed
 *
 * Seen on QEMU 7.2.22, 10.0.2 and 11.1, whose server of this type is easily killed:
 * - QEMU MUST HOLD OUR END, TOO. When it sees the connection end while reads are in flight and more are asked for, it
 *   aborts (vhost_user_server_inc_in_flight: Assertion `!server->wait_idle' failed; 11.1 was also seen to crash). To be
 *   killed in the midst of reads is enough: all three died within some tries. So give QEMU a duplicate of the connected
 *   socket (getfd, under a name of its own) before block-export-add, and take it back (closefd) after block-export-del.
 *   It stays over the end of our monitor connection, and only that monitor can take it back; a set of descriptors
 *   (add-fd) would not: 7.2 drops it with the last monitor, maybe too soon. So none of 20 killed readers did harm, on
 *   any version. And never close our end before block-export-del is answered: that first stops asking by itself.
 * - NEVER FOR A NODE OF AN IOTHREAD. While reads are asked for, `stop`, or a reboot of the guest, or whatever else
 *   drains, makes QEMU hang for good: on all three, and within a few tries. (By the source of 10.0.2 a read that begins
 *   while its node is being drained is put off until the end of that, which waits for the read: nothing calls
 *   blk_set_disable_request_queuing() for this type of export.) 7.2 may abort, too ("Co-routine was already
 *   scheduled"), and hangs in block-export-del of such a node even with nothing in flight. Of a node of the main loop
 *   thousands of stop and cont in the midst of reads did no harm.
 * - block-export-del ends the connection at once, so on_broken comes, but QEMU still reads what is in flight into our
 *   buffers, answers when that has ended, and does nothing else meanwhile. So ask for no more, let vhost_in_flight()
 *   become 0, and then delete: QEMU would hang as long as a disk does. BLOCK_EXPORT_DELETED follows the answer.
 *   It needs no `mode`: a connected client holds nothing.
 * - When a connection ends with nothing in flight, QEMU accepts the next one; a second one at the same time waits.
 * - While we stand still (SIGSTOP), stop, cont and system_reset take some milliseconds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>

struct vhost_front;
struct vhost_memory;

/* All called from the loop, none from within a function of this header. Copied by whom they are given to. */
struct vhost_events {
    /* The handshake is over: reads may be asked for. */
    void (*on_ready)(void *user, uint64_t capacity_bytes);
    /* One request has ended. 0: its buffers are filled; else an errno (EIO), and they hold anything. */
    void (*on_read)(void *user, void *tag, int error);
    /* QEMU has ended the connection, or lied. Only on_closed is called after it; what is in flight stays so. */
    void (*on_broken)(void *user, const GError *why);
    /* After vhost_close(): all handles are closed; the front is freed when this returns. */
    void (*on_closed)(void *user);
};

/* fd: a connected UNIX stream socket to QEMU's export (taken over, also on failure). queue: which ring area of the
 * memory, from 0; of one front at a time. The memory must live until on_closed. */
struct vhost_front *vhost_open(uv_loop_t *loop, struct vhost_memory *memory, unsigned queue, int fd,
                               const struct vhost_events *events, void *user, GError **error);
/* Asks for `len` bytes at `offset`, after on_ready. offset: a multiple of 64 KiB; len: a multiple of 512, of at most
 * vhost_max_clusters() clusters; buffers: one of 64 KiB in the memory's pool for each cluster begun, filled from its
 * begin (the array is copied). false: no room. QEMU is told at the loop's next turn, once for all that were asked. */
bool vhost_read(struct vhost_front *f, uint64_t offset, uint32_t len, uint8_t *const *buffers, void *tag);
unsigned vhost_room(const struct vhost_front *f); /* so many requests, of any length, fit now; 0 before on_ready */
unsigned vhost_max_clusters(const struct vhost_front *f);
unsigned vhost_in_flight(const struct vhost_front *f);
/* The caller knows by now that QEMU has removed the export or is gone: what is in flight is not written to any more.
 * taken_back, which may be NULL, is called from within for each of it. Allowed in any event but on_closed; once. */
void vhost_close(struct vhost_front *f, void (*taken_back)(void *user, void *tag));

/* A socket that listens, for QEMU (getfd), and one that is connected to it already, for vhost_open() and, duplicated,
 * for QEMU to hold (getfd: see above). Made at `path`, which is gone again when this returns. Both are the caller's.
 */
bool vhost_socket_pair(const char *path, int *listening, int *connected, GError **error);
