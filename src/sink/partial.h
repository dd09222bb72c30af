// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A file that shows under its own name only when it is complete: until then it is NAME.partial, locked.
 *
 *     struct partial p;
 *     if (!partial_create(&p, "/mnt/bk/x.vma", false, &error)) …
 *     write(p.fd, …);
 *     partial_publish(&p, false, &error) or partial_remove(&p);
 *     partial_close(&p);
 *
 * The lock (flock) tells a run that is alive from one that died: what a dead run left is replaced, what a
 * living one writes is VMB_ERROR_HELD. What touches the file may block, and all but the first belongs into the pool.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <glib.h>

struct partial {
    int fd;     /* of the partial file, -1 = none */
    int dir_fd; /* names below are relative to it: a directory that is moved meanwhile does no harm */
    char *path; /* absolute, symbolic links resolved */
    char *name;
    char *partial_name;
    dev_t dev; /* which file it is */
    ino_t ino;
    GMutex removal; /* held while its name is taken away: by the pool, or by partial_create() for its successor */
    /* Everything is in it and on the disk: partial_remove() will not touch it. Set by partial_publish(), while
     * another thread may be about to remove what seems to hang. */
    atomic_bool is_complete;
};

/* Refuses an existing file without force, a directory that does not exist or cannot be written, and a
 * partial file that another process holds. A symbolic link is followed, a dangling one refused. 0600. */
bool partial_create(struct partial *p, const char *path, bool force, GError **error);
/* fsync, then the final name: with force over whatever is there, else only where nothing is; then fsync of
 * the directory. When only the naming fails, the complete file stays as NAME.partial and the error says so. */
bool partial_publish(struct partial *p, bool force, GError **error);
/* The file is given up, but will be closed (and with that unlocked) only when a thread of the pool gets to it. From
 * here on partial_create() in this process takes it for dead. Both belong to the thread of the loop. */
void partial_abandon(struct partial *p);
void partial_forget(struct partial *p); /* after partial_close() */
/* Takes the name away, if it still is this file's. */
void partial_remove(struct partial *p);
/* Closes and frees; the last close of a removed file gives its space back, which may take seconds. */
void partial_close(struct partial *p);
