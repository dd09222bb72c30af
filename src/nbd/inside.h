// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of one connection, shared by its files and seen by nobody else:
 *
 *     server.c        the stages: how many bytes come next, where they go, who gets them when they are there
 *     handshake.c     client flags and options, until an export is chosen
 *     transmission.c  requests and payload
 *     meta.c          meta contexts, and BLOCK_STATUS, which tells one of them
 *     read.c          reads that are answered later
 *     reply.c         everything that goes out
 *
 * A stage is "`need` bytes go there"; when they are complete, its function runs and says what comes next
 * (nbd_server_expect, _break, _finish).
 */
#include "nbd/server.h"
#include "nbd/wire.h"

/* Option data longer than this is swallowed and refused: a name, and more info requests than exist. */
#define NBD_MAX_OPTION_BYTES 8192
#define NBD_SCRATCH_BYTES    65536

enum nbd_stage {
    NBD_STAGE_FLAGS,          /* client flags, into head */
    NBD_STAGE_OPTION,         /* an option's header, into head */
    NBD_STAGE_OPTION_DATA,    /* its data, into option_data */
    NBD_STAGE_OPTION_SWALLOW, /* its data, into scratch: too long */
    NBD_STAGE_REQUEST,        /* a request's header, into head */
    NBD_STAGE_PAYLOAD,        /* a WRITE's payload, into the export's own memory */
    NBD_STAGE_SWALLOW,        /* a WRITE's payload, into scratch: it has failed already */
    NBD_STAGE_OVER,           /* nothing more */
};

struct nbd_server {
    const struct nbd_exports *exports;
    const struct nbd_export *export; /* NULL during the handshake */
    enum nbd_verdict verdict;
    char *why;
    GQueue *outputs; /* of GByteArray, in order; there is always a last one, which grows */
    size_t output_bytes;
    void (*on_output)(void *user);
    void *output_user;
    bool is_taking; /* within nbd_server_got() */

    enum nbd_stage stage;
    uint32_t filled, need; /* bytes of this stage: here, all */
    size_t offered;        /* length of the first piece last offered */
    size_t offered_total;
    uint8_t head[NBD_REQUEST_BYTES];
    uint8_t *scratch; /* NBD_SCRATCH_BYTES, made when something is to be swallowed */

    /* handshake */
    bool is_fixed, is_without_zeroes, is_structured; /* what was agreed upon */
    const struct nbd_export *meta_export;            /* whose base:allocation the client wants, or NULL */
    uint32_t option, option_len;
    uint8_t option_data[NBD_MAX_OPTION_BYTES];

    /* transmission */
    struct nbd_request rq;
    int rq_error;    /* what rq will be answered with */
    bool is_begun;   /* write_begin returned 0: a write_end is owed */
    uint8_t *room;   /* the rest of what write_room gave */
    size_t room_len; /* its length, never beyond the payload */

    GQueue reads; /* of struct pending_read (read.c), under way */
    size_t reading_bytes;
};

/* server.c: what comes next */
void nbd_server_expect(struct nbd_server *s, enum nbd_stage stage, uint32_t need);
void nbd_server_finish(struct nbd_server *s);
void nbd_server_break(struct nbd_server *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* exports.c: in the order they were added; NULL beyond the last. */
const struct nbd_export *nbd_exports_at(const struct nbd_exports *set, unsigned index);

/* handshake.c: a stage is complete */
void nbd_handshake_begin(struct nbd_server *s);
void nbd_handshake_flags(struct nbd_server *s);
void nbd_handshake_header(struct nbd_server *s);
void nbd_handshake_option(struct nbd_server *s);

/* handshake.c: the export of this name, as GO would find it. NULL, and *error (NBD_REP_ERR_*) for the client, when
 * there is none, or none to be had in this way. */
const struct nbd_export *nbd_handshake_find(const struct nbd_server *s, const uint8_t *name, uint32_t len,
                                            uint32_t *error);

/* meta.c: LIST_META_CONTEXT and SET_META_CONTEXT; then BLOCK_STATUS */
void nbd_meta_answer(struct nbd_server *s);
void nbd_meta_status(struct nbd_server *s);

/* read.c: the READ in rq, of an export that has start_read */
void nbd_read_start(struct nbd_server *s);
/* The connection ends: what is still under way is for nobody. */
void nbd_read_orphan_all(struct nbd_server *s);

/* transmission.c */
void nbd_transmission_request(struct nbd_server *s);
/* Makes sure that room is not empty. False: the export has no memory. */
bool nbd_transmission_find_room(struct nbd_server *s);
/* `n` bytes have landed in room. */
void nbd_transmission_landed(struct nbd_server *s, size_t n);
/* The payload is through, taken or swallowed. */
void nbd_transmission_end_write(struct nbd_server *s);
/* The connection dies: a WRITE under way is cut. */
void nbd_transmission_cut(struct nbd_server *s);

/* reply.c: each appends to the outputs */
/* Room for `len` bytes more at the end of what goes out. Valid until the next call. */
uint8_t *nbd_reply_extend(struct nbd_server *s, size_t len);
/* A piece of its own, behind all others; taken. */
void nbd_reply_push(struct nbd_server *s, GByteArray *piece);
/* An option reply's fixed part; returns where its `len` bytes of data go. */
uint8_t *nbd_reply_begin_option(struct nbd_server *s, uint32_t type, uint32_t len);
/* A chunk's fixed part to `to`: the last one of its reply. */
void nbd_reply_put_chunk(uint8_t *to, uint64_t cookie, uint16_t type, uint32_t len);
/* How many bytes stand in front of a READ's data. */
size_t nbd_reply_read_head(const struct nbd_server *s);
/* `reply` holds that room and the data: writes the head, or makes it a hole. */
void nbd_reply_finish_read(GByteArray *reply, bool is_structured, const struct nbd_request *rq);
void nbd_reply_greeting(struct nbd_server *s);
void nbd_reply_option(struct nbd_server *s, uint32_t type); /* one without data: ACK or an error */
void nbd_reply_listed(struct nbd_server *s, const struct nbd_export *export);
void nbd_reply_info_export(struct nbd_server *s, const struct nbd_export *export);
void nbd_reply_info_name(struct nbd_server *s, const struct nbd_export *export);
void nbd_reply_info_block_size(struct nbd_server *s);
void nbd_reply_export_name(struct nbd_server *s, const struct nbd_export *export);
/* The answer to rq: success (0) or a positive errno. Tells the export about errors. */
void nbd_reply_result(struct nbd_server *s, int error);
/* The answer to rq, a READ: the export reads right into it. */
void nbd_reply_read(struct nbd_server *s);
/* A positive errno as the wire has it: the only place that knows both. 0 is 0, unknown ones are EIO. */
uint32_t nbd_reply_wire_error(int error);
