// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the fake QEMU does, by a command or by itself: see fake/qemu.h.
 *
 * A block job copies what a node shows, cluster by cluster, into the NBD export of its target: to its end as soon as
 * its command is answered, unless the kind holds jobs or is lively. Each byte of a cluster is the same, and tells how
 * often the guest has written it: fake_byte() is what an archive must hold.
 */
#include "fake/books.h"

/* What a question is answered by; NULL: it is none. */
char *fake_answer(struct fake_qemu *q, const char *command);
/* Other commands: act returns why it is refused, NULL when it is done, and may set q->answer. A table ends with no
 * name. */
struct fake_command {
    const char *name;
    const char *(*act)(struct fake_qemu *q, json_object *args);
};
extern const struct fake_command fake_block_commands[];  /* block.c: nodes, devices, and descriptors */
extern const struct fake_command fake_export_commands[]; /* export.c */
extern const struct fake_command fake_job_commands[];    /* jobs.c */
extern const struct fake_command fake_guest_commands[];  /* guest.c: it runs, stops, its RAM moves */

uint8_t fake_byte(unsigned drive, unsigned cluster, const struct fake_content *content);
/* It writes a cluster; a filter sends what was there before. */
void fake_guest_writes(struct fake_qemu *q, unsigned drive, unsigned cluster);
/* With the event, if that changes. */
void fake_set_running(struct fake_qemu *q, bool is_running);
/* The migration is over: "completed", "failed", "cancelled". */
void fake_end_stream(struct fake_qemu *q, const char *status);
/* By its own fault, if it runs. */
void fake_panic(struct fake_qemu *q);
/* To run elsewhere, on the same images, unless a migration of ours is under way. */
void fake_leave(struct fake_qemu *q);

/* By somebody else: an image over whatever the first drive stands on. */
void fake_snapshot(struct fake_qemu *q);

/* The device whose drive a node shows in the end. */
unsigned fake_drive_of(struct fake_qemu *q, const char *node);
/* What the node shows of the drive; NULL if that is broken. */
const struct fake_content *fake_content_of(struct fake_qemu *q, const char *node, unsigned drive);
/* This cluster of it cannot be read: counted. */
bool fake_is_unreadable(struct fake_qemu *q, unsigned drive, unsigned cluster);

/* To its end. */
void fake_run_job(struct fake_qemu *q, struct fake_job *j);
/* A little life of a lively kind: a job or an export whose turn it is gets on by a cluster, a guest that runs writes
 * another one. */
bool fake_is_busy(struct fake_qemu *q);
void fake_live(struct fake_qemu *q);
/* Something happens: on_moment() is told. */
void fake_moment(struct fake_qemu *q);
