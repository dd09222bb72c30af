// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's last backup forecasts the next. */
#include <glib/gstdio.h>
#include "fake/trial.h"

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

static void run_one(struct trials *all, void (*act)(struct trial *t), const char *suffix, int status)
{
    const struct fake_kind kind = {.major = 10, .n_drives = 1};
    g_autofree char *socket = g_strdup_printf("%s/0.sock", all->dir); /* of the one before */
    g_unlink(socket);
    g_ptr_array_set_size(all->list, 0);
    struct trial *t = trial_new(all, &kind, (struct fake_fault){0}, true);
    g_autofree char *path = g_strconcat(t->path, suffix, NULL);
    g_free(t->options.target);
    t->options.target = g_steal_pointer(&path);
    trial_act_at_plan(t, act);
    trials_run(all);
    g_assert_cmpint(t->status, ==, status);
}

static void test_forecast(void)
{
    g_auto(trials) all = trials_begin();
    run_one(&all, look_at_first, ".zst", 0);
    run_one(&all, look_at_second, "", VMB_ERROR_CANCELLED);
}

int main(int argc, char **argv)
{
    trials_init(&argc, &argv);
    g_test_add_func("/engine/forecast", test_forecast);
    return g_test_run();
}
