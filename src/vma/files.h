// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The files that an archive becomes when it is unpacked into a folder; no two of its parts may want the same
 * one. Pure.
 *
 *     g_autoptr(GHashTable) taken = vma_files_new();
 *     g_autofree char *file = vma_file_of_device("scsi0", "raw");      // scsi0.raw
 *     if (!vma_files_take(taken, file)) …
 */
#include <stdbool.h>
#include <glib.h>

GHashTable *vma_files_new(void);
/* NAME.raw, NAME.qcow2 by the format; vmstate.bin of the RAM state. */
char *vma_file_of_device(const char *device, const char *format);
/* A name of its own, and NAME.partial, which it has while it is written. False: one of them is taken. */
bool vma_files_take(GHashTable *taken, const char *name);
