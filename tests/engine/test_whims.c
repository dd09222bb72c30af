// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operators of whims: at moments that a seed chooses (before a command, a cluster of a job) they cancel,
 * retry, limit, pause, resume. The archive holds exactly the drives that are called saved, each as it was at
 * its instant, or there is none; in QEMU nothing is left.
 *
 *     engine_whims              100 seeds; 1,000 with -m slow
 *     engine_whims --whim 17    that one, and all that was said
 */
#include "fake/trial.h"
#include "vma/format.h"

#define MAX_WHIMS 12

struct whim {
    unsigned at; /* moment, of all or since the first job */
    bool is_since_job;
    struct command command;
};

struct whims {
    struct whim list[MAX_WHIMS]; /* in order */
    unsigned n;
    bool has_job;
    gint n_told, n_done; /* atomic: by QEMU's thread, by the loop's */
};

static bool is_verbose;

/* --- choosing ----------------------------------------------------------------------------------- */

static void sort_in(struct whims *w, unsigned i, struct whim whim)
{
    for (; i > 0 && w->list[i - 1].at > whim.at; i--)
        w->list[i] = w->list[i - 1];
    w->list[i] = whim;
}

static void add_whim(struct whims *w, unsigned at, bool is_since_job, enum command_verb verb, const char *target,
                     uint64_t rate)
{
    /* Those that count from the first job wait at the end of the list. */
    struct whim whim = {.at = at + (is_since_job ? G_MAXINT / 2 : 0), .is_since_job = is_since_job};

    command_init(&whim.command, verb);
    model_set(whim.command.target, "%s", target);
    whim.command.rate = rate;
    whim.command.is_confirmed = true;
    model_set(whim.command.confirmation, "fake");
    sort_in(w, w->n++, whim);
}

/* Mostly while drives are copied. A pause ends some day. */
static void choose_whim(struct whims *w, GRand *rand, unsigned n_drives)
{
    static const enum command_verb verbs[] = {COMMAND_CANCEL, COMMAND_CANCEL, COMMAND_CANCEL,
                                              COMMAND_RETRY,  COMMAND_RETRY,  COMMAND_LIMIT,
                                              COMMAND_PAUSE,  COMMAND_PAUSE,  COMMAND_CANCEL_ALL};
    enum command_verb verb = verbs[g_rand_int_range(rand, 0, G_N_ELEMENTS(verbs))];
    bool is_since_job = g_rand_int_range(rand, 0, 4) != 0;
    unsigned at = g_rand_int_range(rand, 1, is_since_job ? 20 * n_drives : 30 + 20 * n_drives);
    int who = g_rand_int_range(rand, verb == COMMAND_CANCEL ? 0 : -1, n_drives + 1);
    g_autofree char *name = who < 0                ? g_strdup("all")
                            : who == (int)n_drives ? g_strdup(VMA_VMSTATE_NAME)
                                                   : g_strdup_printf("dev%d", who);

    if (verb == COMMAND_CANCEL_ALL && g_rand_int_range(rand, 0, 3))
        verb = COMMAND_RETRY;
    add_whim(w, at, is_since_job, verb, name, verb == COMMAND_LIMIT ? (uint64_t)g_rand_int_range(rand, 0, 3) << 20 : 0);
    if (verb == COMMAND_CANCEL && g_rand_boolean(rand))
        add_whim(w, at + g_rand_int_range(rand, 1, 20), is_since_job, COMMAND_RETRY, name, 0);
    if (verb == COMMAND_PAUSE)
        add_whim(w, at + g_rand_int_range(rand, 1, 8), is_since_job, COMMAND_RESUME, name, 0);
}

static struct fake_kind choose_kind(GRand *rand)
{
    return (struct fake_kind){
        .major = g_rand_boolean(rand) ? 10 : 7,
        .n_drives = g_rand_int_range(rand, 1, 5),
        .is_paused = g_rand_int_range(rand, 0, 8) == 0,
        .no_snapshot = g_rand_int_range(rand, 0, 4) == 0,
        .is_lively = true,
    };
}

/* --- acting ------------------------------------------------------------------------------------- */

static void act(struct trial *t)
{
    struct whims *w = t->of;
    for (; w->n_done < g_atomic_int_get(&w->n_told); g_atomic_int_inc(&w->n_done)) {
        const struct whim *whim = &w->list[w->n_done];
        g_autoptr(GError) error = NULL;
        bool is_done = !t->is_over && backup_command(t->backup, &whim->command, &error);

        g_string_append_printf(t->said, "    moment %u: %s %s: %s\n", whim->at,
                               command_entry_of(whim->command.verb)->word, whim->command.target,
                               is_done ? "done"
                               : error ? error->message
                                       : "too late");
    }
}

