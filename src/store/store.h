// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A store: a folder with the key file vmabackup-store in it.
 *
 *     store_init(dir, 1u << 20, &error);
 *     g_autoptr(store) s = store_open(dir, STORE_SHARED, &error);          // holds its lock until it is freed
 *     g_autoptr(GPtrArray) guests = store_guests(s, &error);               // char *, names of folders
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "store/chunk_folder.h"

#define STORE_FILE          "vmabackup-store"
#define STORE_CHUNKS        "chunks.castr" /* as casync and desync expect it */
#define STORE_CHUNK_DEFAULT (1u << 20)

enum store_lock {
    STORE_SHARED,    /* whoever reads or writes */
    STORE_EXCLUSIVE, /* whoever collects chunks: HELD where somebody else is at it */
};

struct store {
    char *path;
    uint32_t chunk_bytes;
    int lock_fd;
    struct chunk_folder *chunks;
};

/* The folder may be there when it is empty. chunk_bytes: a power of two, 64 KiB to 16 MiB. */
bool store_init(const char *dir, uint32_t chunk_bytes, GError **error);
/* It has a key file of a store. */
bool store_is(const char *dir);
/* The store in which this snapshot's folder lies: two above it, `latest` resolved. NULL: in none. */
char *store_of_snapshot(const char *path);
/* A shared lock waits for an exclusive one that is held, for STORE_WAIT_MS, then fails by HELD; who holds that one is
 * told by store_is_wanted(), and should go. With the exclusive lock, what dead runs have left is removed. FAILED: no
 * store, or none that this program can use. */
#define STORE_WAIT_MS 10000
struct store *store_open(const char *dir, enum store_lock lock, GError **error);
void store_free(struct store *s);
/* Its shared lock becomes an exclusive one, or stays what it is: HELD. */
bool store_lock_exclusive(struct store *s, GError **error);
/* The exclusive one becomes a shared one. */
void store_lock_shared(struct store *s);
/* Only with the exclusive lock: what dead runs have left goes. False: not all of it, which does no harm. */
bool store_tidy(struct store *s, GError **error);
/* Somebody waits for the exclusive lock that is held here. */
bool store_is_wanted(struct store *s);
/* A guest's name made safe as a folder's. */
char *store_guest_name(const char *name);
/* A folder of that name in a store is a guest's. */
bool store_is_guest_name(const char *name);
GPtrArray *store_guests(struct store *s, GError **error);

typedef struct store store;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(store, store_free)
