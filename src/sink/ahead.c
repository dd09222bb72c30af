// SPDX-License-Identifier: GPL-2.0-or-later
/* A ring of pieces between two threads. Each belongs to one of them: two semaphores tell whose it is. */
#include "sink/ahead.h"

#include <signal.h>
#include <uv.h>

#include "base/error.h"

#define PIECES 4u

struct ahead {
    struct source *source;
    struct ahead_piece pieces[PIECES];
    struct ahead_piece *given; /* to the caller, or NULL */
    unsigned next;             /* the piece to be given next */
    bool has_ended;            /* `given` is the last */

    bool is_running; /* there is a thread, and these: */
    uv_thread_t thread;
    uv_sem_t empty, full; /* pieces that may be filled; pieces that are */
    int is_unwanted;      /* atomic: the thread is to end */
};

struct ahead *ahead_new(struct source *source)
{
    struct ahead *a = g_new0(struct ahead, 1);
    a->source = source;
    for (unsigned i = 0; i < PIECES; i++)
        a->pieces[i].bytes = g_malloc(AHEAD_PIECE_BYTES);
    return a;
}

static bool is_last(const struct ahead_piece *p)
{
    return p->len == 0 || (p->len < 0 && !g_error_matches(p->error, VMB_ERROR, VMB_ERROR_DAMAGED));
}

static void fill(struct ahead *a, struct ahead_piece *p)
{
    g_clear_error(&p->error);
    p->len = source_read(a->source, p->bytes, AHEAD_PIECE_BYTES, &p->error);
    p->lost = source_lost(a->source);
    p->position = source_position(a->source);
}

/* ---- the thread ---- */

static void run(void *user)
{
    struct ahead *a = user;
    sigset_t all; /* signals are for the thread that can end the work */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (unsigned i = 0;; i = (i + 1) % PIECES) {
        uv_sem_wait(&a->empty);
        if (g_atomic_int_get(&a->is_unwanted))
            return;
        fill(a, &a->pieces[i]);
        bool ends = is_last(&a->pieces[i]);
        uv_sem_post(&a->full);
        if (ends)
            return;
    }
}

/* All pieces are free. */
static void start(struct ahead *a)
{
    uv_sem_init(&a->empty, PIECES);
    uv_sem_init(&a->full, 0);
    a->given = NULL;
    a->next = 0;
    a->is_running = uv_thread_create(&a->thread, run, a) == 0;
    if (a->is_running)
        return;
    uv_sem_destroy(&a->empty);
    uv_sem_destroy(&a->full);
}

static void stop(struct ahead *a)
{
    g_atomic_int_set(&a->is_unwanted, 1);
    uv_sem_post(&a->empty);
    uv_thread_join(&a->thread);
    uv_sem_destroy(&a->empty);
    uv_sem_destroy(&a->full);
}

void ahead_free(struct ahead *a)
{
    if (!a)
        return;
    if (a->is_running)
        stop(a);
    for (unsigned i = 0; i < PIECES; i++) {
        g_clear_error(&a->pieces[i].error);
        g_free(a->pieces[i].bytes);
    }
    g_free(a);
}

/* ---- the caller ---- */

static struct ahead_piece *take(struct ahead *a)
{
    struct ahead_piece *p = &a->pieces[a->next];
    if (!a->is_running) {
        fill(a, p);
        return p;
    }
    if (a->given)
        uv_sem_post(&a->empty);
    uv_sem_wait(&a->full);
    a->next = (a->next + 1) % PIECES;
    return p;
}

struct ahead_piece *ahead_next(struct ahead *a)
{
    if (a->has_ended)
        return a->given;
    if (a->given && !a->is_running && !source_is_stream(a->source))
        start(a);
    a->given = take(a);
    a->has_ended = is_last(a->given);
    return a->given;
}