/* The first job has been started. */
static void count_from_now(struct whims *w, unsigned n)
{
    w->has_job = true;
    for (unsigned i = 0; i < w->n; i++) {
        struct whim whim = w->list[i];
        if (whim.is_since_job) {
            whim.at += n - G_MAXINT / 2;
            sort_in(w, i, whim);
        }
    }
}

/* QEMU waits until it is done, so that a seed gives the same order each time. */
static void on_moment(void *user, unsigned n)
{
    struct trial *t = user;
    struct whims *w = t->of;
    if (!w->has_job && (t->qemu->jobs->len || t->qemu->exports->len))
        count_from_now(w, n);
    while ((unsigned)w->n_told < w->n && w->list[w->n_told].at <= n)
        g_atomic_int_inc(&w->n_told);
    if (g_atomic_int_get(&w->n_done) == w->n_told || g_atomic_int_get(&t->is_over))
        return;
    uv_async_send(&t->told);
    while (g_atomic_int_get(&w->n_done) != w->n_told && !g_atomic_int_get(&t->is_over))
        g_usleep(50);
}

static struct trial *trial_of_whims(struct trials *all, const struct fake_kind *kind, bool with_ram, struct whims *w)
{
    struct trial *t = trial_new(all, kind, (struct fake_fault){0}, with_ram);
    t->of = w;
    t->act = act;
    t->qemu->on_fault = NULL;
    t->qemu->on_moment = on_moment;
    return t;
}

static struct trial *trial_of_seed(struct trials *all, unsigned seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct fake_kind kind = choose_kind(rand);
    struct whims *w = g_new0(struct whims, 1);
    struct trial *t = trial_of_whims(all, &kind, g_rand_int_range(rand, 0, 3) == 0, w);
    for (unsigned i = g_rand_int_range(rand, 1, 6); i > 0; i--)
        choose_whim(w, rand, kind.n_drives);
    if (g_rand_boolean(rand)) {
        unsigned drive = g_rand_int_range(rand, 0, kind.n_drives);
        t->qemu->n_bad_reads[drive] = g_rand_int_range(rand, 1, 5);
        t->qemu->bad_cluster[drive] = g_rand_int_range(rand, 0, FAKE_CLUSTERS);
    }
    if (g_rand_int_range(rand, 0, 8) == 0)
        trial_into_pipe(t);
    t->options.retries = g_rand_int_range(rand, 0, 3);
    t->options.strict = g_rand_int_range(rand, 0, 5) == 0;
    trial_name(t, "seed %u (engine_whims --whim %u)", seed, seed);
    return t;
}

/* --- judging ------------------------------------------------------------------------------------ */

static void judge_whims(struct trial *t)
{
    trial_judge(t, false);
    if (t->status != 0 && t->status != VMB_ERROR_INCOMPLETE && t->status != VMB_ERROR_CANCELLED &&
        t->status != VMB_ERROR_FAILED)
        trial_complain(t, "an exit status that nothing here explains");
    if (is_verbose)
        g_printerr("to %s: status %d, drives %x saved, %u moments\n%s", t->options.target, t->status, t->saved,
                   t->qemu->n_moments, t->said->str);
}

static void run_seeds(unsigned first, unsigned last)
{
    g_auto(trials) all = trials_begin();
    for (unsigned seed = first; seed <= last; seed++)
        trial_of_seed(&all, seed);
    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        judge_whims(t);
        g_free(t->of);
    }
}

/* Its pause goes with it: no resume could reach it until it is taken again. */
static void test_cancelled_while_paused(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2, .is_lively = true};
    struct whims w = {0};
    g_auto(trials) all = trials_begin();
    struct trial *t;
    add_whim(&w, 6, true, COMMAND_PAUSE, "all", 0);
    add_whim(&w, 7, true, COMMAND_CANCEL, "dev0", 0);
    add_whim(&w, 8, true, COMMAND_RETRY, "dev0", 0);
    add_whim(&w, 16, true, COMMAND_RESUME, "dev1", 0);
    t = trial_of_whims(&all, &kind, false, &w);
    trials_run(&all);
    judge_whims(t);
    g_assert_cmpuint(t->saved, ==, trial_all_drives(t));
}

static void test_whims(void)
{
    run_seeds(1, g_test_slow() ? 1000 : 100);
}

static void test_one(gconstpointer seed)
{
    is_verbose = true;
    run_seeds(GPOINTER_TO_UINT(seed), GPOINTER_TO_UINT(seed));
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    if (argc == 3 && strcmp(argv[1], "--whim") == 0)
        g_test_add_data_func("/engine/whims/one", GUINT_TO_POINTER(g_ascii_strtoull(argv[2], NULL, 10)), test_one);
    else
        g_test_add_func("/engine/whims/many", test_whims);
    g_test_add_func("/engine/whims/cancelled-while-paused", test_cancelled_while_paused);
    return g_test_run();
}
