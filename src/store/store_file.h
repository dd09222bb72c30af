// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The key file of a store, vmabackup-store:
 *
 *     format=1
 *     chunk=1048576
 *     digest=sha256
 *     created=2026-11-30T08:10:20Z
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

char *store_file_text(uint32_t chunk_bytes);
/* FAILED: it is not there, or cannot be used here; DAMAGED: not what we write. */
bool store_file_load(const char *dir, const char *name, uint32_t *chunk_bytes, GError **error);
