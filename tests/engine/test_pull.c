// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives that are pulled, from a QEMU that lies, ends, hangs, or cannot read: see fake/vhost.h. What both engines must
 * stand is swept over with VMABACKUP_ENGINE=pull.
 */
#include "fake/acts.h"
#include "fake/trial.h"
#include "fake/vhost.h"

static const struct fake_kind quick = {.major = 10, .n_drives = 2},
                              lively = {.major = 10, .n_drives = 2, .is_lively = true};

static struct trial *trial_of(struct trials *all, const struct fake_kind *kind, struct fake_fault fault)
{
    struct trial *t = trial_new(all, kind, fault, false);

    t->options.retries = 1;
    trial_pull(t);
    return t;
}

static const struct fake_fault nothing;

/* Somebody else's NBD server runs: nothing is known of zeros, and all of a drive is one request. */
static struct trial *trial_of_whole_reads(struct trials *all, struct fake_fault fault)
{
    struct trial *t = trial_of(all, &quick, fault);

    t->qemu->has_others_server = true;
    return t;
}

static unsigned count(const struct trial *t, const char *what)
{
    unsigned n = 0;

    fake_each (const char, line, t->qemu->log)
        n += g_str_has_prefix(line, what);
    return n;
}

static unsigned count_of(const struct trial *t, const char *what, const char *whom)
{
    unsigned n = 0;

    fake_each (const char, line, t->qemu->log)
        n += g_str_has_prefix(line, what) && strstr(line, whom);
    return n;
}

static bool has_said(const struct trial *t, const char *what)
{
    return strstr(t->said->str, what) != NULL;
}

static void must_say(const struct trial *t, const char *what)
{
    if (!has_said(t, what))
        trial_complain(t, what);
}

static void must_end(struct trial *t, int status, unsigned saved)
{
    trial_judge(t, false);
    if (t->status != status || t->saved != saved)
        trial_complain(t, "not the end that it should have");
}

/* --- lies --------------------------------------------------------------------------------------- */

static const char *const sentences[LIE_KINDS] = {
    [LIE_ID] = "QEMU's export does what it must not: read number ",
    [LIE_TWICE] = "QEMU's export does what it must not: 2 reads ended, of 1 that were in flight",
    [LIE_STATUS] = "QEMU's export does what it must not: a read ended with status 2, which no read has",
    [LIE_COUNT] = "QEMU's export does what it must not: 500 reads ended, of 1 that were in flight",
    [LIE_LENGTH] = "QEMU's export does what it must not: a read of 393729 bytes ended with 393728",
    [LIE_CHATTER] = "QEMU's export cannot be used: it sends what nobody has asked for",
    [LIE_CLOSES] = "QEMU has ended the connection of its export",
    [LIE_CAPACITY] = "the exported image has 459776 bytes, the drive 459264",
    [LIE_SILENT] = "QEMU does not answer on its export",
};

static struct trial *trial_of_lie(struct trials *all, enum fake_lie lie, unsigned n)
{
    struct trial *t = trial_of_whole_reads(all, nothing);

    t->qemu->lie = lie;
    t->qemu->n_lies = n;
    t->options.timeout_s = lie == LIE_SILENT ? 1 : 30;
    trial_name(t, "lie %d, %s", lie, n == 1 ? "once" : "for ever");
    return t;
}

/* The drive is read again by an export of its own; one that lies for ever is given up, and the other one saved. */
static void test_lies(void)
{
    g_auto(trials) all = trials_begin();

    for (unsigned i = 0; i < 2 * (LIE_KINDS - 1); i++)
        trial_of_lie(&all, 1 + i / 2, i % 2 ? 1 : FAKE_FOR_EVER);
    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        bool is_early = t->qemu->lie == LIE_CAPACITY || t->qemu->lie == LIE_SILENT;
        must_say(t, sentences[t->qemu->lie]);
        if (is_early)
            must_end(t, VMB_ERROR_FAILED, 0);
        else if (t->qemu->n_lies)
            must_end(t, VMB_ERROR_INCOMPLETE, 1u << 1);
        else
            must_end(t, 0, trial_all_drives(t));
    }
}

/* --- what cannot be read ------------------------------------------------------------------------ */

static struct trial *trial_of_bad_cluster(struct trials *all, unsigned cluster, unsigned n)
{
    struct trial *t = trial_of_whole_reads(all, nothing);

    t->qemu->bad_cluster[0] = cluster;
    t->qemu->n_bad_reads[0] = n;
    trial_name(t, "cluster %u is bad %u times", cluster, n);
    return t;
}

/* Once: each cluster of that request is read alone. Twice: all is read again at the same instant. For ever: the drive
 * is lost, and its offset is told. */
