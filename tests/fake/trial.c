// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/trial.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "fake/archive.h"
#include "rescue/cleanup.h"
#include "store/store.h"

#define AT_ONCE     300
#define DEADLINE_MS 100000
#define QUICK_NS    10000000

static struct trials *running; /* for callbacks that know a trial only */

/* --- one trial ---------------------------------------------------------------------------------- */

static void on_event(void *user, const struct model_event *e)
{
    struct trial *t = user;
    if (e->type == MODEL_EV_LOG)
        g_string_append_printf(t->said, "    %s\n", e->text);
    if (e->type == MODEL_EV_PHASE && t->cancel_at && backup_model(t->backup)->phase == t->cancel_at)
        uv_async_send(&t->told);
}

static void on_done(void *user)
{
    struct trial *t = user;
    const struct model *m = backup_model(t->backup);
    g_atomic_int_set(&t->is_over, 1);
    t->status = m->end.exit_status;
    t->by_operator_ms = m->slowest.ms[MODEL_BY_OPERATOR];
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        bool is_saved = d->state == MODEL_OK;
        t->is_ram_saved |= is_saved && d->is_vmstate;
        if (is_saved && !d->is_vmstate)
            t->saved |= 1u << g_ascii_strtoull(d->name + strlen("dev"), NULL, 10);
    }
    uv_close((uv_handle_t *)&t->told, NULL);
    uv_timer_again(&running->deadline);
    if (--running->n_open == 0)
        uv_stop(&running->loop);
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

enum engine trial_engine(void)
{
    return g_strcmp0(g_getenv("VMABACKUP_ENGINE"), "pull") == 0 ? ENGINE_PULL : ENGINE_PUSH;
}

/* No job is there to be held: reading has a limit by which it would take long. */
static void hold_reads(struct backup_options *o)
{
    struct backup_limit limit = {NULL, COMMAND_MIN_RATE};

    g_array_append_val(o->limits, limit);
}

void trial_pull(struct trial *t)
{
    t->options.engine = ENGINE_PULL;
    if (t->qemu->kind.holds_jobs && !t->qemu->kind.hangs_disks)
        hold_reads(&t->options);
}

/* With chunks of two clusters. */
static void into_store(struct trial *t)
{
    g_autoptr(GError) error = NULL;

    store_init(t->path, 2 * FAKE_CLUSTER, &error);
    g_assert_no_error(error);
    t->options.is_store = true;
}

bool trial_is_into_store(const struct trial *t)
{
    return t->options.is_store;
}

bool trial_has_archive(const struct trial *t)
{
    return trial_is_into_store(t) ? fake_has_snapshot(t->path) : g_file_test(t->path, G_FILE_TEST_EXISTS);
}

struct trial *trial_new(struct trials *all, const struct fake_kind *kind, struct fake_fault fault, bool with_ram)
{
    g_autofree char *socket = g_strdup_printf("%s/%u.sock", all->dir, all->list->len);
    bool is_silent = fault.kind == FAULT_SILENT_BEFORE || fault.kind == FAULT_SILENT_AFTER || fault.kind == FAULT_MUTE;
    struct trial *t = g_new0(struct trial, 1);
    t->name = g_strdup_printf("%s %u: %s", fault.command ? fault.command : "nothing", fault.nth,
                              fault.kind < FAULT_KINDS ? kinds[fault.kind] : "late");
    t->said = g_string_new(NULL);
    t->qemu = fake_new(socket, kind);
    t->qemu->fault = fault;
    t->qemu->on_fault = tell;
    t->qemu->user = t;
    t->cancel_at = kind->holds_jobs ? MODEL_COPY : 0;
    t->path = g_strdup_printf("%s/%u.vma", all->disk, all->list->len);
    backup_options_init(&t->options);
    t->options.monitor = g_strdup(socket);
    t->options.target = g_strdup(t->path);
    t->options.no_vmstate = !with_ram;
    t->options.agent = kind->has_agent ? g_strconcat(socket, ".agent", NULL) : NULL;
    t->options.spool_dir = g_strdup("/var/tmp");
    t->options.spool_bytes = 16 << 20;
    t->options.timeout_s = is_silent ? 2 : 30;
    if (trial_engine() == ENGINE_PULL)
        trial_pull(t);
    if (g_strcmp0(g_getenv("VMABACKUP_TARGET"), "store") == 0)
        into_store(t);
    g_ptr_array_add(all->list, t);
    return t;
}

