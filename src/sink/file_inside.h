// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The inside of a file: file.c opens it and queues one operation at a time, file_pool.c does it. */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "sink/file.h"
#include "sink/partial.h"

/* The first bytes on a block device stay zeros until all else is durable: what was cut short is no archive. */
#define HELD_BYTES 512u

struct file {
    struct sink sink;
    int fd;
    bool force;
    bool is_partial;  /* has a name to be given at the end */
    bool is_seekable; /* a regular file */
    bool may_cut;     /* nothing of anybody else stands behind what we write */
    uint64_t start;   /* where our byte 0 is in it */
    uint64_t written_back;
    struct partial partial;
    GError *broken;           /* after this nothing more is written */
    uint8_t held[HELD_BYTES]; /* of a block device */
    struct {
        uv_work_t request;
        struct iovec *iov;
        unsigned n;
        size_t bytes;
        uint64_t at;  /* our offset */
        uint64_t len; /* to be punched */
        GError *error;
    } op;
    uv_work_t removal, closing;
};

/* data: the file; what went wrong is left in op.error. */
void file_write_in_pool(uv_work_t *request);
void file_rewrite_in_pool(uv_work_t *request);
void file_read_in_pool(uv_work_t *request);
void file_punch_in_pool(uv_work_t *request);
void file_cut_in_pool(uv_work_t *request);
void file_finish_in_pool(uv_work_t *request);
void file_remove_in_pool(uv_work_t *request);
void file_close_in_pool(uv_work_t *request);