static void test_bad_clusters(void)
{
    static const unsigned clusters[] = {1, 3, FAKE_CLUSTERS - 1}; /* the guest overwrites 0 */
    g_auto(trials) all = trials_begin();

    for (unsigned i = 0; i < G_N_ELEMENTS(clusters); i++) {
        struct trial *once = trial_of_bad_cluster(&all, clusters[i], 1);
        struct trial *twice = trial_of_bad_cluster(&all, clusters[i], 2);
        struct trial *always = trial_of_bad_cluster(&all, clusters[i], FAKE_FOR_EVER);
        once->of = twice->of = GUINT_TO_POINTER(clusters[i]);
        always->of = once->of;
    }
    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        g_autofree char *where = g_strdup_printf("(offset %u)", GPOINTER_TO_UINT(t->of) * FAKE_CLUSTER);
        bool is_lost = t->qemu->n_bad_reads[0], is_once = !has_said(t, "retry 1 of 1 at the same instant");
        must_end(t, is_lost ? VMB_ERROR_INCOMPLETE : 0, is_lost ? 1u << 1 : trial_all_drives(t));
        g_assert_cmpuint(count(t, "block-export-add vmb-"), ==, is_once ? 2 + 1 : 3 + 1); /* one is asked for types */
        if (!is_once)
            must_say(t, where);
    }
    g_assert_false(has_said(g_ptr_array_index(all.list, 0), "retry"));
}

/* --- what is zero ------------------------------------------------------------------------------- */

/* Not read, on the word of an NBD export whose server is there no longer than that; another one stays untouched. */
static void test_zeroes(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *told = trial_of(&all, &quick, nothing), *untold = trial_of_whole_reads(&all, nothing);
    struct trial *refused = trial_of(&all, &quick, (struct fake_fault){"nbd-server-start", 1, FAULT_ERROR});

    trials_run(&all);
    fake_each (struct trial, t, all.list) {
        must_end(t, 0, trial_all_drives(t));
        g_assert_cmpuint(t->qemu->n_zero_reads, ==, 0);
        g_assert_cmpint(t->qemu->is_told_zero[1][2], ==, t == told);
        g_assert_cmpint(t->qemu->has_others_server, ==, t == untold);
    }
    g_assert_cmpuint(count(refused, "nbd-server-start"), ==, 1);
}

/* Read again at the same instant: it is still known. */
static void test_zeroes_again(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_of(&all, &quick, nothing);

    t->qemu->bad_cluster[0] = 5;
    t->qemu->n_bad_reads[0] = 2;
    trials_run(&all);
    must_end(t, 0, trial_all_drives(t));
    must_say(t, "retry 1 of 1 at the same instant");
    g_assert_cmpuint(count(t, "nbd-server-start"), ==, 2);
    g_assert_cmpuint(t->qemu->n_zero_reads, ==, 0);
}

/* --- what others do at a moment ------------------------------------------------------------------ */

static struct fake_export *export_of(struct fake_qemu *q, unsigned drive)
{
    fake_each (struct fake_export, e, q->exports)
        if (fake_drive_of(q, e->node) == drive)
            return e;
    return NULL;
}

/* When the first drive's reading has begun, once. */
static bool is_time(struct trial *t)
{
    return !t->of && fake_vhost_next(t->qemu) && export_of(t->qemu, 0) == fake_vhost_next(t->qemu) && (t->of = t);
}

static struct trial *run_at_moment(struct trials *all, void (*on_moment)(void *user, unsigned n))
{
    struct trial *t = trial_of(all, &lively, nothing);

    t->qemu->on_moment = on_moment;
    trials_run(all);
    g_assert_true(t->of == t);
    return t;
}

static void break_image(void *user, unsigned n)
{
    struct trial *t = user;

    if (is_time(t))
        fake_node(t->qemu, t->qemu->drives[0])->is_broken = true;
}

static void test_broken_image(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = run_at_moment(&all, break_image);

    must_end(t, VMB_ERROR_INCOMPLETE, trial_all_drives(t)); /* of two instants */
    must_say(t, "retry 1 of 1 at a new instant");
    must_say(t, "the frozen image broke");
}

static void delete_export(void *user, unsigned n)
{
    struct trial *t = user;

    if (is_time(t))
        g_ptr_array_remove(t->qemu->exports, export_of(t->qemu, 0));
}

/* By somebody else, who need not wait for anybody. */
static void test_export_gone(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = run_at_moment(&all, delete_export);

    must_end(t, 0, trial_all_drives(t));
    must_say(t, "QEMU has ended the connection of its export; retry 1 of 1 at the same instant");
}

/* The guest overwrites the bad cluster when the export has gone for a retry: nothing is left to be read then. */
static void write_bad_cluster(void *user, unsigned n)
{
    struct trial *t = user;

    if (!t->of && g_strcmp0(t->qemu->command, "block-export-del") == 0 && (t->of = t))
        fake_guest_writes(t->qemu, 0, 3);
}

