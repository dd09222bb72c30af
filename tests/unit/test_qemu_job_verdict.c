// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include "qemu/job_verdict.h"

static const struct {
    struct evidence e;
    enum verdict verdict;
    const char *why;
} cases[] = {
    {{.has_guard = true}, VERDICT_SAVED, NULL},
    {{.has_guard = true, .is_target_lost = true, .n_refused = 3}, VERDICT_SAVED, NULL}, /* every cluster is held */
    {{.has_guard = true, .missing = 7}, VERDICT_FAILED, "QEMU says done, but 7 clusters never came"},
    {{.has_guard = true, .doubt = "the filter's connection ended"}, VERDICT_BROKEN, "the filter's connection ended"},
    {{.has_guard = true, .doubt = "d", .job_error = "Input/output error", .retries_left = 3}, VERDICT_BROKEN, "d"},
    {{.has_guard = true, .job_error = "Input/output error", .retries_left = 1}, VERDICT_RETRY, "Input/output error"},
    {{.is_read_only = true, .job_error = "Input/output error", .retries_left = 1}, VERDICT_RETRY, "Input/output error"},
    {{.has_guard = true, .job_error = "Input/output error"}, VERDICT_STANDING, "Input/output error"},
    {{.job_error = "Input/output error", .retries_left = 3}, VERDICT_BROKEN, "Input/output error"},
    {{.has_guard = true, .job_error = "Input/output error", .n_refused = 2}, VERDICT_STARVED, "Input/output error"},
    {{.has_guard = true, .job_error = "Input/output error", .is_target_lost = true, .retries_left = 1},
     VERDICT_RETRY,
     "its connection was lost"},
    {{.has_guard = true, .job_error = "cancelled", .retries_left = 3},
     VERDICT_STANDING,
     "its job was cancelled by somebody else"},
    {{.job_error = "cancelled", .retries_left = 3}, VERDICT_FAILED, "its job was cancelled by somebody else"},
    {{.has_guard = true, .job_error = "cancelled", .is_target_lost = true, .retries_left = 1}, /* by us, then */
     VERDICT_RETRY,
     "its connection was lost"},
    {{.has_guard = true, .job_error = "Permission denied", .retries_left = 3, .n_refused = 1},
     VERDICT_BROKEN,
     "the frozen image broke (a write of the guest could not be kept for us in time)"},
    {{.is_read_only = true, .job_error = "Permission denied", .retries_left = 3}, /* by its storage */
     VERDICT_RETRY,
     "Permission denied"},
    {{.job_error = "Permission denied", .retries_left = 3}, VERDICT_BROKEN, "Permission denied"},
    {{.has_guard = true, .job_error = "Operation not supported", .retries_left = 3},
     VERDICT_BROKEN,
     "a snapshot of it, or another node that somebody put over it, has cut off its frozen image"},
    {{.is_read_only = true, .job_error = "Operation not supported", .retries_left = 3}, /* of its own disk */
     VERDICT_RETRY,
     "Operation not supported"},
};

static void test_verdicts(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *why = NULL;
        g_assert_cmpint(job_verdict_of(&cases[i].e, &why), ==, cases[i].verdict);
        g_assert_cmpstr(why, ==, cases[i].why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/job_verdict/of-each-end", test_verdicts);
    return g_test_run();
}
