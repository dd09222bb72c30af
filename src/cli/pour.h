// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive poured into outputs, device by device: what extract and restore have in common.
 *
 *     struct pour p = {.open = open_outputs, .user = …, .doing = "unpacking"};
 *     pour_run(&p, path, &error);         // all read, checked, and durable
 *     pour_publish(&p, &error);
 *     pour_clear(&p);
 *
 * Everything is checked on the way. The first fault ends it (DAMAGED), unless is_salvage is set.
 */
#include "cli/archive.h"
#include "cli/output.h"

struct pour {
    /* Called with the header in hand: fills in outputs[dev_id] of what is wanted. */
    bool (*open)(struct pour *p, const struct vma_header *h, GError **error);
    void *user;
    const char *doing;
    bool is_salvage; /* faults are told on standard error, and what is missing becomes zeros */
    struct cli_archive *archive;
    struct output *outputs[VMA_MAX_DEVICES];
    GString *lost; /* names of devices that the archive does not hold whole, as its writer knew: not poured */
};

bool pour_run(struct pour *p, const char *path, GError **error);
bool pour_publish(struct pour *p, GError **error);
void pour_clear(struct pour *p);
/* The RAM state's exact length if the archive tells, else that of its clusters. */
uint64_t pour_size(const struct pour *p, int dev_id);
