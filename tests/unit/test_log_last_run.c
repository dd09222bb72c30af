// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's last backup is remembered, whatever it is called, and forecasts the next. */
#include <string.h>

#include "fake/trial.h"
#include "log/last_run.h"

static void test_kept(void)
{
    static const char *const names[] = {"web-01", "a/b", "..", "../../etc/x", "Gäste [1]", "%2F"};
    struct world w = {0};
    struct last_run last, none;
    world_up(&w);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct last_run saved = {UINT64_C(1) << 45, 5000 + i, 3000, 700, i % 2};
        g_assert_false(last_run_load(names[i], &none));
        last_run_save(names[i], &saved);
        g_assert_true(last_run_load(names[i], &last));
        g_assert_cmpuint(last.read, ==, saved.read);
        g_assert_cmpuint(last.plain, ==, saved.plain);
        g_assert_cmpuint(last.written, ==, saved.written);
        g_assert_cmpuint(last.elapsed_ms, ==, saved.elapsed_ms);
        g_assert_cmpint(last.is_packed, ==, saved.is_packed);
    }
    g_assert_true(last_run_load(names[0], &last)); /* each has a file of its own */
    g_assert_cmpuint(last.plain, ==, 5000);
    world_down(&w);
}

/* What is no number, or nought, is as good as nothing; a folder that cannot be made is no error. */
static void test_of_no_use(void)
{
    struct world w = {0};
    struct last_run last = {1, 1, 1, 1, true};
    world_up(&w);
    last_run_save("web", &last);
    g_autofree char *path = g_build_filename(w.dir, "vmabackup", "web.last", NULL);
    g_assert_true(g_file_set_contents(path, "[last]\nread=x\nplain=-1\nwritten=0\n", -1, NULL));
    g_assert_false(last_run_load("web", &last));
    g_assert_true(g_file_set_contents(path, "\xff[", -1, NULL));
    g_assert_false(last_run_load("web", &last));
    g_setenv("XDG_STATE_HOME", "/proc/nowhere", TRUE);
    last_run_save("web", &last);
    g_assert_false(last_run_load("web", &last));
    world_down(&w);
}

static const struct model *model_of(struct trial *t)
{
    return backup_model(t->backup);
}

/* Nothing is known before the first; packed, or not, makes the difference. */
static void look_at_first(struct trial *t)
{
    struct command c;
    g_assert_cmpuint(model_of(t)->forecast.ms, ==, 0);
    command_init(&c, COMMAND_BEGIN);
    g_assert_true(backup_command(t->backup, &c, NULL));
}

static void look_at_second(struct trial *t)
{
    const struct model *m = model_of(t);
    struct command c;
    g_assert_cmpuint(m->forecast.rate, >, 0);
    g_assert_cmpuint(m->forecast.ms, >, 0);
    g_assert_cmpuint(m->forecast.written, ==, 0); /* this one is not packed */
    uint64_t plain = m->sink.need_bytes;
    command_init(&c, COMMAND_LEVEL);
    c.number = 3;
    g_assert_true(backup_command(t->backup, &c, NULL));
    g_assert_cmpuint(m->forecast.written, >, 0);
    uint64_t wanted = (uint64_t)((double)plain * (double)m->forecast.written / (double)m->forecast.plain);
    g_assert_cmpuint(m->sink.need_bytes, ==, wanted);
    uint64_t before_ms = m->forecast.ms;
    command_init(&c, COMMAND_LIMIT);
    c.rate = COMMAND_MIN_RATE; /* so slow that the limit is what counts */
    g_assert_true(backup_command(t->backup, &c, NULL));
    g_assert_cmpuint(m->forecast.ms, >, before_ms);
    backup_cancel(t->backup, VMB_ERROR_CANCELLED, "test");
}

static void run_one(struct world *w, void (*act)(struct trial *t), const char *suffix, int status)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1};
    g_autofree char *socket = g_strdup_printf("%s/0.sock", w->dir); /* of the one before */
    g_unlink(socket);
    g_ptr_array_set_size(w->trials, 0);
    struct trial *t = trial_new(w, &kind, (struct fake_fault){0}, true);
    g_autofree char *path = g_strconcat(t->path, suffix, NULL);
    g_free(t->options.target);
    t->options.target = g_steal_pointer(&path);
    t->options.wait_for_begin = true;
    t->cancel_at = MODEL_PLAN;
    t->act = act;
    run_trials(w);
    g_assert_cmpint(t->status, ==, status);
}

static void test_forecast(void)
{
    struct world w = {0};
    world_up(&w);
    run_one(&w, look_at_first, ".zst", 0);
    run_one(&w, look_at_second, "", VMB_ERROR_CANCELLED);
    world_down(&w);
}

int main(int argc, char **argv)
{
    g_setenv("UV_THREADPOOL_SIZE", "8", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/last-run/kept", test_kept);
    g_test_add_func("/last-run/of-no-use", test_of_no_use);
    g_test_add_func("/last-run/forecast", test_forecast);
    return g_test_run();
}
