// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which drives belong to an iothread.
 *
 * An export of such a drive that somebody reads harms QEMU: on 10.0 it aborts when a node is added anywhere meanwhile,
 * on 11.1 it hangs, on 7.2 it hangs when the export is deleted. Seen with each of them; never with drives of the main
 * loop.
 */
#include "backup/found.h"
#include "backup/run.h"

static void ask_next(struct backup *b);

static void on_answer(void *user, bool is_in_one, const GError *error)
{
    struct backup *b = user;
    struct found_drive *f = g_ptr_array_index(b->facts.drives, b->facts.n_iothreads_asked++);

    f->is_in_iothread = is_in_one || error;
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        b->facts.on_iothreads(b, error);
    else
        ask_next(b);
}

static void ask_next(struct backup *b)
{
    for (; b->facts.n_iothreads_asked < b->facts.drives->len; b->facts.n_iothreads_asked++) {
        const struct found_drive *f = g_ptr_array_index(b->facts.drives, b->facts.n_iothreads_asked);
        if (f->qdev && *f->qdev) {
            g_autofree char *path = naming_device_path(f);
            qmp_is_in_iothread(b->qmp, path, on_answer, b);
            return;
        }
    }
    b->facts.on_iothreads(b, NULL);
}

/* Who does not say may have some: then nothing is pulled. */
static void on_has_iothreads(void *user, bool has, const GError *error)
{
    struct backup *b = user;
    bool is_refused = qmp_error_is_refusal(error);

    for_each_found (f, b)
        f->is_in_iothread = is_refused;
    if (error || !has)
        b->facts.on_iothreads(b, is_refused ? NULL : error);
    else
        ask_next(b);
}

void iothreads_ask(struct backup *b, void (*done)(struct backup *b, const GError *error))
{
    b->facts.on_iothreads = done;
    b->facts.n_iothreads_asked = 0;
    qmp_has_iothreads(b->qmp, on_has_iothreads, b);
}
