// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One NBD connection, server side, without a socket: bytes in, bytes out.
 *
 *     struct nbd_server *s = nbd_server_new(exports);
 *     for (;;) {
 *         size_t room;
 *         void *at = nbd_server_want(s, &room);       // where the next bytes from the client go
 *         ssize_t n = read(fd, at, room);
 *         enum nbd_verdict v = nbd_server_got(s, n);  // n bytes have landed there
 *         ... write nbd_server_output(s) ...          // replies, never held back
 *     }
 *
 * The payload of a WRITE is never copied here: the export says where each next byte goes
 * (write_room), so it lands straight in a cluster buffer. The result is the same however the bytes
 * are split. Specification: the NBD protocol, fixed newstyle (doc/proto.md of the NBD project).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <glib.h>

/* The largest WRITE or READ taken, as the client is told. A larger READ is EINVAL, a larger WRITE ends the
 * connection: its payload would have to be swallowed, and only a client that is broken sends it. */
#define NBD_MAX_REQUEST_BYTES       (32u << 20)
#define NBD_PREFERRED_REQUEST_BYTES (64u << 10)

/* A request under way. The export may keep what it likes in `user`, NULL at first. */
struct nbd_request {
    uint64_t offset;
    uint32_t len;
    uint16_t type; /* NBD_CMD_* of nbd/wire.h */
    uint16_t flags;
    uint64_t cookie; /* the client's handle, opaque */
    void *user;
};

/*
 * A READ that is answered later. It belongs to the server until start_read is called with it, then to the export
 * until nbd_read_done(), which must come exactly once for each, even when the connection has gone meanwhile.
 */
struct nbd_read {
    uint64_t offset;
    uint32_t len;
    uint8_t *to; /* len bytes go here */
};
/* error: 0 or a positive errno. On the connection's thread. May be called from inside start_read. */
void nbd_read_done(struct nbd_read *read, int error);

/* Bytes of one kind, as BLOCK_STATUS tells them. */
struct nbd_extent {
    uint32_t len;
    uint32_t state; /* NBD_STATE_* of nbd/wire.h */
};

/*
 * What an export does. All return 0 or a positive errno, which goes to the client; all but start_read answer at
 * once: where a guest depends on it, this server never makes a client wait. `user` is nbd_export.user. Ranges are
 * checked before: offset + len <= size, len > 0. write_* may be NULL for a read-only export, read may be NULL (EINVAL).
 */
struct nbd_export_ops {
    /* A WRITE's header has come. A non-zero errno: the payload is swallowed, then that error is replied. */
    int (*write_begin)(void *user, struct nbd_request *rq);
    /* Where payload byte `done` (0…len-1) goes: returns memory for *room >= 1 bytes from there on, stable
     * until the next write_room or write_end of this request. NULL: no memory left, drop the connection. */
    void *(*write_room)(void *user, struct nbd_request *rq, uint32_t done, size_t *room);
    /* The bytes up to `done` have landed (called after every read; done == len comes before write_end).
     * A non-zero errno fails the request: the rest is swallowed. */
    int (*write_landed)(void *user, struct nbd_request *rq, uint32_t done);
    /* The request is over: replied with `error`, or, if `cut`, its connection died in the payload.
     * Called exactly once for every write_begin that returned 0. */
    void (*write_end)(void *user, struct nbd_request *rq, int error, bool cut);
    int (*zeroes)(void *user, const struct nbd_request *rq); /* WRITE_ZEROES */
    int (*trim)(void *user, const struct nbd_request *rq);   /* NULL: TRIM succeeds and does nothing */
    int (*flush)(void *user);                                /* NULL: success */
    int (*read)(void *user, const struct nbd_request *rq, void *to);
    /* Instead of read, for an export whose bytes take time. Replies come in the order of nbd_read_done(). */
    void (*start_read)(void *user, struct nbd_read *read);
    /* BLOCK_STATUS: what the rq->len bytes from rq->offset on are, in order; all of them, or as many as fit into max
     * extents (1 or more). Returns how many. NULL: the export does not tell. */
    unsigned (*status)(void *user, const struct nbd_request *rq, struct nbd_extent *extents, unsigned max);
    /* A request on this export is being answered with an error, by the export or by us (then its offset and
     * len may be out of range). Before write_end. For the rule "errored once = not trusted". May be NULL. */
    void (*replied_error)(void *user, const struct nbd_request *rq, int error);
};

