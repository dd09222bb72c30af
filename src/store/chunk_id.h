// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The name of a chunk: the SHA-256 of its plain bytes.
 *
 *     struct chunk_id id;
 *     chunk_id_of(bytes, len, &id);
 *     chunk_id_text(&id, text);                            // 64 hexadecimal digits
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_ID_BYTES 32
#define CHUNK_ID_TEXT  (2 * CHUNK_ID_BYTES + 1) /* with its NUL */

#define CHUNK_MIN_BYTES (64u << 10)
#define CHUNK_MAX_BYTES (16u << 20)

struct chunk_id {
    uint8_t bytes[CHUNK_ID_BYTES];
};

/* What a store's chunks may measure: a power of two, CHUNK_MIN_BYTES to CHUNK_MAX_BYTES. */
bool chunk_id_is_size(uint64_t bytes);
/* From any thread. */
void chunk_id_of(const void *bytes, size_t len, struct chunk_id *id);
/* Of `len` zeros. */
void chunk_id_of_zeros(size_t len, struct chunk_id *id);
/* Of pieces that come one after the other: chunk_id_end() frees it; id may be NULL. */
struct chunk_id_sum;
struct chunk_id_sum *chunk_id_begin(void);
void chunk_id_add(struct chunk_id_sum *sum, const void *bytes, size_t len);
void chunk_id_end(struct chunk_id_sum *sum, struct chunk_id *id);
/* Of all that this file holds: 0, or the errno of reading it. */
int chunk_id_of_file(int fd, struct chunk_id *id);
void chunk_id_text(const struct chunk_id *id, char text[CHUNK_ID_TEXT]);
/* False: not 64 lower-case hexadecimal digits and the end of the string. */
bool chunk_id_parse(const char *text, struct chunk_id *id);
bool chunk_id_equal(const struct chunk_id *a, const struct chunk_id *b);
/* The same for a GHashTable whose keys are ids. */
unsigned chunk_id_hash(const void *id);
int chunk_id_is_same(const void *a, const void *b);
