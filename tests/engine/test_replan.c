// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan is changed by commands before it begins; what cannot be carried out changes nothing; then it is
 * what runs. */
#include <string.h>

#include "fake/trial.h"

static const struct model *model_of(struct trial *t)
{
    return backup_model(t->backup);
}

static const struct model_drive *row(struct trial *t, const char *name)
{
    return model_find_drive(model_of(t), name);
}

static void say(struct trial *t, const char *line)
{
    struct command c;
    g_autoptr(GError) error = NULL;
    g_assert_true(command_parse_line(line, &c, NULL));
    backup_command(t->backup, &c, &error);
    g_assert_no_error(error);
}

/* Refused with these words, and the plan is as it was. */
static void must_refuse(struct trial *t, const char *line, const char *words)
{
    struct command c;
    g_autoptr(GError) error = NULL;
    g_autofree char *before = g_strdup(model_of(t)->same_as);
    g_assert_true(command_parse_line(line, &c, NULL));
    g_assert_false(backup_command(t->backup, &c, &error));
    if (!strstr(error->message, words))
        g_error("%s: says '%s', not '%s'", line, error->message, words);
    g_assert_cmpstr(model_of(t)->same_as, ==, before);
}

static void must_say_same(struct trial *t, const char *words)
{
    if (!strstr(model_of(t)->same_as, words))
        g_error("'%s' is not in: %s", words, model_of(t)->same_as);
}

static void change_drives(struct trial *t)
{
    say(t, "exclude dev1");
    g_assert_false(row(t, "dev1")->is_included);
    must_say_same(t, " --exclude=dev1 ");
    say(t, "exclude dev2");
    must_refuse(t, "exclude dev0", "no drive to save"); /* the last one */
    g_assert_true(row(t, "dev0")->is_included);
    must_refuse(t, "include nosuch", "no drive nosuch");
    say(t, "include dev2");
    g_assert_true(row(t, "dev2")->is_included);
    say(t, "exclude vmstate");
    g_assert_false(row(t, "vmstate")->is_included);
    must_say_same(t, " --no-vmstate ");
    say(t, "vmstate yes");
    g_assert_true(row(t, "vmstate")->is_included);
}

static void change_limits(struct trial *t)
{
    say(t, "limit dev0 500M");
    g_assert_cmpuint(row(t, "dev0")->limit_wanted, ==, 500u << 20);
    say(t, "limit dev0 +10%");
    must_say_same(t, " --limit=dev0=550M ");
    say(t, "exclude dev0"); /* it stays with the drive */
    say(t, "include dev0");
    g_assert_cmpuint(row(t, "dev0")->limit_wanted, ==, 550u << 20);
    must_refuse(t, "limit dev1 5M", "no drive dev1 is being saved");
    must_refuse(t, "limit dev2 +10%", "no limit yet");
    say(t, "limit dev0 0");
    g_assert_null(strstr(model_of(t)->same_as, "--limit"));
    say(t, "limit all 900M");
    must_say_same(t, " --limit=900M ");
    g_assert_cmpuint(model_of(t)->global_limit, ==, 900u << 20);
    say(t, "limit all 0"); /* lifted is lifted */
    g_assert_cmpuint(model_of(t)->global_limit, ==, 0);
    must_refuse(t, "limit vmstate 50M", "background snapshot cannot be slowed");
    g_assert_true(row(t, "vmstate")->takes_no_limit);
    say(t, "limit all 900M");
}

static void change_rest(struct trial *t)
{
    g_autofree char *elsewhere = g_strconcat("output ", t->path, ".elsewhere", NULL);
    g_autofree char *back = g_strconcat("output ", t->path, NULL);
    say(t, elsewhere);
    g_assert_true(g_str_has_suffix(model_of(t)->target, ".elsewhere"));
    say(t, back);
    say(t, "level 5"); /* the name follows, and back */
    g_assert_true(g_str_has_suffix(model_of(t)->target, ".vma.zst"));
    g_assert_cmpstr(model_of(t)->compression, ==, "zstd:5");
    must_say_same(t, " --level=5 ");
    say(t, "level 0");
    g_assert_cmpstr(model_of(t)->target, ==, t->path);
    g_assert_cmpstr(model_of(t)->compression, ==, "");
    say(t, "retries 7");
    say(t, "strict yes");
    must_say_same(t, " --retries=7 --strict ");
    g_assert_true(model_of(t)->is_strict);
}

static void change_all(struct trial *t)
{
    change_drives(t);
    change_limits(t);
    change_rest(t);
    say(t, "begin");
    must_refuse(t, "exclude dev2", "not possible now");
}

/* It begins by the last of what act does, and nothing that is wanted is missing. */
static struct trial *run_plan(struct trials *all, struct fake_kind kind, void (*act)(struct trial *t))
{
    struct trial *t = trial_new(all, &kind, (struct fake_fault){0}, true);
    trial_act_at_plan(t, act);
    trials_run(all);
    g_assert_cmpint(t->status, ==, 0);
    return t;
}

static void test_changed(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = run_plan(&all, (struct fake_kind){.major = 10, .n_drives = 3}, change_all);
    g_assert_true(t->is_ram_saved);
    g_assert_cmpuint(t->saved, ==, 1u << 0 | 1u << 2);
    g_assert_true(trial_is_archive_good(t));
}

/* A plain migration can be slowed, and so it can be planned. */
static void limit_ram(struct trial *t)
{
    g_assert_false(row(t, "vmstate")->takes_no_limit);
    say(t, "limit vmstate 50M");
    g_assert_cmpuint(row(t, "vmstate")->limit_wanted, ==, 50u << 20);
    must_say_same(t, " --limit=vmstate=50M ");
    say(t, "exclude vmstate"); /* it stays with the RAM */
    say(t, "include vmstate");
    g_assert_cmpuint(row(t, "vmstate")->limit_wanted, ==, 50u << 20);
    say(t, "limit vmstate 0");
    g_assert_cmpuint(row(t, "vmstate")->limit_wanted, ==, 0);
    say(t, "begin");
}

