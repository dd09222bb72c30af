// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads that are answered later: each keeps its reply until the data is there. */
#include "nbd/inside.h"

struct pending_read {
    struct nbd_read read;      /* what the export sees; must be first */
    struct nbd_server *server; /* NULL: the connection has gone */
    struct nbd_request rq;
    GByteArray *reply; /* room for the head, and the data */
    bool is_structured;
    GList link; /* in server->reads */
};

void nbd_read_start(struct nbd_server *s)
{
    struct pending_read *p = g_new0(struct pending_read, 1);
    size_t head = nbd_reply_read_head(s);

    p->server = s;
    p->rq = s->rq;
    p->is_structured = s->is_structured;
    p->reply = g_byte_array_new();
    g_byte_array_set_size(p->reply, head + s->rq.len);
    p->read = (struct nbd_read){s->rq.offset, s->rq.len, p->reply->data + head};
    p->link.data = p;
    g_queue_push_tail_link(&s->reads, &p->link);
    s->reading_bytes += s->rq.len;
    s->export->ops->start_read(s->export->user, &p->read);
}

static void answer(struct pending_read *p, int error)
{
    struct nbd_server *s = p->server;
    struct nbd_request current = s->rq;

    if (error == 0) {
        nbd_reply_finish_read(p->reply, p->is_structured, &p->rq);
        nbd_reply_push(s, g_steal_pointer(&p->reply));
        return;
    }
    s->rq = p->rq; /* another one may be arriving */
    nbd_reply_result(s, error);
    s->rq = current;
}

void nbd_read_done(struct nbd_read *read, int error)
{
    struct pending_read *p = (struct pending_read *)read;
    struct nbd_server *s = p->server;

    if (s) {
        g_queue_unlink(&s->reads, &p->link);
        s->reading_bytes -= p->rq.len;
        answer(p, error);
    }
    g_clear_pointer(&p->reply, g_byte_array_unref);
    g_free(p);
    if (s && s->on_output && !s->is_taking)
        s->on_output(s->output_user);
}

void nbd_read_orphan_all(struct nbd_server *s)
{
    GList *link;

    while ((link = g_queue_pop_head_link(&s->reads)))
        ((struct pending_read *)link->data)->server = NULL;
}
