// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Which snapshots stay, by the rule of Proxmox Backup Server. Pure.
 *
 *     struct retention_rule rule = {.keep = {[RETENTION_LAST] = 3, [RETENTION_DAILY] = 7}};
 *     struct retention_item items[n] = {{.instant = …}, …};                // the earliest first
 *     retention_apply(&rule, items, n);                                    // sets keep and by
 *
 * From `last` to `yearly`, each keeps the latest snapshot of each of its N latest periods; a period that an earlier one
 * has kept something of is passed over, and not counted. What is pinned stays, and is not counted either. A rule
 * that keeps nothing keeps everything. What is damaged or incomplete takes no whole snapshot's place: the rule is
 * applied to all, and to the whole ones by themselves; what either keeps stays.
 */
#include <stdbool.h>
#include <stdint.h>

enum retention_by {
    RETENTION_LAST,
    RETENTION_HOURLY,
    RETENTION_DAILY,
    RETENTION_WEEKLY, /* of ISO 8601 */
    RETENTION_MONTHLY,
    RETENTION_YEARLY,
    RETENTION_RULES,
    RETENTION_PINNED = RETENTION_RULES,
    RETENTION_NO_RULE, /* all stay */
};

struct retention_rule {
    unsigned keep[RETENTION_RULES];
};
struct retention_item {
    int64_t instant; /* seconds since the epoch; periods are those of local time */
    bool is_pinned, is_whole;
    bool is_kept;
    enum retention_by by; /* that keeps it */
};

void retention_apply(const struct retention_rule *rule, struct retention_item *items, unsigned n);
/* "last", "hourly", …, "pinned", "no rule" */
const char *retention_word(enum retention_by by);
