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

struct chunk_id {
    uint8_t bytes[CHUNK_ID_BYTES];
};

/* From any thread. */
void chunk_id_of(const void *bytes, size_t len, struct chunk_id *id);
/* Of `len` zeros. */
void chunk_id_of_zeros(size_t len, struct chunk_id *id);
void chunk_id_text(const struct chunk_id *id, char text[CHUNK_ID_TEXT]);
/* False: not 64 lower-case hexadecimal digits and the end of the string. */
bool chunk_id_parse(const char *text, struct chunk_id *id);
bool chunk_id_equal(const struct chunk_id *a, const struct chunk_id *b);
