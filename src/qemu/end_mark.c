// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/end_mark.h"

#define END "end" /* the null node's bitmap: its last bit */

struct end_mark;
typedef void step(struct end_mark *m);

struct end_mark {
    struct qmp *q;
    char *node, *bitmap, *witness, *null_node;
    uint64_t size;
    uint32_t granularity;
    step *const *next; /* NULL behind the last */
    bool is_persistent, is_marked;
    char *refusal;
    end_mark_done done;
    void *user;
};

static void on_step(void *user, const GError *error);

static void finish(struct end_mark *m, const GError *error)
{
    m->done(m->user, m->is_marked && !error, m->refusal, error);
    g_free(m->refusal);
    g_free(m->node);
    g_free(m->bitmap);
    g_free(m->witness);
    g_free(m->null_node);
    g_free(m);
}

/* --- its steps ---------------------------------------------------------------------------------- */

static void add_null(struct end_mark *m)
{
    qmp_add_null(m->q, m->null_node, m->size, on_step, m);
}

static void add_end(struct end_mark *m)
{
    qmp_bitmap_add(m->q, &(struct qmp_new_bitmap){.node = m->null_node, .name = END, .granularity = m->granularity},
                   on_step, m);
}

static void write_end(struct end_mark *m)
{
    uint64_t at = (m->size - 1) / m->granularity * m->granularity;

    qmp_write_zeroes(m->q, m->null_node, at, m->size - at, on_step, m);
}

static void mark(struct end_mark *m)
{
    qmp_bitmap_merge(m->q, m->node, m->bitmap, m->null_node, END, on_step, m);
}

static void add_witness(struct end_mark *m)
{
    struct qmp_new_bitmap witness = {.node = m->node,
                                     .name = m->witness,
                                     .granularity = m->granularity,
                                     .is_persistent = m->is_persistent,
                                     .is_disabled = true};

    qmp_bitmap_add(m->q, &witness, on_step, m);
}

static void mark_witness(struct end_mark *m)
{
    qmp_bitmap_merge(m->q, m->node, m->witness, m->null_node, END, on_step, m);
}

static void set(struct end_mark *m)
{
    m->is_marked = true;
    on_step(m, NULL);
}

static void delete_null(struct end_mark *m)
{
    qmp_del_node(m->q, m->null_node, on_step, m);
}

static step *const setting[] = {add_null, add_end, write_end, mark, add_witness, mark_witness, set, delete_null, NULL};

/* Refused: what was added goes, and what was found out by then is all. */
static void on_step(void *user, const GError *error)
{
    struct end_mark *m = user;

    if (!*m->next || (error && !qmp_error_is_refusal(error))) {
        finish(m, qmp_error_is_refusal(error) ? NULL : error);
        return;
    }
    if (error && !m->refusal) {
        m->refusal = g_strdup(error->message);
        while (*m->next != delete_null)
            m->next++;
    }
    (*m->next++)(m);
}

void end_mark_set(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user)
{
    struct end_mark *m = g_new0(struct end_mark, 1);

    m->q = q;
    m->node = g_strdup(spec->node);
    m->bitmap = g_strdup(spec->bitmap);
    m->witness = g_strdup(spec->witness);
    m->is_persistent = spec->is_persistent;
    m->null_node = g_strdup(spec->null_node);
    m->size = spec->size;
    m->granularity = spec->granularity;
    m->next = setting;
    m->done = done;
    m->user = user;
    on_step(m, NULL);
}
