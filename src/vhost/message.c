// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost/message.h"

#include <stdarg.h>
#include <string.h>
#include <glib.h>

#include "base/le.h"
#include "vhost/ring.h"

/* vhost-user.rst of QEMU: u32 request, u32 flags, u32 size, payload; little-endian like every guest we know. */
enum { HEADER_BYTES = 12, PAYLOAD_MAX = 40, MESSAGES_MAX = 16 };
enum { FLAGS_REQUEST = 1, FLAGS_REPLY = 5 }; /* version 1, and "this is a reply" */
enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
    NO_REQUEST = 0,
};

#define BIT(n)            (UINT64_C(1) << (n))
#define BLK_SIZE_MAX      BIT(1)
#define BLK_SEG_MAX       BIT(2)
#define RING_INDIRECT     BIT(28)
#define PROTOCOL_FEATURES BIT(30)
#define VERSION_1         BIT(32)
#define NEEDED            (RING_INDIRECT | PROTOCOL_FEATURES | VERSION_1)
#define PROTOCOL_CONFIG   BIT(9)

/* GET_CONFIG: u32 offset, u32 size, u32 flags, then the beginning of struct virtio_blk_config. */
enum { CONFIG_BYTES = 16, CONFIG_PAYLOAD = 12 + CONFIG_BYTES };

struct out {
    uint8_t bytes[HEADER_BYTES + PAYLOAD_MAX];
    size_t len;
    enum vhost_message_fd fd;
};

struct vhost_message {
    struct vhost_message_setup setup;
    struct out out[MESSAGES_MAX];
    unsigned n_out, n_sent;
    size_t sent; /* of out[n_sent] */
    enum request awaited;
    uint8_t in[HEADER_BYTES + PAYLOAD_MAX];
    size_t in_len;
    uint64_t features; /* chosen */
    uint64_t capacity;
    unsigned max_segments;
    enum vhost_message_verdict verdict;
    char why[120];
};

static void G_GNUC_PRINTF(2, 3) lied(struct vhost_message *m, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_vsnprintf(m->why, sizeof m->why, format, arguments);
    va_end(arguments);
    m->verdict = VHOST_MESSAGE_BROKEN;
}

/* --- out ---------------------------------------------------------------------------------------- */

static struct out *put(struct vhost_message *m, enum request request)
{
    struct out *out = &m->out[m->n_out++];

    g_assert(m->n_out <= MESSAGES_MAX);
    le32_put(out->bytes, request);
    le32_put(out->bytes + 4, FLAGS_REQUEST);
    out->len = HEADER_BYTES;
    return out;
}

static void add32(struct out *out, uint32_t value)
{
    le32_put(out->bytes + out->len, value);
    out->len += 4;
    le32_put(out->bytes + 8, out->len - HEADER_BYTES);
}

static void add64(struct out *out, uint64_t value)
{
    add32(out, (uint32_t)value);
    add32(out, value >> 32);
}

static void put64(struct vhost_message *m, enum request request, uint64_t value, enum vhost_message_fd fd)
{
    struct out *out = put(m, request);

    add64(out, value);
    out->fd = fd;
}

/* Something about ring 0, the only one. */
static void put_state(struct vhost_message *m, enum request request, uint32_t value)
{
    struct out *out = put(m, request);

    add32(out, 0);
    add32(out, value);
}

static void put_question(struct vhost_message *m, enum request request)
{
    put(m, request);
    m->awaited = request;
}

/* One region: to the device, "guest" and "user" addresses are both the distance from its beginning. */
static void put_memory(struct vhost_message *m)
{
    struct out *out = put(m, SET_MEM_TABLE);

    add32(out, 1);
    add32(out, 0);
    add64(out, 0); /* guest address */
    add64(out, m->setup.memory_bytes);
    add64(out, 0); /* user address */
    add64(out, 0); /* where it begins in the descriptor */
    out->fd = VHOST_FD_MEMORY;
}

static void put_ring(struct vhost_message *m)
{
    struct out *out;

    put_state(m, SET_VRING_NUM, m->setup.n_slots);
    put_state(m, SET_VRING_BASE, 0);
    out = put(m, SET_VRING_ADDR);
    add32(out, 0);
    add32(out, 0); /* flags: no log */
    add64(out, m->setup.descriptors);
    add64(out, m->setup.used);
    add64(out, m->setup.avail);
    add64(out, 0);
    put64(m, SET_VRING_KICK, 0, VHOST_FD_KICK);
    put64(m, SET_VRING_CALL, 0, VHOST_FD_CALL);
    put_state(m, SET_VRING_ENABLE, 1);
}

static void put_config_question(struct vhost_message *m)
{
    struct out *out;

    put_question(m, GET_CONFIG);
    out = &m->out[m->n_out - 1];
    add32(out, 0);
    add32(out, CONFIG_BYTES);
    add32(out, 0);
    for (unsigned i = 0; i < CONFIG_BYTES; i += 4)
        add32(out, 0);
}

const uint8_t *vhost_message_output(struct vhost_message *m, size_t *len, enum vhost_message_fd *fd)
{
    struct out *out = &m->out[m->n_sent];

    if (m->n_sent == m->n_out || m->verdict == VHOST_MESSAGE_BROKEN)
        return NULL;
    *len = out->len - m->sent;
    *fd = m->sent == 0 ? out->fd : VHOST_FD_NONE;
    return out->bytes + m->sent;
}

