// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The command line that starts a guest on drives that were restored or are served: what the archive knows of
 * the guest's own (guest/line.h: nothing of it opens, runs or connects anything of this host), with its
 * drives exchanged; else a plain one. Drives that are not given read as zeros.
 *
 *     struct guest_command *c = guest_command_new(header, false);
 *     guest_command_drive(c, "scsi0", "/tmp/overlay", "qcow2");
 *     guest_command_incoming(c, "fd:3");
 *     char **argv = guest_command_build(c, program, more);
 *     guest_command_left(c)                       // what the operator ought to know
 */
#include <stdbool.h>
#include "vma/header.h"

struct guest_command;
/* is_trusted: of the archive's command line only drives, memory and monitors are exchanged or left out. */
struct guest_command *guest_command_new(const struct vma_header *header, bool is_trusted);
void guest_command_free(struct guest_command *c);
/* device: its name in the archive. */
void guest_command_drive(struct guest_command *c, const char *device, const char *file, const char *format);
void guest_command_incoming(struct guest_command *c, const char *uri);
/* One option more, of ours. */
void guest_command_add(struct guest_command *c, const char *option, const char *value);
/* program: NULL, the name of the one that fits. more: arguments of the operator, behind all others; of what
 * can be given once, and of what has the same id, they replace the guest's own. May be NULL. Once;
 * g_strfreev() it. */
char **guest_command_build(struct guest_command *c, const char *program, char *const *more);
/* What was left out, and which drives are empty: one safe line, or NULL. Once it is built; g_free() it. */
char *guest_command_left(const struct guest_command *c);
/* "qemu-system-x86_64"; borrowed. */
const char *guest_command_program(const struct guest_command *c);
/* QEMU's version that was saved, NULL: not known; borrowed. */
const char *guest_command_version(const struct guest_command *c);
/* For a QEMU of this version (7002 is 7.2): its own machine of this kind, if it is too old for this one. */
void guest_command_fit(struct guest_command *c, unsigned version);
/* All of the line that the archive has, for a terminal; NULL: it has none. g_free() it. */
char *guest_command_original(const struct guest_command *c);
/* For a shell: quoted where needed. g_free() it. */
char *guest_command_quote(char *const *argv);

typedef struct guest_command guest_command_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(guest_command_t, guest_command_free)