void trial_name(struct trial *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(t->name);
    t->name = g_strdup_vprintf(format, args);
    va_end(args);
}

void trial_into_pipe(struct trial *t)
{
    g_autofree char *dir = g_steal_pointer(&t->path);

    t->path = g_strconcat(dir, ".piped", NULL);
    g_free(t->options.target);
    t->options.target = g_strdup_printf("|cat > '%s'", t->path);
    t->options.is_store = false;
}

void trial_act_at_plan(struct trial *t, void (*act)(struct trial *t))
{
    t->options.wait_for_begin = true;
    t->cancel_at = MODEL_PLAN;
    t->act = act;
}

static void start(struct trials *all, struct trial *t)
{
    static const struct backup_listener listener = {.on_event = on_event, .on_done = on_done};
    fake_start(t->qemu);
    uv_async_init(&all->loop, &t->told, on_told);
    t->told.data = t;
    t->backup = backup_new(&all->loop, &t->options, &listener, t);
    backup_connect(t->backup);
}

static void free_trial(gpointer data)
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

void trials_init(int *argc, char ***argv)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* each trial has about ten open */
    setrlimit(RLIMIT_NOFILE, &files);
    g_setenv("UV_THREADPOOL_SIZE", "16", TRUE);
    signal(SIGPIPE, SIG_IGN); /* as the programs do: a command that is written into may end */
    g_test_init(argc, argv, NULL);
}

/* Others have lived since it began. */
static void use_dir(const struct trials *all)
{
    g_setenv("XDG_RUNTIME_DIR", all->dir, TRUE);
    g_setenv("XDG_STATE_HOME", all->dir, TRUE);
}

struct trials trials_begin(void)
{
    struct trials all = {.dir = g_strdup("/dev/shm/engine-XXXXXX"), .disk = g_dir_make_tmp("engine-XXXXXX", NULL)};
    g_assert_nonnull(g_mkdtemp(all.dir));
    use_dir(&all);
    all.list = g_ptr_array_new_with_free_func(free_trial);
    return all;
}

void trials_end(struct trials *all)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s' '%s'", all->dir, all->disk);
    g_ptr_array_unref(all->list);
    g_assert_cmpint(system(command), ==, 0);
    g_free(all->dir);
    g_free(all->disk);
}

static void on_deadline(uv_timer_t *timer)
{
    fake_each (struct trial, t, running->list)
        if (t->backup && !g_atomic_int_get(&t->is_over))
            g_printerr("still runs: %s\n%s", t->name, t->said->str);
    g_error("waited too long for one to end");
}

/* One more with each turn of the loop that was quick: else deadlines would pass on a busy machine only because all
 * begin at the same time. */
static void on_turn(uv_idle_t *turn)
{
    uint64_t now = uv_hrtime();
    if (now - running->turned_ns < QUICK_NS)
        start(running, g_ptr_array_index(running->list, running->next++));
    running->turned_ns = now;
    if (running->next == running->end)
        uv_idle_stop(turn);
}

