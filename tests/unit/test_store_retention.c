// SPDX-License-Identifier: GPL-2.0-or-later
/* Which snapshots stay. Instants are told as text, in UTC, which is local time here. */
#include <string.h>
#include <glib.h>
#include "store/retention.h"

/* Of "last=2 daily=3". */
static struct retention_rule rule_of(const char *text)
{
    struct retention_rule rule = {{0}};
    g_auto(GStrv) parts = g_strsplit(text, " ", 0);
    for (char **part = parts; *part && **part; part++)
        for (unsigned by = 0; by < RETENTION_RULES; by++) {
            const char *word = retention_word(by);
            if (g_str_has_prefix(*part, word))
                rule.keep[by] = (unsigned)g_ascii_strtoull(*part + strlen(word) + 1, NULL, 10);
        }
    return rule;
}

/* times: "2026-11-30T08:10 …", the earliest first, '!' behind what is pinned, '?' behind what is damaged. The answer:
 * what stays, as "30T08:10=daily …". */
static char *kept(const char *rule_text, const char *times)
{
    g_auto(GStrv) all = g_strsplit(times, " ", 0);
    unsigned n = g_strv_length(all);
    g_autofree struct retention_item *items = g_new0(struct retention_item, n);
    struct retention_rule rule = rule_of(rule_text);
    GString *said = g_string_new(NULL);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *iso = g_strdup_printf("%.16s:00Z", all[i]);
        g_autoptr(GDateTime) when = g_date_time_new_from_iso8601(iso, NULL);
        items[i].instant = g_date_time_to_unix(when);
        items[i].is_pinned = g_str_has_suffix(all[i], "!");
        items[i].is_whole = !g_str_has_suffix(all[i], "?");
    }
    retention_apply(&rule, items, n);
    for (unsigned i = 0; i < n; i++)
        if (items[i].is_kept)
            g_string_append_printf(said, "%s%.11s=%s", said->len ? " " : "", all[i] + 5, retention_word(items[i].by));
    return g_string_free(said, FALSE);
}

static void must_keep(const char *rule, const char *times, const char *expected)
{
    g_autofree char *said = kept(rule, times);
    g_assert_cmpstr(said, ==, expected);
}

#define WEEK                                                                                                           \
    "2026-11-23T01:00 2026-11-24T01:00 2026-11-25T01:00 2026-11-26T01:00 2026-11-27T01:00 2026-11-28T01:00 "           \
    "2026-11-29T01:00 2026-11-30T01:00"

static void test_simple(void)
{
    must_keep("", "2026-11-30T01:00 2026-11-30T02:00", "11-30T01:00=no rule 11-30T02:00=no rule");
    must_keep("last=2", WEEK, "11-29T01:00=last 11-30T01:00=last");
    must_keep("last=99", "2026-11-30T01:00", "11-30T01:00=last");
    must_keep("daily=2", WEEK, "11-29T01:00=daily 11-30T01:00=daily");
    must_keep("weekly=2", WEEK, "11-29T01:00=weekly 11-30T01:00=weekly"); /* Monday begins one */
    must_keep("monthly=5", WEEK, "11-30T01:00=monthly");
    must_keep("yearly=5", WEEK, "11-30T01:00=yearly");
    must_keep("hourly=2", "2026-11-30T01:10 2026-11-30T01:50 2026-11-30T02:10 2026-11-30T02:20",
              "11-30T01:50=hourly 11-30T02:20=hourly");
}

/* The latest of a period stays; a period without a snapshot does not count. */
static void test_gaps(void)
{
    must_keep("daily=3", "2026-11-01T01:00 2026-11-01T23:00 2026-11-10T01:00 2026-11-20T01:00 2026-11-20T02:00",
              "11-01T23:00=daily 11-10T01:00=daily 11-20T02:00=daily");
}

/* A day of which `last` has kept something is passed over by `daily`, and not counted. */
static void test_together(void)
{
    must_keep("last=2 daily=2", "2026-11-27T01:00 2026-11-28T01:00 2026-11-29T01:00 2026-11-30T01:00 2026-11-30T02:00",
              "11-28T01:00=daily 11-29T01:00=daily 11-30T01:00=last 11-30T02:00=last");
    must_keep("last=1 daily=1 weekly=1 monthly=1", "2026-10-15T01:00 2026-11-10T01:00 2026-11-22T01:00 " WEEK,
              "10-15T01:00=monthly 11-22T01:00=weekly 11-29T01:00=daily 11-30T01:00=last");
    must_keep("daily=1 yearly=2", "2024-12-31T23:00 2025-06-01T00:00 2025-12-31T23:00 2026-01-01T00:00",
              "12-31T23:00=yearly 12-31T23:00=yearly 01-01T00:00=daily");
}

/* 31 December 2024 is in week 1 of 2025. */
static void test_iso_week(void)
{
    must_keep("weekly=2", "2024-12-29T12:00 2024-12-30T12:00 2025-01-01T12:00 2025-01-05T12:00",
              "12-29T12:00=weekly 01-05T12:00=weekly");
}

static void test_pinned(void)
{
    must_keep("last=2", "2026-11-27T01:00! 2026-11-28T01:00 2026-11-29T01:00 2026-11-30T01:00!",
              "11-27T01:00=pinned 11-28T01:00=last 11-29T01:00=last 11-30T01:00=pinned");
    must_keep("daily=1", "2026-11-30T01:00 2026-11-30T02:00!", "11-30T01:00=daily 11-30T02:00=pinned");
}

/* No whole one goes because a damaged one stays. */
static void test_damaged(void)
{
    must_keep("last=1", "2026-11-28T01:00 2026-11-29T01:00 2026-11-30T01:00?", "11-29T01:00=last 11-30T01:00=last");
    must_keep("last=2", "2026-11-28T01:00? 2026-11-29T01:00 2026-11-30T01:00", "11-29T01:00=last 11-30T01:00=last");
    must_keep("daily=1", "2026-11-30T01:00 2026-11-30T02:00?", "11-30T01:00=daily 11-30T02:00=daily");
    must_keep("", "2026-11-30T01:00 2026-11-30T02:00?", "11-30T01:00=no rule 11-30T02:00=no rule");
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/retention/simple", test_simple);
    g_test_add_func("/store/retention/gaps", test_gaps);
    g_test_add_func("/store/retention/together", test_together);
    g_test_add_func("/store/retention/iso-week", test_iso_week);
    g_test_add_func("/store/retention/pinned", test_pinned);
    g_test_add_func("/store/retention/damaged", test_damaged);
    return g_test_run();
}
