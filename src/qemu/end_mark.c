// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/end_mark.h"

/* Bitmaps of the null node: its last bit; a copy of what is looked at; both of them. */
#define END  "end"
#define COPY "copy"
#define BOTH "both"

struct end_mark;
typedef void step(struct end_mark *m);

struct end_mark {
    struct qmp *q;
    char *node, *bitmap, *null_node;
    uint64_t size;
    uint32_t granularity;
    step *const *next; /* NULL behind the last */
    bool is_marked;
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
    g_free(m->null_node);
    g_free(m);
}

/* --- its steps ---------------------------------------------------------------------------------- */

static void add_bitmap(struct end_mark *m, const char *name)
{
    qmp_bitmap_add(m->q, &(struct qmp_new_bitmap){.node = m->null_node, .name = name, .granularity = m->granularity},
                   on_step, m);
}

static void merge(struct end_mark *m, const char *name, const char *from)
{
    qmp_bitmap_merge(m->q, m->null_node, name, m->null_node, from, on_step, m);
}

static void add_null(struct end_mark *m)
{
    qmp_add_null(m->q, m->null_node, m->size, on_step, m);
}

static void add_end(struct end_mark *m)
{
    add_bitmap(m, END);
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

static void set(struct end_mark *m)
{
    m->is_marked = true;
    on_step(m, NULL);
}

static void add_copy(struct end_mark *m)
{
    add_bitmap(m, COPY);
}

static void copy(struct end_mark *m)
{
    qmp_bitmap_merge(m->q, m->null_node, COPY, m->node, m->bitmap, on_step, m);
}

static void add_both(struct end_mark *m)
{
    add_bitmap(m, BOTH);
}

static void merge_copy(struct end_mark *m)
{
    merge(m, BOTH, COPY);
}

static void merge_end(struct end_mark *m)
{
    merge(m, BOTH, END);
}

static uint64_t count_of(const struct end_mark *m, const struct qmp_bitmap *bitmaps, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (g_strcmp0(bitmaps[i].node_name, m->null_node) == 0 && g_strcmp0(bitmaps[i].name, name) == 0)
            return bitmaps[i].count;
    return 0;
}

/* The end adds nothing to what has it already. */
static void on_bitmaps(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    struct end_mark *m = user;
    uint64_t counted = count_of(m, bitmaps, n, COPY);

    m->is_marked = count_of(m, bitmaps, n, END) && counted && count_of(m, bitmaps, n, BOTH) == counted;
    on_step(m, error);
}

static void count(struct end_mark *m)
{
    qmp_query_bitmaps(m->q, on_bitmaps, m);
}

static void delete_null(struct end_mark *m)
{
    qmp_del_node(m->q, m->null_node, on_step, m);
}

static step *const setting[] = {add_null, add_end, write_end, mark, set, delete_null, NULL};
static step *const looking[] = {add_null,   add_end,   write_end, add_copy,    copy, add_both,
                                merge_copy, merge_end, count,     delete_null, NULL};

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

static void begin(struct qmp *q, const struct end_mark_spec *spec, step *const *steps, end_mark_done done, void *user)
{
    struct end_mark *m = g_new0(struct end_mark, 1);

    m->q = q;
    m->node = g_strdup(spec->node);
    m->bitmap = g_strdup(spec->bitmap);
    m->null_node = g_strdup(spec->null_node);
    m->size = spec->size;
    m->granularity = spec->granularity;
    m->next = steps;
    m->done = done;
    m->user = user;
    on_step(m, NULL);
}

void end_mark_set(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user)
{
    begin(q, spec, setting, done, user);
}

void end_mark_look(struct qmp *q, const struct end_mark_spec *spec, end_mark_done done, void *user)
{
    begin(q, spec, looking, done, user);
}
