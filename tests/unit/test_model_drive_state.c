// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include "model/drive_state.h"

static void test_every_state_is_reached(void)
{
    unsigned seen = 1u << DRIVE_WAITING, before = 0;

    while (seen != before) {
        before = seen;
        for (unsigned from = 0; from < DRIVE_STATES; from++)
            for (unsigned to = 0; to < DRIVE_STATES; to++)
                if (seen & (1u << from) && drive_state_moves(from, to))
                    seen |= 1u << to;
    }
    g_assert_cmphex(seen, ==, (1u << DRIVE_STATES) - 1);
}

/* What is saved stays so: no move gives up what the archive holds. */
static void test_saved_is_the_end(void)
{
    for (unsigned to = 0; to < DRIVE_STATES; to++) {
        g_assert_false(drive_state_moves(DRIVE_SAVED, to));
        g_assert_true(drive_state_moves(DRIVE_SAVED_LEAVING, to) == (to == DRIVE_SAVED));
    }
    g_assert_false(drive_state_may(DRIVE_SAVED_LEAVING, DRIVE_MAY_CANCEL | DRIVE_MAY_RETRY | DRIVE_MAY_PAUSE));
}

/* Out of the archive, a drive comes back by a new instant only. */
static void test_out_and_back(void)
{
    for (unsigned from = 0; from < DRIVE_STATES; from++)
        for (unsigned to = 0; to < DRIVE_STATES; to++) {
            bool was_out = drive_state_is(from, DRIVE_IS_OUT), is_out = drive_state_is(to, DRIVE_IS_OUT);
            if (drive_state_moves(from, to) && was_out && !is_out)
                g_assert_true(from == DRIVE_BROKEN && to == DRIVE_RETAKING);
        }
}

static void test_leaving(void)
{
    for (unsigned s = 0; s < DRIVE_STATES; s++) {
        enum drive_state left = drive_state_left(s);
        if (!drive_state_is(s, DRIVE_IS_LEAVING)) {
            g_assert_cmpint(left, ==, s);
            continue;
        }
        g_assert_true(drive_state_moves(s, left));
        g_assert_cmpint(drive_state_shown(left), ==, drive_state_shown(s));
        g_assert_true(drive_state_is(left, DRIVE_IS_OUT) == drive_state_is(s, DRIVE_IS_OUT));
        g_assert_false(drive_state_is(left, DRIVE_IS_LEAVING));
        g_assert_cmpstr(drive_state_name(left), !=, drive_state_name(s));
    }
}

/* What an operator reads as failed can be tried again, and only what is still to come can be cancelled or paused. */
static void test_verbs(void)
{
    for (unsigned s = 0; s < DRIVE_STATES; s++) {
        bool has_failed = drive_state_shown(s) == MODEL_FAIL || drive_state_shown(s) == MODEL_CANCELLED;
        g_assert_true(drive_state_may(s, DRIVE_MAY_RETRY) == has_failed);
        if (drive_state_may(s, DRIVE_MAY_CANCEL))
            g_assert_true(drive_state_moves(s, DRIVE_CANCELLED) || drive_state_moves(s, DRIVE_CANCELLED_LEAVING));
        if (drive_state_is(s, DRIVE_IS_SAVED) || (has_failed && s != DRIVE_STANDING))
            g_assert_false(drive_state_may(s, DRIVE_MAY_CANCEL | DRIVE_MAY_PAUSE));
    }
}

/* Who sees but the row offers whatever some state that looks so takes, and of a failed one exactly what it takes. */
static void test_shown(void)
{
    static const enum drive_may verbs[] = {DRIVE_MAY_CANCEL, DRIVE_MAY_RETRY, DRIVE_MAY_PAUSE};

    for (unsigned s = 0; s < DRIVE_STATES; s++)
        for (unsigned v = 0; v < G_N_ELEMENTS(verbs); v++) {
            bool is_offered = drive_shown_may(drive_state_shown(s), s == DRIVE_STANDING, verbs[v]);
            bool may = drive_state_may(s, verbs[v]);
            g_assert_true(is_offered || !may);
            if (drive_state_shown(s) != MODEL_RETRY)
                g_assert_true(may || !is_offered);
        }
    g_assert_true(drive_shown_may(MODEL_PAUSE, false, DRIVE_MAY_CANCEL));
    g_assert_false(drive_shown_may(MODEL_SKIPPED, false, DRIVE_MAY_CANCEL | DRIVE_MAY_RETRY | DRIVE_MAY_PAUSE));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/drive-state/every-state-is-reached", test_every_state_is_reached);
    g_test_add_func("/model/drive-state/saved-is-the-end", test_saved_is_the_end);
    g_test_add_func("/model/drive-state/out-and-back", test_out_and_back);
    g_test_add_func("/model/drive-state/leaving", test_leaving);
    g_test_add_func("/model/drive-state/verbs", test_verbs);
    g_test_add_func("/model/drive-state/shown", test_shown);
    return g_test_run();
}
