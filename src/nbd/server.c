// SPDX-License-Identifier: GPL-2.0-or-later
/* The stages of a connection: how many bytes come next, where they go, and who gets them. */
#include "nbd/server.h"
#include "nbd/inside.h"

struct nbd_server *nbd_server_new(const struct nbd_exports *exports)
{
    struct nbd_server *s = g_new0(struct nbd_server, 1);

    s->exports = exports;
    s->outputs = g_queue_new();
    g_queue_init(&s->reads);
    nbd_handshake_begin(s);
    return s;
}

void nbd_server_free(struct nbd_server *s)
{
    if (!s)
        return;
    nbd_transmission_cut(s);
    nbd_read_orphan_all(s);
    g_queue_free_full(s->outputs, (GDestroyNotify)g_byte_array_unref);
    g_free(s->scratch);
    g_free(s->why);
    g_free(s);
}

void nbd_server_expect(struct nbd_server *s, enum nbd_stage stage, uint32_t need)
{
    s->stage = stage;
    s->filled = 0;
    s->need = need;
}

static void end(struct nbd_server *s, enum nbd_verdict verdict)
{
    s->verdict = verdict;
    nbd_server_expect(s, NBD_STAGE_OVER, 0);
}

void nbd_server_finish(struct nbd_server *s)
{
    end(s, NBD_FINISHED);
}

void nbd_server_break(struct nbd_server *s, const char *format, ...)
{
    va_list args;

    g_assert(!s->why);
    va_start(args, format);
    s->why = g_strdup_vprintf(format, args);
    va_end(args);
    end(s, NBD_BROKEN);
}

/* Where this stage's next bytes go. NULL when there is no place for any. */
static uint8_t *next_place(struct nbd_server *s, size_t *len)
{
    *len = s->need - s->filled;
    switch (s->stage) {
    case NBD_STAGE_FLAGS:
    case NBD_STAGE_OPTION:
    case NBD_STAGE_REQUEST:
        return s->head + s->filled;
    case NBD_STAGE_OPTION_DATA:
        return s->option_data + s->filled;
    case NBD_STAGE_OPTION_SWALLOW:
    case NBD_STAGE_SWALLOW:
        if (!s->scratch)
            s->scratch = g_malloc(NBD_SCRATCH_BYTES);
        *len = MIN(*len, NBD_SCRATCH_BYTES);
        return s->scratch;
    case NBD_STAGE_PAYLOAD:
        if (!nbd_transmission_find_room(s))
            return NULL;
        *len = s->room_len;
        return s->room;
    case NBD_STAGE_OVER:
        break;
    }
    return NULL;
}

unsigned nbd_server_want_pieces(struct nbd_server *s, struct iovec pieces[NBD_WANT_PIECES])
{
    bool is_payload = s->stage == NBD_STAGE_PAYLOAD || s->stage == NBD_STAGE_SWALLOW;

    s->offered = s->offered_total = 0;
    if (s->verdict != NBD_GOES_ON)
        return 0;
    pieces[0].iov_base = next_place(s, &pieces[0].iov_len);
    if (!pieces[0].iov_base) {
        s->verdict = NBD_DROP;
        return 0;
    }
    s->offered = s->offered_total = pieces[0].iov_len;
    if (!is_payload || s->offered < s->need - s->filled)
        return 1;
    /* This piece ends the payload; what follows can only be a header, and head is free for it. */
    pieces[1] = (struct iovec){s->head, NBD_REQUEST_BYTES};
    s->offered_total += NBD_REQUEST_BYTES;
    return 2;
}

void *nbd_server_want(struct nbd_server *s, size_t *room)
{
    struct iovec pieces[NBD_WANT_PIECES];

    if (nbd_server_want_pieces(s, pieces) == 0) {
        *room = 0;
        return NULL;
    }
    *room = s->offered;
    return pieces[0].iov_base;
}

/* All bytes of the stage are here. */
static void stage_complete(struct nbd_server *s)
{
    switch (s->stage) {
    case NBD_STAGE_FLAGS:
        return nbd_handshake_flags(s);
    case NBD_STAGE_OPTION:
        return nbd_handshake_header(s);
    case NBD_STAGE_OPTION_DATA:
    case NBD_STAGE_OPTION_SWALLOW:
        return nbd_handshake_option(s);
    case NBD_STAGE_REQUEST:
        return nbd_transmission_request(s);
    case NBD_STAGE_PAYLOAD:
    case NBD_STAGE_SWALLOW:
        return nbd_transmission_end_write(s);
    case NBD_STAGE_OVER:
        break;
    }
}

static void landed(struct nbd_server *s, size_t n)
{
    s->filled += n;
    if (s->stage == NBD_STAGE_PAYLOAD)
        nbd_transmission_landed(s, n);
    if (s->filled == s->need)
        stage_complete(s);
}

static void take(struct nbd_server *s, size_t first, size_t rest)
{
    if (first > 0)
        landed(s, first);
    if (rest > 0 && s->verdict == NBD_GOES_ON) {
        g_assert(s->stage == NBD_STAGE_REQUEST && s->filled == 0);
        landed(s, rest);
    }
}

enum nbd_verdict nbd_server_got(struct nbd_server *s, size_t n)
{
    size_t first = MIN(n, s->offered);

    g_assert(n <= s->offered_total);
    s->offered = s->offered_total = 0;
    s->is_taking = true;
    if (s->verdict == NBD_GOES_ON)
        take(s, first, n - first);
    s->is_taking = false;
    return s->verdict;
}

void nbd_server_drop(struct nbd_server *s)
{
    if (s->verdict == NBD_GOES_ON)
        s->verdict = NBD_DROP;
}

size_t nbd_server_output_bytes(const struct nbd_server *s)
{
    return s->output_bytes;
}

size_t nbd_server_reading_bytes(const struct nbd_server *s)
{
    return s->reading_bytes;
}

void nbd_server_on_output(struct nbd_server *s, void (*on_output)(void *user), void *user)
{
    s->on_output = on_output;
    s->output_user = user;
}

GByteArray *nbd_server_output(struct nbd_server *s)
{
    GByteArray *output = g_queue_pop_head(s->outputs);

    if (!output)
        return g_byte_array_new();
    s->output_bytes -= output->len;
    return output;
}

const struct nbd_export *nbd_server_export(const struct nbd_server *s)
{
    return s->export;
}

const char *nbd_server_why(const struct nbd_server *s)
{
    return s->why ? s->why : "";
}
