// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Only the archive writer, for a program that drives QEMU itself: an NBD export per drive, a socket for the RAM
 * stream, one archive.
 *
 *     struct standalone *s = standalone_new(loop, &options, listener, user);
 *     standalone_start(s);                    // STANDALONE_READY follows, or the failure; RESULT is the last
 *     standalone_commit(s, "scsi0", &error);  // this drive is over, what it lacks is zero
 *     standalone_cancel(s, 128 + SIGTERM, "SIGTERM");
 *     standalone_free(s);                     // after the result, when the loop has ended
 *
 * A drive ends when the last of its connections has gone after something was written, or by standalone_commit(). It is
 * good when every block was written exactly once; what was never written is zero only where that was said. A client
 * that left too early may come back for a while, or the drive may be committed. The archive is made when all drives and
 * the RAM stream have ended, with the durability of a backup. Whatever goes wrong ends it without an archive: then what
 * clients still send is answered and dropped for a while, since a guest may wait for the answers.
 *
 * A slow target: first the spool takes what comes. When that is full, clients wait: nothing more is read from them.
 * Who copies a running guest's drives must pause his jobs before (STANDALONE_CREDIT), or the guest waits, too.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "options/options.h"

struct standalone_drive {
    char *name;
    uint64_t size; /* bytes, a multiple of 512 */
};

struct standalone_options {
    struct backup_options archive; /* what of these is about the archive: backup_options_archive_group() */
    char *nbd_path;
    char *incoming_path;  /* NULL: no RAM stream */
    GArray *drives;       /* struct standalone_drive */
    bool is_absent_zero;  /* of drives whose client says goodbye: what was not written is zero */
    bool has_commander;   /* somebody may still commit a drive whose client has left: wait for that a while */
    unsigned reconnect_s; /* how long a client may be away that left without goodbye */
};
void standalone_options_init(struct standalone_options *o);
void standalone_options_clear(struct standalone_options *o);

enum standalone_credit {
    STANDALONE_PLENTY, /* of buffers */
    STANDALONE_LOW,    /* the target is too slow: what comes goes by the spool. Pause your jobs. */
    STANDALONE_NONE,   /* the spool is full, too: clients wait */
};

enum standalone_kind {
    STANDALONE_READY,       /* the sockets listen */
    STANDALONE_DRIVE_ENDED, /* drive: every cluster of it is held */
    STANDALONE_RAM_ENDED,
    STANDALONE_CREDIT,
    STANDALONE_NOTE,    /* text */
    STANDALONE_WARNING, /* text */
    STANDALONE_FAILED,  /* text: nothing will be saved; its clients should end what they do */
    STANDALONE_RESULT,  /* the last one: standalone_status() is known */
};

struct standalone_event {
    enum standalone_kind kind;
    const char *drive; /* as it was named; not safe to show */
    const char *text;
    enum standalone_credit credit;
};

/* From the loop, or from inside the calls below. */
typedef void (*standalone_listener)(void *user, const struct standalone_event *event);

struct standalone;
/* The options are borrowed. */
struct standalone *standalone_new(uv_loop_t *loop, const struct standalone_options *options,
                                  standalone_listener listener, void *user);
void standalone_start(struct standalone *s);
/* False: no such drive, it has ended already, or a write of it is arriving. */
bool standalone_commit(struct standalone *s, const char *name, GError **error);
/* Said twice, it waits for nobody. */
void standalone_cancel(struct standalone *s, int exit_status, const char *by_whom);
int standalone_status(const struct standalone *s); /* the exit status */
/* What was saved: its name as the operator knows it, and its bytes. NULL: nothing. */
const char *standalone_archive(const struct standalone *s);
uint64_t standalone_archive_bytes(const struct standalone *s);
void standalone_free(struct standalone *s);