static void test_filter_brings_the_last(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_of_bad_cluster(&all, 3, FAKE_FOR_EVER);

    t->qemu->kind.n_drives = 1;
    t->qemu->on_moment = write_bad_cluster;
    trials_run(&all);
    must_end(t, 0, trial_all_drives(t));
    must_say(t, "retry 1 of 1 at the same instant");
}

/* --- the monitor is lost, disks hang ------------------------------------------------------------- */

/* Whether the export is there is asked when the monitor is back: it is taken, or asked for again. */
static void test_answer_lost(void)
{
    g_auto(trials) all = trials_begin();
    struct fake_fault lost = {"block-export-add", 2, FAULT_HANGUP_BEFORE};
    struct fake_fault answered = {"block-export-add", 2, FAULT_HANGUP_AFTER};
    struct trial *before = trial_of_whole_reads(&all, lost), *after = trial_of_whole_reads(&all, answered);

    trials_run(&all);
    must_end(before, 0, trial_all_drives(before));
    must_end(after, 0, trial_all_drives(after));
    g_assert_cmpuint(count(before, "block-export-add vmb-"), ==, 1 + 3);
    g_assert_cmpuint(count(after, "block-export-add vmb-"), ==, 1 + 2);
}

/* Its reads do not come back; as the run is undone the connection ends all the same: then nothing is waited for. */
static void hang_up_all(void *user, unsigned n)
{
    struct trial *t = user;

    if (g_atomic_int_get(&t->cancel_at) == 0) {
        fake_each (struct fake_export, e, t->qemu->exports)
            fake_vhost_hang_up(e);
    }
}

static void cancel(struct trial *t)
{
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test");
    g_atomic_int_set(&t->cancel_at, 0);
}

static void test_connection_ends_in_undo(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2, .holds_jobs = true, .hangs_disks = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_of(&all, &kind, nothing);
    gint64 began = g_get_monotonic_time();

    t->act = cancel;
    t->qemu->on_moment = hang_up_all;
    trials_run(&all);
    must_end(t, VMB_ERROR_CANCELLED, 0);
    g_assert_cmpint(g_get_monotonic_time() - began, <, 15 * G_USEC_PER_SEC); /* not the time that a disk is given */
}

/* Reads never come back: nothing that would wait for them is asked of QEMU, and one line says so. */
static void test_hanging_disk(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 2, .holds_jobs = true, .hangs_disks = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_of(&all, &kind, nothing);

    t->options.timeout_s = 1;
    t->qemu->has_others_server = true; /* so no export that ends comes before */
    trials_run(&all);
    g_assert_cmpint(t->status, ==, VMB_ERROR_CANCELLED);
    must_say(t, "drive dev1: its disk (node disk1) does not answer, so export vmb-");
    g_assert_false(trial_has_sent(t, "block-export-del vmb-") || trial_has_sent(t, "blockdev-del"));
    t->qemu->kind.hangs_disks = false;
    trial_clean_up(t);
    g_assert_cmpstr(t->qemu->violation, ==, NULL);
}

/* --- both engines in one run --------------------------------------------------------------------- */

static void test_iothread(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 3, .has_iothread = true};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_of(&all, &kind, nothing);

    trials_run(&all);
    must_end(t, 0, trial_all_drives(t));
    g_assert_cmpuint(count(t, "blockdev-backup"), ==, 1);
    must_say(t, "drive dev0 is pushed, not pulled");
    g_assert_cmpuint(count_of(t, "blockdev-add", "-lid-0-cap"), ==, 1); /* the others are of the main loop */
    g_assert_cmpuint(count_of(t, "blockdev-add", "-lid-"), ==, 1);
    g_assert_cmpuint(count_of(t, "blockdev-del", "-lid-0-cap"), ==, 1);
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/pull/lies", test_lies);
    g_test_add_func("/engine/pull/bad-clusters", test_bad_clusters);
    g_test_add_func("/engine/pull/zeroes", test_zeroes);
    g_test_add_func("/engine/pull/zeroes-again", test_zeroes_again);
    g_test_add_func("/engine/pull/broken-image", test_broken_image);
    g_test_add_func("/engine/pull/export-gone", test_export_gone);
    g_test_add_func("/engine/pull/filter-brings-the-last", test_filter_brings_the_last);
    g_test_add_func("/engine/pull/answer-lost", test_answer_lost);
    g_test_add_func("/engine/pull/connection-ends-in-undo", test_connection_ends_in_undo);
    g_test_add_func("/engine/pull/hanging-disk", test_hanging_disk);
    g_test_add_func("/engine/pull/iothread", test_iothread);
    return g_test_run();
}
