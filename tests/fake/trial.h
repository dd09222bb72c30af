// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Backups of fake guests, many at once in one loop (most of their time is waiting for deadlines), and what
 * must hold of each of them.
 *
 *     world_up(&w);
 *     t = trial_new(&w, &kind, (struct fake_fault){"stop", 1, FAULT_ERROR}, true);
 *     run_trials(&w);
 *     judge(t, false);
 *     world_down(&w);
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include "backup/backup.h"
#include "base/error.h"
#include "fake/archive.h"
#include "fake/qemu.h"
#include "rescue/cleanup.h"
#include "vma/verify.h"

#define AT_ONCE     150
#define DEADLINE_MS 100000

struct trial {
    char *name;
    struct fake_qemu *qemu;
    struct backup_options options;
    char *path; /* of the archive */
    struct backup *backup;
    enum model_phase cancel_at; /* 0: not */
    uv_async_t told;
    void (*act)(struct trial *t); /* then; NULL: it is cancelled */
    void *whims;                  /* of test_whims.c */
    gint is_over;                 /* atomic: nobody listens any more */
    unsigned saved;               /* drives that it says are in the archive, a bit each */
    bool is_ram_saved;
    uint64_t by_operator_ms; /* for so long it says that the operator held it back */
    int pid;                 /* of one that runs in a process of its own; atomic */
    bool is_done, is_cleaned;
    int status;
    GString *said; /* log lines */
};

struct world {
    uv_loop_t loop;
    uv_timer_t deadline;
    char *dir;
    GPtrArray *trials;
    unsigned n_open;
};

static struct world *the_world; /* for on_deadline() */

/* --- one trial ---------------------------------------------------------------------------------- */

static void on_event(void *user, const struct model_event *e)
{
    struct trial *t = user;

    if (e->type == MODEL_EV_LOG)
        g_string_append_printf(t->said, "    %s\n", e->text);
    if (e->type == MODEL_EV_PHASE && t->cancel_at && backup_model(t->backup)->phase == t->cancel_at)
        uv_async_send(&t->told);
}

static void on_told_closed(uv_handle_t *handle)
{
}

static void on_done(void *user)
{
    struct trial *t = user;

    const struct model *m = backup_model(t->backup);

    t->is_done = true;
    g_atomic_int_set(&t->is_over, 1);
    t->status = m->end.exit_status;
    t->by_operator_ms = m->bottleneck_ms[MODEL_BY_OPERATOR];
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        bool is_saved = d->state == MODEL_OK;
        t->is_ram_saved |= is_saved && d->is_vmstate;
        if (is_saved && !d->is_vmstate)
            t->saved |= 1u << g_ascii_strtoull(d->name + strlen("dev"), NULL, 10);
    }
    uv_close((uv_handle_t *)&t->told, on_told_closed);
    if (--the_world->n_open == 0)
        uv_stop(&the_world->loop);
}

static void on_told(uv_async_t *handle)
{
    struct trial *t = handle->data;

    if (t->act) {
        t->act(t);
        return;
    }
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test");
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test, again");
}

static void tell(void *user)
{
    uv_async_send(&((struct trial *)user)->told);
}

static const char *const kinds[FAULT_KINDS] = {
    "nothing wrong",
    "refused",
    "monitor lost before",
    "monitor lost after",
    "no answer, not done",
    "no answer, but done",
    "QEMU killed",
    "cancelled",
    "cancelled and monitor lost",
    "resumed by somebody",
    "paused by somebody",
    "guest off",
    "guest panicked",
    "migrated away",
};

static struct trial *trial_new(struct world *w, const struct fake_kind *kind, struct fake_fault fault, bool with_ram)
{
    unsigned i = w->trials->len;
    g_autofree char *socket = g_strdup_printf("%s/%u.sock", w->dir, i);
    struct trial *t = g_new0(struct trial, 1);

    t->name = g_strdup_printf("%s %u: %s", fault.command ? fault.command : "nothing", fault.nth,
                              fault.kind < FAULT_KINDS ? kinds[fault.kind] : "late");
    t->said = g_string_new(NULL);
    t->qemu = fake_new(socket, kind);
    t->qemu->fault = fault;
    t->qemu->on_fault = tell;
    t->cancel_at = kind->holds_jobs ? MODEL_COPY : 0;
    t->qemu->user = t;
    backup_options_init(&t->options);
    t->options.monitor = g_strdup(socket);
    t->path = g_strdup_printf("%s/%u.vma", w->dir, i);
    t->options.target = g_strdup(t->path);
    t->options.no_vmstate = !with_ram;
    t->options.agent = kind->has_agent ? g_strconcat(socket, ".agent", NULL) : NULL;
    t->options.spool_dir = g_strdup("/var/tmp");
    t->options.spool_bytes = 16 << 20;
    t->options.timeout_s =
        fault.kind == FAULT_SILENT_BEFORE || fault.kind == FAULT_SILENT_AFTER || fault.kind == FAULT_MUTE ? 2 : 30;
    g_ptr_array_add(w->trials, t);
    return t;
}

static void trial_start(struct world *w, struct trial *t)
{
    static const struct backup_listener listener = {.on_event = on_event, .on_done = on_done};

    fake_start(t->qemu);
    uv_async_init(&w->loop, &t->told, on_told);
    t->told.data = t;
    t->backup = backup_new(&w->loop, &t->options, &listener, t);
    backup_connect(t->backup);
}

static void trial_free(gpointer data)
{
    struct trial *t = data;

    backup_options_clear(&t->options);
    fake_free(t->qemu);
    g_string_free(t->said, TRUE);
    g_free(t->path);
    g_free(t->name);
    g_free(t);
}

