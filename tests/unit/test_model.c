// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "model/model.h"

static void test_words(void)
{
    for (int phase = 0; phase < MODEL_PHASES; phase++)
        g_assert_nonnull(model_phase_word((enum model_phase)phase));
    for (int state = 0; state < MODEL_STATES; state++)
        g_assert_nonnull(model_state_word((enum model_state)state));
    for (int by = MODEL_BY_SOURCE; by <= MODEL_BY_OPERATOR; by++)
        g_assert_nonnull(model_bottleneck_word((enum model_bottleneck)by));
    g_assert_cmpstr(model_state_word(MODEL_FAIL), ==, "FAIL");
}

static void test_drives(void)
{
    struct model m;
    model_init(&m);
    g_assert_null(model_find_drive(&m, "scsi0"));
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("scsi%d", i);
        struct model_drive *drive = model_add_drive(&m, name);
        g_assert_cmpuint(drive->eta_ms, ==, MODEL_UNKNOWN);
        g_assert_cmpint(drive->state, ==, MODEL_WAIT);
    }
    g_assert_cmpuint(m.n_drives, ==, 20);
    g_assert_true(model_find_drive(&m, "scsi7") == &m.drives[7]);
    g_assert_null(model_find_drive(&m, "scsi"));
    model_clear(&m);
    g_assert_cmpuint(m.n_drives, ==, 0);
    model_clear(&m);
}

static void test_set(void)
{
    struct model m;
    model_init(&m);
    model_set(m.qemu, "%d.%d", 8, 2);
    g_assert_cmpstr(m.qemu, ==, "8.2");
    model_set(m.qemu, "%s.2\n", m.qemu); /* the field as its own argument */
    g_assert_cmpstr(m.qemu, ==, "8.2.2?");
    g_autofree char *longer = g_strnfill(MODEL_NAME_LEN - 2, 'x');
    model_set(m.guest, "%s日", longer);
    g_assert_cmpstr(m.guest, ==, longer); /* half of the character would have fitted */
}

static void test_log(void)
{
    struct model m;
    model_init(&m);
    model_log(&m, MODEL_ERROR, 1, "drive %s: %s", "a\033", "broken");
    g_assert_cmpstr(m.log[0].text, ==, "drive a?: broken");
    g_assert_cmpint(m.log[0].when_s, ==, 1);
    model_log(&m, MODEL_HINT, 1, "press r");
    model_log(&m, MODEL_HINT, 1, "or c");
    model_log(&m, MODEL_WARNING, 2, "slow");
    for (int i = 0; m.n_log < MODEL_MAX_LOG; i++)
        model_log(&m, MODEL_INFO, i, "line %d", i);
    g_assert_cmpuint(m.n_errors, ==, 1);
    g_assert_cmpuint(m.n_warnings, ==, 1);
    model_log(&m, MODEL_INFO, 3, "one more");
    g_assert_cmpuint(m.n_log, ==, MODEL_MAX_LOG - 2); /* the error left with its two hints */
    g_assert_cmpstr(m.log[0].text, ==, "slow");
    g_assert_cmpstr(m.log[m.n_log - 1].text, ==, "one more");
    for (int i = 0; i < 3 * MODEL_MAX_LOG; i++)
        model_log(&m, MODEL_INFO, i, "line %d", i);
    g_assert_cmpuint(m.n_log, ==, MODEL_MAX_LOG);
    g_assert_cmpuint(m.n_errors, ==, 1); /* counted, though gone from the log */
    model_clear(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/words", test_words);
    g_test_add_func("/model/drives", test_drives);
    g_test_add_func("/model/set", test_set);
    g_test_add_func("/model/log", test_log);
    return g_test_run();
}