static void test_ram(void)
{
    g_auto(trials) all = trials_begin();
    run_plan(&all, (struct fake_kind){.major = 7, .n_drives = 1}, limit_ram);
}

/* A drive that somebody else is at work on is wanted until it is excluded: with strict nothing begins before. */
static void do_without(struct trial *t)
{
    g_assert_true(row(t, "dev0")->is_refused);
    must_refuse(t, "include dev0", "block job m0");
    must_refuse(t, "strict yes", "cannot be saved now");
    say(t, "exclude dev0");
    must_say_same(t, " --exclude=dev0 ");
    g_assert_false(row(t, "dev0")->is_refused);
    say(t, "strict yes");
    say(t, "begin");
}

static void test_occupied(void)
{
    g_auto(trials) all = trials_begin();
    struct trial *t = run_plan(&all, (struct fake_kind){.major = 10, .n_drives = 2, .has_mirror = true}, do_without);
    g_assert_cmpuint(t->saved, ==, 1u << 1);
}

/* A target that nobody chose has the guest's name; a chosen one stays, whatever else is changed. */
static void choose_target(struct trial *t)
{
    g_autofree char *output = g_strconcat("output ", t->path, NULL);
    g_assert_true(g_str_has_prefix(model_of(t)->target, "./"));
    say(t, "level 0");
    g_assert_true(g_str_has_suffix(model_of(t)->target, ".vma"));
    must_refuse(t, "output /nowhere/x.vma.gz", "only .zst");
    say(t, output);
    g_assert_cmpstr(model_of(t)->target, ==, t->path);
    say(t, "retries 1");
    g_assert_cmpstr(model_of(t)->target, ==, t->path);
    say(t, "begin");
}

static void test_target(void)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1};
    g_auto(trials) all = trials_begin();
    struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, true);
    g_clear_pointer(&t->options.target, g_free);
    trial_act_at_plan(t, choose_target);
    trials_run(&all);
    g_assert_cmpint(t->status, ==, 0);
    g_assert_true(g_file_test(t->path, G_FILE_TEST_EXISTS));
}

/* Only as the plan has it: what each engine does is told elsewhere. */
static void change_engine(struct trial *t)
{
    g_assert_cmpstr(model_of(t)->engine.word, ==, "push");
    g_assert_cmpstr(model_of(t)->engine.obstacle, ==, "");
    say(t, "engine pull");
    g_assert_cmpstr(model_of(t)->engine.word, ==, "pull");
    g_assert_cmpstr(row(t, "dev0")->engine, ==, "pull");
    g_assert_cmpstr(row(t, "vmstate")->engine, ==, "");
    must_say_same(t, " --engine=pull ");
    say(t, "strict yes");
    say(t, "engine push");
    g_assert_cmpstr(model_of(t)->engine.word, ==, "push");
    g_assert_cmpstr(row(t, "dev0")->engine, ==, "push");
    g_assert_null(strstr(model_of(t)->same_as, "--engine"));
    say(t, "begin");
}

static void test_engine(void)
{
    g_auto(trials) all = trials_begin();
    run_plan(&all, (struct fake_kind){.major = 10, .n_drives = 2}, change_engine);
}

static void see_one_pushed(struct trial *t)
{
    g_assert_null(strstr(t->said->str, "not pulled"));
    say(t, "engine pull");
    g_assert_nonnull(strstr(t->said->str, "drive dev0 is pushed, not pulled: it belongs to an iothread"));
    say(t, "begin");
}

static void test_one_pushed(void)
{
    g_auto(trials) all = trials_begin();
    run_plan(&all, (struct fake_kind){.major = 10, .n_drives = 2, .has_iothread = true}, see_one_pushed);
}

static void see_no_pull(struct trial *t)
{
    g_assert_cmpstr(model_of(t)->engine.word, ==, "push");
    g_assert_cmpstr(model_of(t)->engine.obstacle, ==,
                    t->options.guard ? "no drive stands behind a filter"
                                     : "this QEMU was built without vhost-user-blk exports");
    must_refuse(t, "engine pull", model_of(t)->engine.obstacle);
    must_refuse(t, "strict yes", "drives cannot be pulled");
    say(t, "engine push");
    say(t, "strict yes");
    say(t, "begin");
}

/* Where it cannot be, push is used, and that is told; with strict it is refused. */
static void test_no_pull(void)
{
    for (int is_direct = 0; is_direct < 2; is_direct++) {
        const struct fake_kind kind = {.major = 10, .n_drives = 2, .has_no_vhost = !is_direct};
        g_auto(trials) all = trials_begin();
        struct trial *t = trial_new(&all, &kind, (struct fake_fault){0}, true);
        t->options.engine = ENGINE_PULL;
        t->options.guard = is_direct ? BACKUP_GUARD_DIRECT : BACKUP_GUARD_AUTO;
        trial_act_at_plan(t, see_no_pull);
        trials_run(&all);
        g_assert_cmpint(t->status, ==, is_direct ? 3 : 0); /* unguarded */
    }
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/replan/changed", test_changed);
    g_test_add_func("/engine/replan/target", test_target);
    g_test_add_func("/engine/replan/occupied", test_occupied);
    g_test_add_func("/engine/replan/ram", test_ram);
    g_test_add_func("/engine/replan/engine", test_engine);
    g_test_add_func("/engine/replan/one-pushed", test_one_pushed);
    g_test_add_func("/engine/replan/no-pull", test_no_pull);
    return g_test_run();
}