struct nbd_export {
    char *name;
    uint64_t size;
    bool read_only;
    bool no_flush;      /* do not offer FLUSH: QEMU flushes all nodes at "stop", written to or not, and waits for it */
    bool no_structured; /* refuse OPT_STRUCTURED_REPLY on every connection to the set: docs/architecture.md */
    const struct nbd_export_ops *ops;
    void *user;
};

/* A set of exports, shared by connections; borrowed by them, so it must outlive them: remove an export only
 * when no connection uses it any more (after on_closed). */
struct nbd_exports;
struct nbd_exports *nbd_exports_new(void);
void nbd_exports_free(struct nbd_exports *set);
/* Copies *export (name too). Returns the set's own copy; stable until removed. Name must be unique. */
struct nbd_export *nbd_exports_add(struct nbd_exports *set, const struct nbd_export *export);
void nbd_exports_remove(struct nbd_exports *set, const char *name);
const struct nbd_export *nbd_exports_find(const struct nbd_exports *set, const char *name);

enum nbd_verdict {
    NBD_GOES_ON,  /* feed more */
    NBD_FINISHED, /* the client said DISC or ABORT: send what is left in output, close */
    NBD_DROP,     /* an export had no memory left, or nbd_server_drop(): shut the connection down at once */
    NBD_BROKEN,   /* the peer broke the protocol: close; nbd_server_why() says how */
};

struct nbd_server;
struct nbd_server *nbd_server_new(const struct nbd_exports *exports);
/* Frees; a WRITE in its payload gets write_end(cut = true). */
void nbd_server_free(struct nbd_server *s);
/* Where the next bytes go; *room >= 1 unless the connection is over (then NULL and 0). A NULL while it is
 * not over means NBD_DROP: an export had no memory. */
void *nbd_server_want(struct nbd_server *s, size_t *room);
/*
 * The same for readv(): 0 (as NULL above), 1 or 2 pieces. When the first ends a payload, the second is for
 * the header behind it: so a stream of WRITEs costs one system call each.
 */
#define NBD_WANT_PIECES 2
unsigned nbd_server_want_pieces(struct nbd_server *s, struct iovec pieces[NBD_WANT_PIECES]);
/* `n` bytes (at most what was wanted) have landed there. Ask again where the next ones go. */
enum nbd_verdict nbd_server_got(struct nbd_server *s, size_t n);
/* Nothing more from the client is to be looked at, not even the rest of what has landed: NBD_DROP from now
 * on. */
void nbd_server_drop(struct nbd_server *s);
/* Takes what is to be sent next (the greeting is there from the start): the caller's own, to be unreffed. An empty
 * array when there is nothing. */
GByteArray *nbd_server_output(struct nbd_server *s);
/* How many bytes there are to be taken in all. */
size_t nbd_server_output_bytes(const struct nbd_server *s);
/* How many will come by reads that are under way. */
size_t nbd_server_reading_bytes(const struct nbd_server *s);
/* Calls back when a read that is done later has added to the output, not for what nbd_server_got() adds itself. */
void nbd_server_on_output(struct nbd_server *s, void (*on_output)(void *user), void *user);
/* The export in use, NULL before GO/EXPORT_NAME. */
const struct nbd_export *nbd_server_export(const struct nbd_server *s);
/* One lower-case sentence after NBD_BROKEN, else "". */
const char *nbd_server_why(const struct nbd_server *s);