/* --- many of them ------------------------------------------------------------------------------- */

static void on_deadline(uv_timer_t *timer)
{
    for (unsigned i = 0; i < the_world->trials->len; i++) {
        const struct trial *t = g_ptr_array_index(the_world->trials, i);
        if (t->backup && !t->is_done)
            g_printerr("still runs: %s\n%s", t->name, t->said->str);
    }
    g_error("waited too long");
}

static void run_loop(struct world *w)
{
    uv_timer_init(&w->loop, &w->deadline);
    uv_timer_start(&w->deadline, on_deadline, DEADLINE_MS, 0);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&w->deadline, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT); /* until the last handle has closed: none is left behind */
    g_assert_cmpint(uv_loop_close(&w->loop), ==, 0);
}

static G_GNUC_UNUSED void run_trials(struct world *w)
{
    for (unsigned first = 0; first < w->trials->len; first += AT_ONCE) {
        unsigned end = MIN(first + AT_ONCE, w->trials->len);
        uv_loop_init(&w->loop);
        w->n_open = end - first;
        for (unsigned i = first; i < end; i++) {
            trial_start(w, g_ptr_array_index(w->trials, i));
            uv_run(&w->loop, UV_RUN_NOWAIT); /* on a busy machine the last start comes after the first deadline */
        }
        run_loop(w);
        for (unsigned i = first; i < end; i++) {
            struct trial *t = g_ptr_array_index(w->trials, i);
            backup_free(g_steal_pointer(&t->backup));
            fake_stop(t->qemu);
        }
    }
}

static void on_cleanup_line(void *user, const char *line)
{
}

static void on_cleaned(void *user, unsigned n_actions, const GError *error)
{
    struct trial *t = user;

    t->is_cleaned = true;
    if (error)
        g_string_append_printf(t->said, "    cleanup: %s\n", error->message);
}

/* What the operator is told to do then. */
static void clean_up(struct trial *t)
{
    uv_loop_t loop;

    t->qemu->fault = (struct fake_fault){0};
    t->qemu->is_mute = false;
    fake_start(t->qemu);
    uv_loop_init(&loop);
    cleanup_new(&loop, t->qemu->path, false, 30, on_cleanup_line, on_cleaned, t);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
    fake_stop(t->qemu);
    g_assert_true(t->is_cleaned);
}

/* --- judging ------------------------------------------------------------------------------------ */

static void world_up(struct world *w)
{
    the_world = w;
    w->dir = g_dir_make_tmp("engine-XXXXXX", NULL);
    g_setenv("XDG_RUNTIME_DIR", w->dir, TRUE);
    g_setenv("XDG_STATE_HOME", w->dir, TRUE);
    w->trials = g_ptr_array_new_with_free_func(trial_free);
}

static void world_down(struct world *w)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", w->dir);

    g_ptr_array_unref(w->trials);
    g_assert_cmpint(system(command), ==, 0);
    g_free(w->dir);
}

static ssize_t read_archive(void *user, void *buffer, size_t len, GError **error)
{
    return read(*(int *)user, buffer, len);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_string_append_printf(((struct trial *)user)->said, "    archive: %s\n", text);
}

static bool is_archive_good(struct trial *t)
{
    struct vma_verify_result result = {0};
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && vma_verify(read_archive, &fd, false, on_fault, t, &result, NULL) && result.faults == 0 &&
              result.has_end_mark;
    bool is_pipe = *t->options.target == '|'; /* which gives nothing back */
    g_autofree char *wrong = ok && (result.lost_devices == 0 || is_pipe)
                                 ? archive_compare(t->path, t->qemu, t->saved, is_pipe)
                                 : g_strdup("not valid");

    if (fd >= 0)
        close(fd);
    if (wrong)
        g_string_append_printf(t->said, "    archive: %s\n", wrong);
    return !wrong;
}

static unsigned all_drives(const struct trial *t)
{
    return (1u << t->qemu->kind.n_drives) - 1;
}

static void complain(const struct trial *t, const char *what)
{
    g_printerr("%s: status %d: %s\n%s", t->name, t->status, what, t->said->str);
    for (unsigned i = 0; i < t->qemu->log->len; i++)
        g_printerr("        %s\n", (const char *)g_ptr_array_index(t->qemu->log, i));
    g_test_fail();
}

/* may_need_cleanup: the fault is one after which a run cannot know, or cannot finish its work. */
static G_GNUC_UNUSED void judge(struct trial *t, bool may_need_cleanup)
{
    bool is_saved = t->status == 0 || t->status == VMB_ERROR_INCOMPLETE;
    g_autofree char *left = t->qemu->is_dead ? NULL : fake_left(t->qemu);

    if (t->qemu->violation)
        complain(t, t->qemu->violation);
    if (is_saved && t->qemu->was_instant_broken)
        complain(t, "called good, but drives are of several instants");
    if (is_saved && t->qemu->was_instant_left)
        complain(t, "called good, but its guest had left");
    if (is_saved && !is_archive_good(t))
        complain(t, "called good, and is not");
    if (t->status == 0 && (t->saved != all_drives(t) || t->is_ram_saved == t->options.no_vmstate))
        complain(t, "called complete, and is not");
    if (!is_saved && g_file_test(t->path, G_FILE_TEST_EXISTS) && *t->options.target != '|')
        complain(t, "failed, but there is an archive");
    if (left && (t->status == 0 || !may_need_cleanup)) {
        complain(t, left);
    } else if (left) {
        clean_up(t);
        g_clear_pointer(&left, g_free);
        left = fake_left(t->qemu);
        if (left)
            complain(t, left);
    }
}
