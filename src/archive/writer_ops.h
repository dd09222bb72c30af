// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a kind of writer has to do for archive/writer.c: each function as that of its name in writer.h.
 *
 * It embeds `struct writer` and `struct writer_lane` as the first member of its own. Lanes count what was found in them
 * in zero_bytes and map; writer.c begins both anew where a lane is dropped.
 */
#include "archive/map.h"
#include "archive/writer.h"

struct writer_state {
    uint64_t plain_bytes, spool_used, spool_backlog;
    unsigned queued;
    bool is_drained, is_cpu_bound, is_ram_blocked;
};

struct writer_ops {
    void (*put_header)(struct writer *w, GBytes *header);
    struct writer_lane *(*add_lane)(struct writer *w, uint8_t dev_id, bool is_vmstate);
    void (*set_size)(struct writer_lane *lane, uint64_t size); /* NULL: it does not matter */
    void (*add)(struct writer_lane *lane, uint32_t cluster, uint8_t *data);
    void (*add_zeroes)(struct writer_lane *lane, uint32_t cluster, uint32_t n);
    void (*flush_lane)(struct writer_lane *lane);
    void (*keep)(struct writer_lane *lane, uint64_t from, uint64_t n); /* NULL: it cannot */
    void (*flush)(struct writer *w);
    bool (*can_drop)(const struct writer *w);
    void (*drop_lane)(struct writer_lane *lane);
    void (*look)(const struct writer *w, struct writer_state *state);
    void (*discard)(struct writer *w);
    void (*finish)(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user);
    void (*close)(struct writer *w, void (*closed)(void *user), void *user);
};

struct writer {
    const struct writer_ops *ops;
};

struct writer_lane {
    struct writer *writer;
    uint64_t zero_bytes;
    struct map map; /* of what is known to be held or zero, and was not dropped */
};