/* Those from next to end. */
static void run_loop(struct trials *all)
{
    uv_loop_init(&all->loop);
    uv_timer_init(&all->loop, &all->deadline);
    uv_timer_start(&all->deadline, on_deadline, DEADLINE_MS, DEADLINE_MS);
    uv_idle_init(&all->loop, &all->turn);
    uv_idle_start(&all->turn, on_turn);
    all->n_open = all->end - all->next;
    uv_run(&all->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&all->deadline, NULL);
    uv_close((uv_handle_t *)&all->turn, NULL);
    if (all->on_over)
        all->on_over(all);
    uv_run(&all->loop, UV_RUN_DEFAULT); /* until the last handle has closed: none is left behind */
    g_assert_cmpint(uv_loop_close(&all->loop), ==, 0);
}

void trials_run(struct trials *all)
{
    running = all;
    use_dir(all);
    for (unsigned first = 0; first < all->list->len; first = all->end) {
        all->next = first;
        all->end = MIN(first + AT_ONCE, all->list->len);
        run_loop(all);
        for (unsigned i = first; i < all->end; i++) {
            struct trial *t = g_ptr_array_index(all->list, i);
            backup_free(g_steal_pointer(&t->backup));
            fake_stop(t->qemu);
        }
    }
}

void trials_run_and_judge(struct trials *all)
{
    trials_run(all);
    fake_each (struct trial, t, all->list)
        trial_judge(t, false);
}

/* --- judging ------------------------------------------------------------------------------------ */

bool trial_is_archive_good(struct trial *t)
{
    bool is_pipe = *t->options.target == '|'; /* which gives nothing back */
    g_autofree char *wrong = trial_is_into_store(t) ? fake_snapshot_wrong(t->path, t->qemu, t->saved)
                                                    : fake_archive_wrong(t->path, t->qemu, t->saved, is_pipe);
    if (wrong)
        g_string_append_printf(t->said, "    archive: %s\n", wrong);
    return !wrong;
}

unsigned trial_all_drives(const struct trial *t)
{
    return (1u << t->qemu->kind.n_drives) - 1;
}

bool trial_has_sent(const struct trial *t, const char *command)
{
    fake_each (const char, line, t->qemu->log)
        if (g_str_has_prefix(line, command))
            return true;
    return false;
}

void trial_complain(const struct trial *t, const char *what)
{
    g_printerr("%s: status %d: %s\n%s", t->name, t->status, what, t->said->str);
    fake_each (const char, line, t->qemu->log)
        g_printerr("        %s\n", line);
    g_test_fail();
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

void trial_clean_up(struct trial *t)
{
    g_autofree char *left = NULL;
    uv_loop_t loop;
    t->qemu->fault = (struct fake_fault){0};
    t->qemu->is_mute = false;
    fake_start(t->qemu);
    uv_loop_init(&loop);
    cleanup_new(&loop, t->qemu->path, &(struct cleanup_wish){.timeout_s = 30}, on_cleanup_line, on_cleaned, t);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
    fake_stop(t->qemu);
    g_assert_true(t->is_cleaned);
    if ((left = fake_left(t->qemu)))
        trial_complain(t, left);
}

void trial_judge(struct trial *t, bool may_need_cleanup)
{
    bool is_saved = t->status == 0 || t->status == VMB_ERROR_INCOMPLETE;
    g_autofree char *left = t->qemu->is_dead ? NULL : fake_left(t->qemu);
    if (t->qemu->violation)
        trial_complain(t, t->qemu->violation);
    if (is_saved && t->qemu->was_instant_broken)
        trial_complain(t, "called good, but drives are of several instants");
    if (is_saved && t->qemu->was_instant_left)
        trial_complain(t, "called good, but its guest had left");
    if (is_saved && !trial_is_archive_good(t))
        trial_complain(t, "called good, and is not");
    if (t->status == 0 && (t->saved != trial_all_drives(t) || t->is_ram_saved == t->options.no_vmstate))
        trial_complain(t, "called complete, and is not");
    if (!is_saved && trial_has_archive(t) && *t->options.target != '|')
        trial_complain(t, "failed, but there is an archive");
    if (left && t->status != 0 && may_need_cleanup)
        trial_clean_up(t);
    else if (left)
        trial_complain(t, left);
}