void vhost_message_sent(struct vhost_message *m, size_t len)
{
    m->sent += len;
    g_assert(m->sent <= m->out[m->n_sent].len);
    if (m->sent < m->out[m->n_sent].len)
        return;
    m->sent = 0;
    m->n_sent++;
}

/* --- in ----------------------------------------------------------------------------------------- */

static void got_features(struct vhost_message *m, uint64_t offered)
{
    if ((offered & NEEDED) != NEEDED) {
        lied(m, "it offers features 0x%" G_GINT64_MODIFIER "x, without which 0x%" G_GINT64_MODIFIER "x is needed",
             offered, NEEDED & ~offered);
        return;
    }
    m->features = offered & (NEEDED | BLK_SIZE_MAX | BLK_SEG_MAX);
    put_question(m, GET_PROTOCOL_FEATURES);
}

static void got_protocol_features(struct vhost_message *m, uint64_t offered)
{
    if (!(offered & PROTOCOL_CONFIG)) {
        lied(m, "it does not offer to tell its configuration");
        return;
    }
    put64(m, SET_PROTOCOL_FEATURES, PROTOCOL_CONFIG, VHOST_FD_NONE);
    put(m, SET_OWNER);
    put64(m, SET_FEATURES, m->features, VHOST_FD_NONE);
    put_memory(m);
    put_ring(m);
    put_config_question(m);
}

/* u64 capacity in sectors, u32 size_max, u32 seg_max: the latter two count only if chosen, and 0 is "any". */
static void got_config(struct vhost_message *m, const uint8_t *config)
{
    uint64_t sectors = le64_get(config);
    uint32_t size_max = m->features & BLK_SIZE_MAX ? le32_get(config + 8) : 0;
    uint32_t seg_max = m->features & BLK_SEG_MAX ? le32_get(config + 12) : 0;

    if (sectors == 0 || sectors > INT64_MAX / 512) {
        lied(m, "its disk has %" G_GUINT64_FORMAT " sectors", sectors);
        return;
    }
    if (size_max > 0 && size_max < VHOST_CLUSTER_BYTES) {
        lied(m, "it reads no more than %u bytes in a piece", size_max);
        return;
    }
    m->capacity = sectors * 512;
    m->max_segments = MAX(seg_max, 1);
    m->awaited = NO_REQUEST;
    m->verdict = VHOST_MESSAGE_READY;
}

static void got_reply(struct vhost_message *m, const uint8_t *payload)
{
    switch (m->awaited) {
    case GET_FEATURES:
        got_features(m, le64_get(payload));
        break;
    case GET_PROTOCOL_FEATURES:
        got_protocol_features(m, le64_get(payload));
        break;
    default:
        if (le32_get(payload) != 0 || le32_get(payload + 4) != CONFIG_BYTES)
            lied(m, "it tells another part of its configuration than was asked for");
        else
            got_config(m, payload + 12);
        break;
    }
}

static size_t awaited_bytes(const struct vhost_message *m)
{
    return m->awaited == GET_CONFIG ? CONFIG_PAYLOAD : 8;
}

static void check_header(struct vhost_message *m)
{
    uint32_t request = le32_get(m->in), flags = le32_get(m->in + 4), size = le32_get(m->in + 8);

    if (request != m->awaited)
        lied(m, "it answers request %u instead of %u", request, m->awaited);
    else if (flags != FLAGS_REPLY)
        lied(m, "its answer to request %u has flags 0x%x instead of 0x%x", request, flags, FLAGS_REPLY);
    else if (size != awaited_bytes(m))
        lied(m, "its answer to request %u has %u bytes instead of %zu", request, size, awaited_bytes(m));
}

/* Takes what is missing of the header, or of the payload. */
static size_t take(struct vhost_message *m, const uint8_t *bytes, size_t len)
{
    size_t whole = m->in_len < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + awaited_bytes(m);
    size_t n = MIN(len, whole - m->in_len);

    memcpy(m->in + m->in_len, bytes, n);
    m->in_len += n;
    if (m->in_len < whole)
        return n;
    if (whole == HEADER_BYTES) {
        check_header(m);
        return n;
    }
    m->in_len = 0;
    got_reply(m, m->in + HEADER_BYTES);
    return n;
}

enum vhost_message_verdict vhost_message_input(struct vhost_message *m, const uint8_t *bytes, size_t len)
{
    while (len > 0 && m->verdict != VHOST_MESSAGE_BROKEN) {
        size_t n = len;

        if (m->verdict == VHOST_MESSAGE_READY)
            lied(m, "it sends what nobody has asked for");
        else
            n = take(m, bytes, len);
        bytes += n;
        len -= n;
    }
    return m->verdict;
}

/* --- the rest ----------------------------------------------------------------------------------- */

struct vhost_message *vhost_message_new(const struct vhost_message_setup *setup)
{
    struct vhost_message *m = g_new0(struct vhost_message, 1);

    m->setup = *setup;
    put_question(m, GET_FEATURES);
    return m;
}

void vhost_message_free(struct vhost_message *m)
{
    g_free(m);
}

const char *vhost_message_why(const struct vhost_message *m)
{
    return m->why;
}

uint64_t vhost_message_capacity(const struct vhost_message *m)
{
    return m->capacity;
}

unsigned vhost_message_max_segments(const struct vhost_message *m)
{
    return m->max_segments;
}
