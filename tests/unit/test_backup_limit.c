// SPDX-License-Identifier: GPL-2.0-or-later
/* What a limit is a part of: the rate of data. Holes pass at gigabytes a second, and limits do not mean them. */
#include "backup/write_latency.c" /* its functions are what QEMU's answers call */

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct rig {
    uv_loop_t loop;
    struct backup_options options;
    struct backup *b;
    uint64_t limit; /* of the last event */
};

static void on_event(void *user, const struct model_event *e)
{
    if (e->type == MODEL_EV_LIMIT)
        ((struct rig *)user)->limit = e->new_value;
}

static void on_handle_closed(uv_handle_t *handle, void *user)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* In the copy of a sparse drive, for five seconds: 4 GiB/s of it, and 8 MiB/s of data. */
static void rig_up(struct rig *r)
{
    static const struct backup_listener listener = {.on_event = on_event};

    uv_loop_init(&r->loop);
    backup_options_init(&r->options);
    r->options.monitor = g_strdup("/nowhere");
    r->b = backup_new(&r->loop, &r->options, &listener, r);
    for (uint64_t ms = 0; ms <= 5000; ms += 250) {
        rate_add(&r->b->picture.in_rate, 4 * GIB * ms / 1000, uv_now(&r->loop) - 5000 + ms);
        rate_add(&r->b->picture.data_rate, 8 * MIB * ms / 1000, uv_now(&r->loop) - 5000 + ms);
    }
    r->b->model.in_rate = 4 * GIB;
    r->b->phase = MODEL_COPY;
}

static void rig_down(struct rig *r)
{
    uv_walk(&r->loop, on_handle_closed, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    backup_free(r->b);
    backup_options_clear(&r->options);
    g_assert_cmpint(uv_loop_close(&r->loop), ==, 0);
}

static void test_relative(void)
{
    struct rig r = {0};
    struct command c;

    rig_up(&r);
    g_assert_true(command_parse_line("limit all -25%", &c, NULL));
    g_assert_true(limit_command(r.b, &c, NULL));
    g_assert_cmpuint(r.limit, ==, command_relative_rate(8 * MIB, -25));
    rig_down(&r);
}

/* A ceiling above what it moves of data would hold nothing back. */
static void test_ceiling(void)
{
    struct rig r = {0};

    rig_up(&r);
    r.b->limits.impact.base_us = 1000;
    r.b->limits.impact.write_us = 2 * STALL_MOST_US;
    take_action(r.b, 1000);
    g_assert_cmpuint(r.b->limits.stall.ceiling, ==, 4 * MIB);
    rig_down(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/limit/relative", test_relative);
    g_test_add_func("/backup/limit/ceiling", test_ceiling);
    return g_test_run();
}
