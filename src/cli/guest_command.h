// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The command line that starts a guest on drives that were restored or are served: the guest's own, where the archive
 * has it, with its drives exchanged, and cut off from what the guest that was saved uses (monitors, sockets, networks,
 * images that are not in the archive); else a plain one.
 *
 *     struct guest_command *c = guest_command_new(header);
 *     guest_command_drive(c, "scsi0", "/tmp/overlay", "qcow2");
 *     guest_command_incoming(c, "fd:3");
 *     char **argv = guest_command_build(c, more);
 */
#include <stdbool.h>
#include "vma/header.h"

struct guest_command;
struct guest_command *guest_command_new(const struct vma_header *header);
void guest_command_free(struct guest_command *c);
/* device: its name in the archive. */
void guest_command_drive(struct guest_command *c, const char *device, const char *file, const char *format);
void guest_command_incoming(struct guest_command *c, const char *uri);
/* One option more, of ours. */
void guest_command_add(struct guest_command *c, const char *option, const char *value);
/* more: arguments of the operator, behind all others; of what can be given once, they replace the guest's own. May be
 * NULL. g_strfreev() it. */
char **guest_command_build(struct guest_command *c, char *const *more);
/* The archive has the guest's own, and every drive that was given is found in it. */
bool guest_command_is_own(struct guest_command *c);
/* For a shell: quoted where needed. g_free() it. */
char *guest_command_quote(char *const *argv);

typedef struct guest_command guest_command_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(guest_command_t, guest_command_free)
