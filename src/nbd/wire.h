// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The NBD protocol's numbers and layouts, as far as this server speaks it. Names and numbers are those of
 * doc/proto.md of the NBD project; everything on the wire is big-endian.
 *
 *     greeting        u64 NBD_MAGIC · u64 NBD_OPTION_MAGIC · u16 handshake flags          server → client
 *     client flags    u32                                                                 client → server
 *     option          u64 NBD_OPTION_MAGIC · u32 option · u32 length · data
 *     option reply    u64 NBD_OPTION_REPLY_MAGIC · u32 option · u32 type · u32 length · data
 *     after EXPORT_NAME   u64 size · u16 transmission flags · 124 zeroes (not with NO_ZEROES)
 *
 *     option reply    u64 NBD_OPTION_REPLY_MAGIC · u32 option · u32 type · u32 length · data
 *                     · payload (WRITE only)
 *     simple reply    u32 NBD_SIMPLE_REPLY_MAGIC · u32 error · u64 cookie · data (READ only)
 *     meta contexts   u32 length of the name · name · u32 count · count × (u32 length · query)     an option's data
 *     chunk           u32 NBD_CHUNK_MAGIC · u16 flags · u16 type · u64 cookie · u32 length · data
 */
#include <stdint.h>

#define NBD_MAGIC              UINT64_C(0x4e42444d41474943) /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC       UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define NBD_OPTION_REPLY_MAGIC UINT64_C(0x0003e889045565a9)
#define NBD_REQUEST_MAGIC      UINT32_C(0x25609513)
#define NBD_SIMPLE_REPLY_MAGIC UINT32_C(0x67446698)
#define NBD_CHUNK_MAGIC        UINT32_C(0x668e33ef)

/* Lengths of the fixed parts above. */
enum {
    NBD_GREETING_BYTES = 18,
    NBD_CLIENT_FLAGS_BYTES = 4,
    NBD_OPTION_BYTES = 16,
    NBD_OPTION_REPLY_BYTES = 20,
    NBD_EXPORT_NAME_ZEROES = 124,
    NBD_REQUEST_BYTES = 28,
    NBD_SIMPLE_REPLY_BYTES = 16,
    NBD_CHUNK_BYTES = 20,
    NBD_MAX_NAME_BYTES = 4096, /* "strings": no string is longer than this */
};

/* Handshake flags (server) and client flags: the same two bits. */
enum {
    NBD_FLAG_FIXED_NEWSTYLE = 1 << 0,
    NBD_FLAG_NO_ZEROES = 1 << 1,
};

/* Transmission flags: what an export can do. */
enum {
    NBD_FLAG_HAS_FLAGS = 1 << 0,
    NBD_FLAG_READ_ONLY = 1 << 1,
    NBD_FLAG_SEND_FLUSH = 1 << 2,
    NBD_FLAG_SEND_TRIM = 1 << 5,
    NBD_FLAG_SEND_WRITE_ZEROES = 1 << 6,
    NBD_FLAG_SEND_DF = 1 << 7,
    NBD_FLAG_CAN_MULTI_CONN = 1 << 8,
};

enum {
    NBD_OPT_EXPORT_NAME = 1,
    NBD_OPT_ABORT = 2,
    NBD_OPT_LIST = 3,
    NBD_OPT_STARTTLS = 5,
    NBD_OPT_INFO = 6,
    NBD_OPT_GO = 7,
    NBD_OPT_STRUCTURED_REPLY = 8,
    NBD_OPT_LIST_META_CONTEXT = 9,
    NBD_OPT_SET_META_CONTEXT = 10,
    NBD_OPT_EXTENDED_HEADERS = 11,
};

/* Types of option replies. */
#define NBD_REP_ACK         UINT32_C(1)
#define NBD_REP_SERVER      UINT32_C(2) /* u32 length of the name · name */
#define NBD_REP_INFO        UINT32_C(3) /* u16 NBD_INFO_* · what it says */
#define NBD_REP_META        UINT32_C(4) /* u32 context id · name of the context */
#define NBD_REP_ERR_UNSUP   UINT32_C(0x80000001)
#define NBD_REP_ERR_POLICY  UINT32_C(0x80000002)
#define NBD_REP_ERR_INVALID UINT32_C(0x80000003)
#define NBD_REP_ERR_UNKNOWN UINT32_C(0x80000006)
#define NBD_REP_ERR_TOO_BIG UINT32_C(0x80000009)

enum {
    NBD_INFO_EXPORT = 0,     /* u64 size · u16 transmission flags */
    NBD_INFO_NAME = 1,       /* the canonical name */
    NBD_INFO_BLOCK_SIZE = 3, /* u32 minimum · u32 preferred · u32 maximum */
};

enum {
    NBD_CMD_READ = 0,
    NBD_CMD_WRITE = 1,
    NBD_CMD_DISC = 2,
    NBD_CMD_FLUSH = 3,
    NBD_CMD_TRIM = 4,
    NBD_CMD_CACHE = 5,
    NBD_CMD_WRITE_ZEROES = 6,
    NBD_CMD_BLOCK_STATUS = 7,
};

enum {
    NBD_CMD_FLAG_FUA = 1 << 0,
    NBD_CMD_FLAG_NO_HOLE = 1 << 1, /* WRITE_ZEROES only */
    NBD_CMD_FLAG_DF = 1 << 2,      /* READ only: in one piece */
    NBD_CMD_FLAG_REQ_ONE = 1 << 3, /* BLOCK_STATUS only: one extent */
};

/* The one meta context that is known here, and the id we give it. */
#define NBD_META_ALLOCATION    "base:allocation"
#define NBD_META_ALLOCATION_ID 1
enum {
    NBD_STATE_HOLE = 1 << 0,
    NBD_STATE_ZERO = 1 << 1,
    NBD_STATE_DIRTY = 1 << 0, /* of the contexts qemu:dirty-bitmap:NAME */
};

enum {
    NBD_CHUNK_FLAG_DONE = 1 << 0, /* the last chunk of its reply */
};
enum {
    NBD_CHUNK_NONE = 0,
    NBD_CHUNK_OFFSET_DATA = 1,  /* u64 offset · data */
    NBD_CHUNK_OFFSET_HOLE = 2,  /* u64 offset · u32 length */
    NBD_CHUNK_BLOCK_STATUS = 5, /* u32 context id · extents: u32 length · u32 NBD_STATE_* */
    NBD_CHUNK_ERROR = 0x8001,   /* u32 error · u16 length of the message · message */
};

/* Errors as the wire has them: Linux' numbers, whatever the system under us says. */
enum {
    NBD_EPERM = 1,
    NBD_EIO = 5,
    NBD_ENOMEM = 12,
    NBD_EINVAL = 22,
    NBD_ENOSPC = 28,
    NBD_ENOTSUP = 95,
    NBD_ESHUTDOWN = 108,
};
