// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The chunks that are there and who names them, some folders at a time, so that memory stays bounded however large
 * the store is.
 *
 *     struct census *c = census_new(s, entries);
 *     while (census_next(c, &error)) {                                     // a range of folders
 *         census_walk(c, census_count, NULL, NULL, &error);                // reads each index
 *         for (guint i = 0; i < c->chunks->len; i++)
 *             … census_chunk(c, i)->owner …
 *     }
 *     census_free(c);
 */
#include "store/entries.h"

#define CENSUS_MOST   (1u << 19) /* chunks of a range, about: 28 MiB */
#define CENSUS_NOBODY 0u
#define CENSUS_MANY   UINT32_MAX

struct census_chunk {
    struct chunk_id id;
    uint64_t inode;  /* of its file: what was written together lies together */
    uint32_t stored; /* bytes of it */
    uint32_t len;    /* of the plain chunk, as an index has it */
    uint32_t owner;  /* the number of the entry that alone names it; CENSUS_NOBODY; CENSUS_MANY */
    bool is_aside;   /* a damaged one (.bad): whole, it is not there */
    bool is_suspect; /* as chunk_folder_suspect() says */
    bool is_damaged; /* for a check */
};

/* A place where a chunk is named. */
struct census_place {
    const struct entry *entry;
    const struct snapshot_device *device;
    uint64_t offset;
    uint32_t len;
    struct chunk_id id;
};

struct census {
    struct store *store;
    const GPtrArray *entries;
    GPtrArray *folders; /* names of all, sorted */
    unsigned next;      /* of folders */
    unsigned from, to;  /* the range: the first 16 bits of ids */
    unsigned most;
    /* Asked for each folder and each index: false ends it, as is_ended says then. NULL: goes on to the end. */
    bool (*go_on)(void *user);
    void *user;
    bool is_ended;
    GArray *chunks;  /* struct census_chunk, sorted */
    uint32_t *start; /* of each folder's in it */
};

/* entries: those that count. One that cannot be read names nothing. */
struct census *census_new(struct store *s, const GPtrArray *entries);
void census_free(struct census *c);
/* The next range; false at the end, with error, or when it is_ended. */
bool census_next(struct census *c, GError **error);
/* No range comes behind this one. */
bool census_is_last(const struct census *c);
struct census_chunk *census_chunk(const struct census *c, guint i);

/* For every place in the range (false: with error, or when it is_ended: then not all have been visited), in the order
 * of entries, drives and offsets. chunk: NULL: it is not there; is_aside: only what was set aside is. */
typedef void (*census_visit)(void *user, const struct census_place *place, struct census_chunk *chunk);
/* An index that cannot be read: false ends it with that error, which is borrowed. */
typedef bool (*census_bad_index)(void *user, const struct entry *e, const struct snapshot_device *d, const GError *why);
bool census_walk(struct census *c, census_visit visit, census_bad_index bad, void *user, GError **error);
/* A visitor: says who owns each chunk. It needs no user. */
void census_count(void *user, const struct census_place *place, struct census_chunk *chunk);
