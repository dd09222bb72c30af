// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a kind of target has to do for sink/sink.c: only the files of this folder see it, and what is a target of
 * another kind altogether (store/snapshot_target.h).
 *
 * A backend embeds `struct sink` as its first member, and fills it by sink_init(). sink.c sees to it that
 * one operation is under way at a time; a backend ends each by one sink_complete(), from the loop. Whatever
 * may call back later (a pool request, an open handle) holds a reference, so that sink_free() never pulls the
 * memory from under it: a request that never returns leaks its sink, and nothing hangs.
 */
#include "sink/sink.h"

struct sink_ops {
    void (*write)(struct sink *s, const struct iovec *iov, unsigned n);
    void (*rewrite)(struct sink *s, uint64_t offset, const struct iovec *iov, unsigned n); /* NULL: cannot */
    void (*read)(struct sink *s, uint64_t offset, void *bytes, size_t len);                /* NULL: cannot */
    void (*punch)(struct sink *s, uint64_t offset, uint64_t len);
    void (*cut)(struct sink *s, uint64_t length);
    void (*finish)(struct sink *s);
    void (*abort)(struct sink *s, bool keep_partial); /* does not wait for the operation under way, but ends it */
    void (*destroy)(struct sink *s);                  /* nothing refers to it any more */
};

/* A question to the file system, answered by the pool. */
struct sink_space {
    uv_work_t request;
    int fd;            /* -1: there is nothing to ask (pipes) */
    bool is_asked;     /* a request is under way */
    uint64_t asked_ms; /* uv_now() */
    uint64_t answer;   /* of the request */
    uint64_t bytes;    /* latest known */
};

struct sink {
    const struct sink_ops *ops;
    uv_loop_t *loop;
    char *name; /* safe to show */
    char *path; /* as it is; NULL where the target has none */
    bool can_rewrite, can_cut;
    uint64_t device_bytes; /* of a block device: all it has; else 0 */
    uint64_t written;
    sink_done done;    /* the operation under way, NULL = none */
    const char *doing; /* "a write to", NULL = nothing; also of a backend that works beside its operations */
    void *user;
    uint64_t began_ms; /* what it is doing */
    bool is_finished, is_aborted, is_freed;
    unsigned refs;
    struct sink_space space;
};

void sink_init(struct sink *s, const struct sink_ops *ops, uv_loop_t *loop, const char *name);
/* Ends the operation under way. From the loop only, and as the last thing that is done with s. */
void sink_complete(struct sink *s, const GError *error);
/* The same after an abort, if there still is one. */
void sink_cancel(struct sink *s);
void sink_ref(struct sink *s);
void sink_unref(struct sink *s);
/* "target NAME: cannot WHAT: strerror", of VMB_ERROR_TARGET. */
GError *sink_error_new(const struct sink *s, const char *what, int error_number);
size_t sink_iov_bytes(const struct iovec *iov, unsigned n);
/* Drops the first `bytes` of the vector (fewer than all): returns the new first element, reduces *n. */
struct iovec *sink_iov_advance(struct iovec *iov, unsigned *n, size_t bytes);
