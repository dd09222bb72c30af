// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the three kinds of feed share; for feed*.c only. */
#include "front/feed.h"

struct feed_kind {
    void (*start)(struct feed *f);
    const struct model *(*model)(struct feed *f);
    bool (*command)(struct feed *f, const struct command *c, GError **error);
    void (*line)(struct feed *f, const char *line);
    void (*cancel)(struct feed *f, int exit_status, const char *by_whom);
    const char *(*run_id)(struct feed *f);
    void (*next)(struct feed *f, struct backup_options *o); /* NULL: there can be none */
    void (*free)(struct feed *f);
    bool is_own, is_recorded;
};

/* The first member of each kind. */
struct feed {
    const struct feed_kind *kind;
    struct feed_listener listener;
    void *user;
    GError *error;
    bool is_done;
};
void feed_init(struct feed *f, const struct feed_kind *kind, const struct feed_listener *listener, void *user);
/* Says so once; takes the error, which may be NULL. */
void feed_done(struct feed *f, GError *error);
void feed_reply(struct feed *f, bool ok, const char *text);
