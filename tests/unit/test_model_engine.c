// SPDX-License-Identifier: GPL-2.0-or-later
/* Which drives can be pulled, and what is said of the others. */
#include <glib.h>

#include "model/engine.h"

static const struct engine_facts good = {.knows_export = true, .passes_descriptors = true, .has_memfd = true};

static void test_words(void)
{
    enum engine engine = ENGINE_PUSH;
    for (unsigned i = 0; i < ENGINES; i++) {
        g_assert_true(engine_from_word(engine_word(i), &engine));
        g_assert_cmpint(engine, ==, i);
    }
    static const char *const bad[] = {"", "Pull", "pul", "pulls", "push ", "auto"};
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(engine_from_word(bad[i], &engine));
    g_assert_cmpint(engine, ==, ENGINE_PULL); /* a bad one changes nothing */
}

static void assert_why(struct engine_facts facts, const char *wanted)
{
    const char *why = "nothing was said";
    g_assert_cmpint(engine_can_pull(&facts, &why), ==, !wanted);
    g_assert_cmpstr(why, ==, wanted);
}

static void test_run(void)
{
    struct engine_facts f = good;
    assert_why(f, NULL);
    f.has_memfd = false;
    assert_why(f, "this system has no memfd_create");
    f.passes_descriptors = false; /* of several the one that least can be done about */
    assert_why(f, "this monitor passes no descriptors");
    f.knows_export = false;
    assert_why(f, "this QEMU was built without vhost-user-blk exports");
    f.is_of_drive = f.is_guarded = true; /* no drive is better off than the run */
    assert_why(f, "this QEMU was built without vhost-user-blk exports");
}

static void test_drives(void)
{
    static const struct {
        bool is_guarded, is_read_only;
        uint64_t size;
        const char *why;
    } drives[] = {
        {true, false, 64 << 20, NULL},
        {false, true, 64 << 20, NULL},
        {false, false, 64 << 20, "it is written to without a filter"},
        {true, false, 512, NULL},
        {true, false, 513, "its size is not a multiple of 512 bytes"},
        {false, true, UINT64_MAX, "its size is not a multiple of 512 bytes"},
        {false, false, 513, "it is written to without a filter"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(drives); i++) {
        struct engine_facts f = good;
        f.is_of_drive = true;
        f.is_guarded = drives[i].is_guarded;
        f.is_read_only = drives[i].is_read_only;
        f.size = drives[i].size;
        assert_why(f, drives[i].why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/engine/words", test_words);
    g_test_add_func("/model/engine/run", test_run);
    g_test_add_func("/model/engine/drives", test_drives);
    return g_test_run();
}
